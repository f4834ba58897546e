//! Where tokens travel: each transport behaves as the others do, and none hides what another brings.

mod bearer;
mod brings;
mod query;

use fasthttpsession_core::{BuildError, Cookie, Error, TokenCodec, Transport};

use crate::faulty::Op;
use crate::support::{HOUR, MINUTE, World};
use brings::{Brings, NAME, all_three, cookie_then_header, handle_of, token, with};

#[tokio::test]
async fn by_default_there_is_the_cookie_alone() {
    let world = World::new();
    let sessions = world.sessions();
    let token = token(&sessions).await;
    assert!(Brings::by_cookie(&token).opens(&sessions).await);
    assert!(!Brings::by_header(&token).opens(&sessions).await);
    assert!(!Brings::by_query(&token).opens(&sessions).await);
    let bearer = sessions.begin([("authorization", format!("Bearer {token}"))], None);
    assert!(bearer.session().await.unwrap().is_new());
}

#[tokio::test]
async fn each_transport_is_looked_at_only_if_it_is_on() {
    let world = World::new();
    for (on, at) in [
        (Transport::cookie(), 0),
        (Transport::header(NAME), 1),
        (Transport::query("s"), 2),
    ] {
        let sessions = with(&world, [on]);
        let token = token(&sessions).await;
        let brings = [
            Brings::by_cookie(&token),
            Brings::by_header(&token),
            Brings::by_query(&token),
        ];
        for (other, brings) in brings.iter().enumerate() {
            assert_eq!(brings.opens(&sessions).await, other == at);
        }
    }
}

#[tokio::test]
async fn a_session_goes_out_the_way_it_came_in() {
    let world = World::new();
    let sessions = with(&world, all_three());
    let token = token(&sessions).await;

    let by_header = Brings::by_header(&token)
        .does(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    assert_eq!(
        by_header.cookie(),
        None,
        "who came by header gets no cookie"
    );
    let token = by_header.header(NAME).unwrap().to_owned();
    assert!(by_header.has_default("cache-control"));

    let by_cookie = Brings::by_cookie(&token)
        .does(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    assert_eq!(by_cookie.header(NAME), None, "no script is to read it");
    let token = by_cookie.token().unwrap();

    let by_query = Brings::by_query(&token)
        .does(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    assert_eq!(by_query.cookie(), None);
    let token = by_query.header(NAME).unwrap().to_owned();

    let by_both = Brings::by_cookie(&token)
        .and_header(&token)
        .does(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    assert_eq!(by_both.token().as_deref(), by_both.header(NAME));
    let token = by_both.token().unwrap();
    assert!(Brings::by_header(&token).opens(&sessions).await);
}

/// Handles are no secret. Who plants a cookie with one gets no session into that cookie, from where other sites could use
/// it.
#[tokio::test]
async fn a_planted_handle_draws_no_token_into_the_cookie() {
    let world = World::new();
    let sessions = with(&world, cookie_then_header());
    let token = token(&sessions).await;
    let planted = format!("{}.{}", handle_of(&token), "A".repeat(22));
    let response = Brings::by_cookie(&planted)
        .and_header(&token)
        .does(&sessions, |s| s.login("ada"))
        .await;
    assert_eq!(response.cookie(), None);
    assert!(response.header(NAME).is_some());
}

#[tokio::test]
async fn a_new_session_goes_out_by_the_first_transport_and_by_the_header() {
    let world = World::new();
    let (cookie, header, query) = (
        Transport::cookie,
        || Transport::header(NAME),
        || Transport::query("s"),
    );
    let cases = [
        (vec![cookie()], true, false),
        (vec![cookie(), query()], true, false),
        (vec![cookie(), header()], true, true),
        (vec![header(), cookie()], false, true),
        (vec![query(), cookie()], false, false),
        (vec![query(), header()], false, true),
    ];
    for (transports, in_cookie, in_header) in cases {
        let shown = format!("{transports:?}");
        let sessions = with(&world, transports);
        let response = Brings::nothing().does(&sessions, |s| s.set("n", &1)).await;
        assert_eq!(response.cookie().is_some(), in_cookie, "{shown}");
        assert_eq!(response.header(NAME).is_some(), in_header, "{shown}");
        assert!(response.has_default("cache-control"));
        // Nothing is said about a session that did not change.
        if let Some(token) = response.header(NAME) {
            let response = Brings::by_header(token).does(&sessions, |_| Ok(())).await;
            assert_eq!((response.cookie(), response.header(NAME)), (None, None));
        }
    }
}

#[tokio::test]
async fn a_removal_goes_out_the_way_the_session_came_in() {
    let world = World::new();
    let sessions = with(&world, all_three());
    let logout = fasthttpsession_core::Session::logout;

    let by_header = Brings::by_header(&token(&sessions).await)
        .does(&sessions, logout)
        .await;
    assert_eq!(
        (by_header.cookie(), by_header.header(NAME)),
        (None, Some(""))
    );

    let by_cookie = Brings::by_cookie(&token(&sessions).await)
        .does(&sessions, logout)
        .await;
    assert!(by_cookie.removes_cookie());
    assert_eq!(by_cookie.header(NAME), None);

    let token = token(&sessions).await;
    let by_both = Brings::by_header(&token)
        .and_cookie(&token)
        .does(&sessions, logout)
        .await;
    assert!(by_both.removes_cookie());
    assert_eq!(by_both.header(NAME), Some(""));
    for brings in [
        Brings::by_cookie(&token),
        Brings::by_header(&token),
        Brings::by_query(&token),
    ] {
        assert!(!brings.opens(&sessions).await);
        let late = brings.does(&sessions, |_| Ok(())).await;
        assert_eq!((late.cookie(), late.header(NAME)), (None, None));
    }
}

/// What a request begins after its logout goes to the client by the same way.
#[tokio::test]
async fn a_session_made_after_a_logout_goes_the_same_way() {
    let world = World::new();
    let sessions = with(&world, cookie_then_header());
    let old = token(&sessions).await;
    let response = Brings::by_header(&old)
        .does(&sessions, |s| {
            s.logout()?;
            s.set("n", &2)
        })
        .await;
    assert_eq!(response.cookie(), None);
    let fresh = response.header(NAME).unwrap();
    assert_ne!(handle_of(fresh), handle_of(&old));
}

#[tokio::test]
async fn what_can_not_be_read_in_one_place_hides_nothing_in_another() {
    let world = World::new();
    let sessions = with(&world, all_three());
    let good = token(&sessions).await;
    let long = "A".repeat(100_000);
    let shaped = format!("{}.?", "A".repeat(22));
    let unknown = format!("{}.{}", "A".repeat(22), "A".repeat(22));
    for bad in [
        "",
        ".",
        "%",
        "\u{1f36a}",
        &long,
        &shaped,
        &unknown,
        "Bearer x",
    ] {
        let other = Brings::by_cookie(bad).and_header(bad).and_query(bad);
        assert!(!other.opens(&sessions).await);
        assert!(other.clone().and_cookie(&good).opens(&sessions).await);
        assert!(other.clone().and_header(&good).opens(&sessions).await);
        assert!(other.and_query(&good).opens(&sessions).await);
    }
    // Not even by their number, as long as they are no tokens.
    let cookies = vec![("cookie", format!("__Host-id={shaped}")); 20];
    let exchange = sessions.begin(cookies, Some(&format!("s={good}")));
    assert!(!exchange.session().await.unwrap().is_new());
}

#[tokio::test]
async fn what_only_looks_like_a_token_hides_none_in_the_same_place() {
    let world = World::new();
    let good = token(&with(&world, all_three())).await;
    let shaped = format!("{}.?", "A".repeat(22));
    let sessions = with(&world, all_three());
    for bad in [4, 15] {
        let pairs = |name: &str, between: &str| {
            let mut pairs = vec![format!("{name}{shaped}"); bad];
            pairs.push(format!("{name}{good}"));
            pairs.join(between)
        };
        let cookie = [("cookie", pairs("__Host-id=", "; "))];
        let mut headers = vec![(NAME, shaped.clone()); bad];
        headers.push((NAME, good.clone()));
        let query = pairs("s=", "&");
        for exchange in [
            sessions.begin(cookie, None),
            sessions.begin(headers, None),
            sessions.begin([("host", "example.org")], Some(&query)),
        ] {
            world.store.heal();
            assert!(!exchange.session().await.unwrap().is_new(), "{bad}");
            assert_eq!(world.store.count(Op::Load), 1);
        }
    }
}

#[tokio::test]
async fn tokens_are_tried_in_the_order_of_the_transports_and_four_at_most() {
    let world = World::new();
    let (one, other) = (
        with(&world, all_three()),
        with(&world, {
            let [cookie, header, query] = all_three();
            [query, header, cookie]
        }),
    );
    let (first, second) = (token(&one).await, token(&one).await);
    let brings = Brings::by_cookie(&first).and_query(&second);
    let handle = async |sessions| brings.request(sessions).await.handle();
    assert_eq!(handle(&one).await, Some(handle_of(&first)));
    assert_eq!(handle(&other).await, Some(handle_of(&second)));

    let unknown = format!("{}.{}", "A".repeat(22), "A".repeat(22));
    let headers = |name: &'static str, value: String| vec![(name, value); 9];
    let mut all = headers("cookie", format!("__Host-id={unknown}"));
    all.extend(headers(NAME, unknown.clone()));
    let query = vec![format!("s={unknown}"); 9].join("&");
    world.store.heal();
    let exchange = one.begin(all, Some(&query));
    assert!(exchange.session().await.unwrap().is_new());
    assert_eq!(world.store.count(Op::Load), 4);
}

#[tokio::test]
async fn a_response_varies_by_the_headers_that_were_looked_at() {
    let world = World::new();
    let cases = [
        (vec![Transport::cookie()], vec!["Cookie"]),
        (cookie_then_header().to_vec(), vec!["Cookie", NAME]),
        (vec![Transport::bearer()], vec!["Authorization"]),
        (vec![Transport::query("s")], vec![]),
        (
            vec![
                Transport::query("s"),
                Transport::bearer(),
                Transport::cookie(),
            ],
            vec!["Authorization", "Cookie"],
        ),
    ];
    for (transports, names) in cases {
        let sessions = with(&world, transports);
        let response = Brings::nothing().does(&sessions, |_| Ok(())).await;
        assert_eq!(response.vary(), names);
        assert_eq!(response.0.len(), names.len());
        let exchange = sessions.begin([("host", "example.org")], None);
        assert!(exchange.finish().await.unwrap().is_empty());
    }
}

/// Renewal offers a new token, which who came by a URL would never see.
#[tokio::test]
async fn renewal_is_offered_only_where_it_can_arrive() {
    let world = World::new();
    let sessions = world
        .builder()
        .transports(all_three())
        .renew_every(MINUTE)
        .build()
        .unwrap();
    let token = token(&sessions).await;
    world.clock.advance(2 * MINUTE);
    world.store.heal();
    let by_query = Brings::by_query(&token).does(&sessions, |_| Ok(())).await;
    assert_eq!(by_query.header(NAME), None);
    assert_eq!(world.store.count(Op::Replace), 0);
    let by_header = Brings::by_header(&token).does(&sessions, |_| Ok(())).await;
    let offered = by_header.header(NAME).unwrap();
    assert!(Brings::by_query(offered).opens(&sessions).await);
    assert!(Brings::by_query(&token).opens(&sessions).await);
}

/// Only a cookie has a date. Who came by header costs a touch, not a swap, and gets no token again.
#[tokio::test]
async fn a_persistent_cookie_is_dated_for_those_who_have_it() {
    let world = World::new();
    let sessions = world
        .builder()
        .transports(cookie_then_header())
        .cookie(Cookie::default().persistent())
        .build()
        .unwrap();
    let token = token(&sessions).await;
    world.clock.advance(HOUR / 2);
    world.store.heal();
    let by_header = Brings::by_header(&token).does(&sessions, |_| Ok(())).await;
    assert_eq!((by_header.cookie(), by_header.header(NAME)), (None, None));
    let calls = |op| world.store.count(op);
    assert_eq!((calls(Op::Touch), calls(Op::Replace)), (1, 0));
    world.clock.advance(HOUR / 2);
    let by_cookie = Brings::by_cookie(&token).does(&sessions, |_| Ok(())).await;
    assert_eq!(by_cookie.max_age(), Some(3600));
}

#[test]
fn transports_that_can_not_be_are_refused_when_building() {
    let sessions_with =
        |transports: Vec<Transport>| World::new().builder().transports(transports).build();
    let header = Transport::header;
    let query = Transport::query;
    for refused in [
        vec![],
        vec![Transport::cookie(), Transport::cookie()],
        vec![header("a"), header("b")],
        vec![header("a"), Transport::bearer()],
        vec![query("a"), query("b")],
        vec![header("")],
        vec![header("a b")],
        vec![header("a:")],
        vec![header("naïve")],
        vec![header("a\r\nb")],
        vec![header("Set-Cookie")],
        vec![header("COOKIE")],
        vec![header("Authorization")],
        vec![header("vary")],
        vec![query("")],
        vec![query("a=b")],
        vec![query("a&b")],
        vec![query("a b")],
        vec![query("a%20")],
    ] {
        let shown = format!("{refused:?}");
        let built = sessions_with(refused);
        assert!(
            matches!(built, Err(BuildError::Transport { .. })),
            "{shown}"
        );
    }
    sessions_with(vec![
        query("a-b._~9"),
        header("X-Session-1"),
        Transport::cookie(),
    ])
    .unwrap();
    // A cookie that is off need not be possible.
    let odd = World::new()
        .builder()
        .cookie(Cookie::new("a b"))
        .transports([header("a")]);
    odd.build().unwrap();
    let too_long = World::new()
        .builder()
        .cookie(Cookie::new(&"n".repeat(3500)))
        .token_codec(TokenCodec::functions(
            |token| Ok::<_, Error>(token.to_owned()),
            |text| Some(text.to_owned()),
        ));
    assert!(matches!(too_long.build(), Err(BuildError::Cookie { .. })));
}
