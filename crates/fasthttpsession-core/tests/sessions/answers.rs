//! What an answer says to caches and browsers though the session could not be loaded, or its token not be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession_core::{Error, HeaderEdit, StoreErrorKind, TokenCodec, Transport};

use crate::faulty::{Fault, Op};
use crate::support::World;

fn lines(edits: &[HeaderEdit]) -> Vec<String> {
    edits.iter().map(|edit| format!("{edit:?}")).collect()
}

const OF_A_URL: [&str; 3] = [
    "vary: Cookie",
    "referrer-policy: same-origin",
    "cache-control: no-store",
];

/// A handler may answer all the same, and say that its answer may be kept.
#[tokio::test]
async fn who_asked_and_could_not_load_answers_as_one_that_depends_on_the_session() {
    let world = World::new();
    let transports = [Transport::cookie(), Transport::query("s")];
    let sessions = world.builder().transports(transports).build().unwrap();
    let token = format!("{}.{}", "A".repeat(22), "A".repeat(43));
    let cookie = format!("__Host-id={token}");
    let query = format!("s={token}");
    for (query, expected) in [(None, &OF_A_URL[..1]), (Some(&*query), &OF_A_URL)] {
        for end in 0..3 {
            let down = [Fault::Refuse(StoreErrorKind::Unavailable)];
            world.store.first(Op::Load, down);
            let exchange = sessions.begin([("cookie", &cookie)], query);
            exchange.session().await.unwrap_err();
            let edits = match end {
                0 => exchange.finish().await.unwrap(),
                1 => exchange.finish_now().unwrap(),
                _ => exchange.abandon(),
            };
            assert_eq!(lines(&edits), expected, "{end}");
        }
    }
}

#[tokio::test]
async fn a_token_that_can_not_be_sent_leaves_the_rest_of_the_answer() {
    let world = World::new();
    let broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&broken);
    let encode = move |token: &str| {
        let kept = (!fails.load(Ordering::Relaxed)).then(|| token.to_owned());
        kept.ok_or("no ink")
    };
    let sessions = world
        .builder()
        .transports([Transport::cookie(), Transport::query("s")])
        .token_codec(TokenCodec::functions(encode, |text| Some(text.to_owned())))
        .build()
        .unwrap();
    let exchange = sessions.begin([("host", "example.org")], None);
    let session = exchange.session().await.unwrap();
    session.set("n", &1).unwrap();
    session.save().await.unwrap();
    let token = session.expose_token().unwrap().unwrap();
    let cookie = format!("__Host-id={token}");
    let query = format!("s={token}");
    let exchange = sessions.begin([("cookie", cookie)], Some(&query));
    exchange.session().await.unwrap().rotate().unwrap();
    broken.store(true, Ordering::Relaxed);
    let error = exchange.finish().await.unwrap_err();
    assert!(matches!(error, Error::EncodeToken { .. }), "{error}");
    assert_eq!(lines(&exchange.abandon()), OF_A_URL);
}
