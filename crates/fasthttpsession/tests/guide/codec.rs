//! A codec of the application's own.

use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{Error, Exchange, HeaderEdit, Sessions};
use serde_json::{Value, json};

#[allow(
    unreachable_pub,
    reason = "it is written as a crate of its own would have it"
)]
#[path = "../../guide/codec.rs"]
mod program;

/// Arrays, one in the other.
fn nested(depth: u32) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

fn request(sessions: &Sessions, cookie: &str) -> Exchange {
    sessions.begin([("cookie", cookie)], None)
}

fn cookie(edits: Vec<HeaderEdit>) -> String {
    let cookie = edits.into_iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => Some(value),
        _ => None,
    });
    let cookie = cookie.expect("the session is new");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn it_reads_whatever_it_writes() {
    let sessions = program::build(MemoryStore::new()).unwrap();
    let first = request(&sessions, "");
    let session = first.session().await.unwrap();
    session.set("deep", &nested(126)).unwrap();
    let cookie = cookie(first.finish().await.unwrap());

    for depth in [127, 128] {
        let next = request(&sessions, &cookie);
        let session = next.session().await.unwrap();
        let set = session.set("deep", &nested(depth));
        let committed = set.and(next.finish().await.map(drop));
        let refused = matches!(
            &committed,
            Err(Error::Decode { key, .. } | Error::Encode { key, .. }) if &**key == "deep"
        );
        assert!(refused, "{depth}: {committed:?}");

        let read = request(&sessions, &cookie);
        let session = read.session().await.unwrap();
        assert_eq!(session.get("deep").unwrap(), Some(nested(126)));
    }
}
