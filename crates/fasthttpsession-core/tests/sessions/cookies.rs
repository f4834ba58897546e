//! The cookie: attributes, prefixes, and which of several is the session's.

use std::time::Duration;

use fasthttpsession_core::{BuildError, Cookie, HeaderEdit, Lifetimes, Limits, SameSite, Sessions};

use crate::faulty::Op;
use crate::support::{Client, HOUR, MINUTE, Response, SECOND, World};

fn with_cookie(cookie: Cookie) -> Result<Sessions, BuildError> {
    World::new().builder().cookie(cookie).build()
}

/// The responses to a first write and to a logout.
async fn set_and_removed(cookie: Cookie) -> (String, String) {
    let sessions = with_cookie(cookie).unwrap();
    let mut client = Client::new();
    let request = client.request(&sessions).await;
    request.set("n", &1).unwrap();
    let set = request.respond().await;
    client.receive(&set);
    let request = client.request(&sessions).await;
    request.logout().unwrap();
    let removed = request.respond().await;
    client.receive(&removed);
    assert_eq!(client.token(), None);
    let text = |response: &Response| response.cookie().unwrap().to_owned();
    (text(&set), text(&removed))
}

/// Name and attributes, without the value and what ends it.
fn shape(cookie: &str) -> (String, Vec<String>) {
    let (set, attributes) = cookie.split_once("; ").unwrap();
    let mut attributes: Vec<_> = attributes
        .split("; ")
        .filter(|a| !a.starts_with("Max-Age=") && !a.starts_with("Expires="))
        .map(str::to_owned)
        .collect();
    attributes.sort();
    (set.split_once('=').unwrap().0.to_owned(), attributes)
}

/// "Secure, `HttpOnly`, SameSite explicit; host prefix unless a domain is shared" (3.3.1–3.3.4) and
/// "A removal cookie carries the same Path, Domain, Secure and prefix as the one it removes".
#[tokio::test]
async fn a_removal_carries_the_attributes_of_what_it_removes() {
    let cases: [(Cookie, &str, &[&str]); 7] = [
        (
            Cookie::default(),
            "__Host-id",
            &["HttpOnly", "Path=/", "SameSite=Lax", "Secure"],
        ),
        (
            Cookie::new("app").domain("example.org"),
            "__Secure-app",
            &[
                "Domain=example.org",
                "HttpOnly",
                "Path=/",
                "SameSite=Lax",
                "Secure",
            ],
        ),
        (
            Cookie::new("app").path("/shop"),
            "__Secure-app",
            &["HttpOnly", "Path=/shop", "SameSite=Lax", "Secure"],
        ),
        (
            Cookie::insecure("app"),
            "app",
            &["HttpOnly", "Path=/", "SameSite=Lax"],
        ),
        (
            Cookie::new("app").same_site(SameSite::None).partitioned(),
            "__Host-app",
            &[
                "HttpOnly",
                "Partitioned",
                "Path=/",
                "SameSite=None",
                "Secure",
            ],
        ),
        (
            Cookie::new("app")
                .same_site(SameSite::Strict)
                .http_only(false),
            "__Host-app",
            &["Path=/", "SameSite=Strict", "Secure"],
        ),
        (
            Cookie::new("app").persistent(),
            "__Host-app",
            &["HttpOnly", "Path=/", "SameSite=Lax", "Secure"],
        ),
    ];
    for (cookie, name, attributes) in cases {
        let persistent = format!("{cookie:?}").contains("persistent: true");
        let (set, removed) = set_and_removed(cookie).await;
        assert_eq!(
            shape(&set),
            (
                name.to_owned(),
                attributes.iter().map(|&a| a.into()).collect()
            )
        );
        assert_eq!(shape(&set), shape(&removed));
        assert_eq!(set.contains("Max-Age=3600"), persistent, "{set}");
        assert!(removed.starts_with(&format!("{name}=;")), "{removed}");
        assert!(removed.contains("Max-Age=0"), "{removed}");
        assert!(
            removed.contains("Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
            "{removed}"
        );
    }
}

/// "Name + value within 4096 bytes, attribute within 1024" (6265bis) and "`Partitioned` only with Secure" (CHIPS).
#[test]
fn cookies_that_browsers_refuse_are_refused_when_building() {
    let long = "x".repeat(1025);
    let refused = [
        Cookie::new(""),
        Cookie::new("a b"),
        Cookie::new("a=b"),
        Cookie::new("a;b"),
        Cookie::new("naïve"),
        Cookie::new("a\r\nb"),
        Cookie::new("__Host-id"),
        Cookie::insecure("__host-id"),
        Cookie::insecure("__SECURE-id"),
        Cookie::insecure("__Http-id"),
        Cookie::new("__hTTP-id"),
        Cookie::new("Http-id").http_only(false),
        Cookie::new("hTTP-id").http_only(false),
        Cookie::new(&"n".repeat(4096)),
        Cookie::new("id").path("shop"),
        Cookie::new("id").path(""),
        Cookie::new("id").path("/a;b"),
        Cookie::new("id").path("/a\nb"),
        Cookie::new("id").path(&format!("/{long}")),
        Cookie::new("id").domain(""),
        Cookie::new("id").domain("a;b"),
        Cookie::new("id").domain("a b"),
        Cookie::new("id").domain(&long),
        Cookie::insecure("id").partitioned(),
        Cookie::insecure("id").same_site(SameSite::None),
    ];
    for cookie in refused {
        let shown = format!("{cookie:?}");
        let built = with_cookie(cookie);
        assert!(matches!(built, Err(BuildError::Cookie { .. })), "{shown}");
    }
    with_cookie(Cookie::new(&"n".repeat(3000))).unwrap();
    with_cookie(Cookie::new("Http-id")).unwrap();
    with_cookie(Cookie::new("Http-id").path("/shop").http_only(false)).unwrap();
}

#[test]
fn settings_that_contradict_each_other_are_refused_when_building() {
    let builder = || World::new().builder();
    let lifetimes = |idle, absolute| builder().lifetimes(Lifetimes::new(idle, absolute)).build();
    assert!(matches!(
        lifetimes(HOUR, MINUTE),
        Err(BuildError::Lifetimes {
            idle_ms: 3_600_000,
            absolute_ms: 60_000
        })
    ));
    lifetimes(Duration::ZERO, HOUR).unwrap_err();
    lifetimes(Duration::from_nanos(1), HOUR).unwrap_err();
    lifetimes(HOUR, HOUR).unwrap();
    let touch = builder().touch_after_percent(51).build();
    assert!(matches!(touch, Err(BuildError::TouchAfter { percent: 51 })));
    builder().touch_after_percent(50).build().unwrap();
    let renewal = builder().renew_every(30 * SECOND).build();
    assert!(matches!(renewal, Err(BuildError::Renewal { .. })));
    let grace = builder().renew_grace(Duration::ZERO).build();
    assert!(matches!(grace, Err(BuildError::RenewGrace { .. })));
    builder()
        .renew_every(30 * SECOND)
        .renew_grace(29 * SECOND)
        .build()
        .unwrap();
    for limits in [
        Limits::default().record_bytes(255),
        Limits::default().values(0),
    ] {
        let built = builder().limits(limits).build();
        assert!(matches!(built, Err(BuildError::Limit { .. })));
    }
    let most = 1 << 30;
    for bytes in [most + 1, usize::MAX] {
        let limits = Limits::default().record_bytes(bytes);
        let built = builder().limits(limits).build();
        assert!(
            matches!(built, Err(BuildError::LimitTooHigh { most: found, .. }) if found == most)
        );
    }
    let limits = Limits::default().record_bytes(most).values(usize::MAX);
    builder().limits(limits).build().unwrap();
}

/// "Duplicate cookies of the session's name are each tried: first that opens a session, at most 4".
#[tokio::test]
async fn up_to_four_cookies_of_the_name_are_tried() {
    let world = World::new();
    let sessions = world.sessions();
    let token = Client::with(&sessions, "n", 1).await.token().unwrap();
    let unknown = |n: u8| {
        format!(
            "__Host-id={}.{}",
            char::from(b'A' + n).to_string().repeat(21) + "A",
            "A".repeat(22)
        )
    };
    let known = format!("__Host-id={token}");
    for strangers in 0..8_u8 {
        let mut pairs: Vec<_> = (0..strangers).map(unknown).collect();
        pairs.push("__Host-id=no token at all".to_owned());
        pairs.push(known.clone());
        for separate in [false, true] {
            let headers: Vec<_> = if separate {
                pairs.iter().map(|pair| ("Cookie", pair.clone())).collect()
            } else {
                vec![("cookie", pairs.join("; "))]
            };
            world.store.heal();
            let session = sessions.begin(headers, None).session().await.unwrap();
            assert_eq!(session.is_new(), strangers >= 4, "{strangers} {separate}");
            let tried = usize::from(strangers.min(3)) + 1;
            assert_eq!(world.store.count(Op::Load), tried);
        }
    }
}

/// "Percent-encoded or mangled cookie names don't pass for prefixed ones" (CVE-2020-7070, CVE-2022-31629).
#[tokio::test]
async fn only_the_exact_name_counts() {
    let world = World::new();
    let sessions = world.sessions();
    let token = Client::with(&sessions, "n", 1).await.token().unwrap();
    let cookie = |text: String| async {
        let exchange = sessions.begin([("cookie", text)], None);
        !exchange.session().await.unwrap().is_new()
    };
    for name in [
        "__host-id",
        "__HOST-ID",
        "__Host%2Did",
        "%5F_Host-id",
        "..Host-id",
        "__Host-id ",
        "__Host-id2",
        "id",
        "x__Host-id",
        "\"__Host-id\"",
        "__Secure-id",
        "__Host-id[0]",
        "__Host-id\t",
    ] {
        assert!(!cookie(format!("{name}={token}")).await, "{name}");
    }
    for text in [
        format!("__Host-id={token}"),
        format!("a=b;__Host-id={token};c"),
        format!(";; a ;  __Host-id={token}  ; c=d"),
    ] {
        assert!(cookie(text.clone()).await, "{text}");
    }
    for text in [
        format!("__Host-id=\"{token}\""),
        format!("__Host-id=={token}"),
        format!("__Host-id={token}%20"),
        format!("a=__Host-id={token}"),
    ] {
        assert!(!cookie(text.clone()).await, "{text}");
    }
    let other = sessions.begin([("x-cookie", format!("__Host-id={token}"))], None);
    assert!(other.session().await.unwrap().is_new());
    let binary: &[u8] = b"\xff\xfe=\x00; \x80";
    assert!(
        sessions
            .begin([("cookie", binary)], None)
            .session()
            .await
            .unwrap()
            .is_new()
    );
}

/// "Tokens never in URLs unless asked for" (14.2.1).
#[tokio::test]
async fn a_token_in_the_url_is_not_looked_at() {
    let world = World::new();
    let sessions = world.sessions();
    let token = Client::with(&sessions, "n", 1).await.token().unwrap();
    for query in [format!("__Host-id={token}"), format!("id={token}"), token] {
        let exchange = sessions.begin([("host", "example.org")], Some(&query));
        assert!(exchange.session().await.unwrap().is_new());
    }
}

/// "A response that sets a session cookie isn't cached" (CVE-2023-30861).
#[tokio::test]
async fn a_response_with_the_cookie_is_not_stored_and_one_that_read_it_varies() {
    let vary = HeaderEdit::Append {
        name: "vary",
        value: "Cookie".into(),
    };
    let no_store = HeaderEdit::Default {
        name: "cache-control",
        value: "no-store",
    };
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    assert!(client.begin(&sessions).finish().await.unwrap().is_empty());
    assert_eq!(
        client.request(&sessions).await.respond().await.0,
        std::slice::from_ref(&vary)
    );
    for act in [0, 1, 2] {
        let request = client.request(&sessions).await;
        match act {
            0 => request.set("n", &1).unwrap(),
            1 => request.rotate().unwrap(),
            _ => request.logout().unwrap(),
        }
        let response = request.respond().await;
        assert!(response.cookie().is_some());
        assert!(response.0.contains(&vary) && response.0.contains(&no_store));
        client.receive(&response);
    }
}

/// Writes to a session that was there change no cookie.
#[tokio::test]
async fn cookies_only_when_they_change() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.set("n", &1).unwrap();
    request.set_label("phone").unwrap();
    request.save().await.unwrap();
    request
        .transact(|values| values.set("m", &1))
        .await
        .unwrap();
    assert_eq!(request.respond().await.cookie(), None);
    world.clock.advance(HOUR / 2);
    assert_eq!(
        client.request(&sessions).await.respond().await.cookie(),
        None
    );
}

/// Rotated twice in one request, with a commit in between: the last secret is the client's.
#[tokio::test]
async fn one_response_carries_one_cookie_the_last() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.rotate().unwrap();
    request.rotate().unwrap();
    request.save().await.unwrap();
    request.login("ada").unwrap();
    request.rotate().unwrap();
    client.receive(&request.respond().await);
    assert!(client.is_known(&sessions).await);
    let request = client.request(&sessions).await;
    request.logout().unwrap();
    request.save().await.unwrap();
    request.set("m", &1).unwrap();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["m"]);
}
