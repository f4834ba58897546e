//! A request that another site made the browser send is told from one of this site's pages, and showing a form stores
//! nothing.

use std::collections::HashSet;

use fasthttpsession_core::{Error, Session, Transport};

use crate::support::{Client, MINUTE, World};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn passes(session: &Session, headers: Headers<'_>, token: Option<&str>) -> bool {
    match session.check_csrf("POST", headers.iter().copied(), token) {
        Ok(()) => true,
        Err(Error::CrossSite) => false,
        Err(other) => panic!("{other}"),
    }
}

const SAME: [Headers<'static>; 5] = [
    &[("sec-fetch-site", "same-origin")],
    &[
        ("Sec-Fetch-Site", "none"),
        ("origin", "https://evil.example"),
    ],
    &[("host", "app.example"), ("origin", "https://app.example")],
    &[("Origin", "https://APP.example"), ("Host", "app.example")],
    &[
        ("origin", "http://localhost:8086"),
        ("host", "localhost:8086"),
    ],
];
const OTHER: [Headers<'static>; 10] = [
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site"), ("host", "app.example")],
    &[("sec-fetch-site", "")],
    &[
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-origin"),
    ],
    &[("host", "app.example"), ("origin", "https://evil.example")],
    &[
        ("host", "app.example"),
        ("origin", "https://app.example.evil.example"),
    ],
    &[("host", "app.example"), ("origin", "null")],
    &[
        ("host", "app.example"),
        ("origin", "https://app.example:8443"),
    ],
    &[("origin", "https://app.example")],
    &[("host", ""), ("origin", "https://")],
];

#[tokio::test]
async fn a_browser_that_says_where_it_comes_from_is_believed() {
    let world = World::new();
    let sessions = world.sessions();
    let user = Client::signed_in(&sessions, "ada").await;
    for session in [
        user.request(&sessions).await,
        Client::new().request(&sessions).await,
    ] {
        for headers in SAME {
            assert!(passes(&session, headers, None), "{headers:?}");
        }
        for headers in OTHER {
            assert!(!passes(&session, headers, None), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn without_its_word_a_session_needs_a_token_and_a_visitor_does_not() {
    let world = World::new();
    let sessions = world.sessions();
    let user = Client::signed_in(&sessions, "ada").await;
    let session = user.request(&sessions).await;
    let token = session.csrf_token().unwrap().unwrap();
    assert!(!passes(&session, &[], None));
    assert!(passes(&session, &[], Some(&token)));
    assert!(
        passes(&session, OTHER[0], Some(&token)),
        "whoever has the token is this site"
    );
    let visitor = Client::new().request(&sessions).await;
    assert!(passes(&visitor, &[], None));
    assert!(!passes(&visitor, OTHER[0], Some(&token)));
}

/// A page of another site can't make a browser send it.
#[tokio::test]
async fn a_session_that_came_in_a_header_passes() {
    let world = World::new();
    let ways = [
        Transport::cookie(),
        Transport::bearer(),
        Transport::query("t"),
    ];
    let sessions = world.builder().transports(ways).build().unwrap();
    let user = Client::signed_in(&sessions, "ada").await;
    let token = user.token().unwrap();
    let (bearer, cookie) = (format!("Bearer {token}"), format!("__Host-id={token}"));
    let other = Client::signed_in(&sessions, "eve").await.token().unwrap();
    let (url, others) = (format!("t={token}"), format!("Bearer {other}x"));
    let presented: [(Headers<'_>, Option<&str>, bool); 5] = [
        (&[("authorization", &bearer)], None, true),
        (
            &[("authorization", &bearer), ("cookie", &cookie)],
            None,
            true,
        ),
        (&[("cookie", &cookie)], None, false),
        (&[], Some(&url), false),
        (
            &[("authorization", &others), ("cookie", &cookie)],
            None,
            false,
        ),
    ];
    for (headers, query, may_pass) in presented {
        let exchange = sessions.begin(headers.iter().copied(), query);
        let session = exchange.session().await.unwrap();
        assert_eq!(session.principal().unwrap().as_str(), "ada");
        assert_eq!(passes(&session, headers, None), may_pass, "{headers:?}");
        let another_site = [headers, &[("sec-fetch-site", "cross-site")]].concat();
        assert_eq!(passes(&session, &another_site, None), may_pass);
    }
}

/// As when it signs in, or when its token has expired: that is for the application to answer.
#[tokio::test]
async fn a_visitor_passes_where_no_browser_adds_a_token_by_itself() {
    let only_headers = [
        vec![Transport::bearer()],
        vec![Transport::header("x-session")],
    ];
    let browsers_add_some = [
        vec![Transport::cookie()],
        vec![Transport::bearer(), Transport::cookie()],
        vec![Transport::bearer(), Transport::query("t")],
    ];
    let world = World::new();
    let visits = |transports: Vec<Transport>| {
        let sessions = world.builder().transports(transports).build().unwrap();
        sessions.begin([("", "")], None)
    };
    for transports in only_headers {
        let session = visits(transports).session().await.unwrap();
        assert!(OTHER.iter().all(|headers| passes(&session, headers, None)));
    }
    for transports in browsers_add_some {
        let session = visits(transports).session().await.unwrap();
        assert!(!OTHER.iter().any(|headers| passes(&session, headers, None)));
    }
}

#[tokio::test]
async fn what_only_reads_passes() {
    let world = World::new();
    let user = Client::signed_in(&world.sessions(), "ada").await;
    let session = user.request(&world.sessions()).await;
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        let foreign = OTHER[0].iter().copied();
        session.check_csrf(method, foreign, None).unwrap();
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "get", "MADEUP"] {
        let foreign = OTHER[0].iter().copied();
        let error = session.check_csrf(method, foreign, None).unwrap_err();
        assert_eq!(error.status(), 403, "{method}");
    }
}

/// A page of another host of the site may open a socket, with the cookie: `SameSite` does not hinder it, nor is there CORS.
#[tokio::test]
async fn a_handshake_of_a_web_socket_is_no_request_that_only_reads() {
    let world = World::new();
    let sessions = world.sessions();
    let user = Client::signed_in(&sessions, "ada").await;
    let session = user.request(&sessions).await;
    let token = session.csrf_token().unwrap().unwrap();
    let visitor = Client::new().request(&sessions).await;
    for asks in [
        &[("upgrade", "websocket")][..],
        &[("Connection", "Upgrade"), ("Upgrade", "WebSocket")],
        &[("upgrade", "h2c, websocket")],
        &[("upgrade", "h2c"), ("upgrade", "websocket")],
    ] {
        let passes = |session: &Session, headers: Headers<'_>, token| {
            let headers = asks.iter().chain(headers).copied();
            session.check_csrf("GET", headers, token).is_ok()
        };
        for headers in OTHER {
            assert!(!passes(&session, headers, None), "{asks:?} {headers:?}");
            assert!(!passes(&visitor, headers, None), "{asks:?} {headers:?}");
        }
        for headers in SAME {
            assert!(passes(&session, headers, None), "{asks:?} {headers:?}");
        }
        assert!(passes(&session, OTHER[0], Some(&token)));
        assert!(!passes(&session, &[], None), "from no browser");
    }
    // Over HTTP/2 (RFC 8441), and what programs ask for with any request.
    for headers in OTHER {
        assert!(
            session
                .check_csrf("CONNECT", headers.iter().copied(), None)
                .is_err()
        );
        let h2c = headers.iter().chain(&[("upgrade", "h2c")]).copied();
        session.check_csrf("GET", h2c, None).unwrap();
    }
}

#[tokio::test]
async fn showing_a_form_stores_nothing_for_visitors() {
    let world = World::new();
    let sessions = world.sessions();
    let visitor = Client::new().request(&sessions).await;
    assert_eq!(visitor.csrf_token().unwrap(), None);
    assert_eq!(visitor.respond().await.cookie(), None);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn tokens_differ_and_all_stay_good_until_the_next_sign_in() {
    let world = World::new();
    let sessions = world.builder().renew_every(10 * MINUTE).build().unwrap();
    let mut client = Client::with(&sessions, "n", 1).await;
    let mut tokens = HashSet::new();
    for round in 0..6 {
        let token = client.visit(&sessions, Session::csrf_token).await;
        tokens.insert(token.expect("it has a record"));
        if round == 3 {
            client.visit(&sessions, Session::rotate).await;
        }
        world.clock.advance(11 * MINUTE);
        // The renewed secret is presented, and the old one's grace runs out.
        client.request(&sessions).await.respond().await;
    }
    assert_eq!(tokens.len(), 6);
    let session = client.request(&sessions).await;
    for token in &tokens {
        assert_eq!(token.len(), 43);
        assert!(passes(&session, &[], Some(token)));
    }
    session.login("ada").unwrap();
    let shown = session.csrf_token().unwrap().expect("it has a record");
    client.receive(&session.respond().await);
    let signed_in = client.request(&sessions).await;
    assert!(
        passes(&signed_in, &[], Some(&shown)),
        "what the response showed is good"
    );
    for token in &tokens {
        assert!(!passes(&signed_in, &[], Some(token)));
    }
}

#[tokio::test]
async fn a_token_of_another_session_or_a_mangled_one_does_not_pass() {
    let world = World::new();
    let sessions = world.sessions();
    let (ada, eve) = (
        Client::signed_in(&sessions, "ada").await,
        Client::signed_in(&sessions, "eve").await,
    );
    let theirs = eve.request(&sessions).await.csrf_token().unwrap().unwrap();
    let session = ada.request(&sessions).await;
    let token = session.csrf_token().unwrap().unwrap();
    let zeros = "A".repeat(43);
    let (short, long) = (&token[1..], format!("{token}A"));
    for wrong in [&theirs, "", "é", &zeros, short, &long, &"x".repeat(1 << 16)] {
        assert!(!passes(&session, &[], Some(wrong)));
    }
    for at in 0..token.len() - 1 {
        let mut mangled = token.clone().into_bytes();
        mangled[at] = if mangled[at] == b'A' { b'B' } else { b'A' };
        let mangled = String::from_utf8(mangled).unwrap();
        assert!(!passes(&session, &[], Some(&mangled)), "{at}");
    }
}
