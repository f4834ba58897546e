//! An error is never an empty session.

use bytes::Bytes;
use fasthttpsession_core::{Handle, Record, Replaced, Store as _};
use serde_json::json;

use crate::http::script::steps::{get, header, increment, set, wait};
use crate::http::script::{REFUSAL, Step};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, Live, Stage, handle_of, json as bytes};
use crate::http::watched::{COMPLAINT, Operation};
use crate::store::{Failure, Outcome, ensure};

/// 503 without a word about the store; the handler does not run, and the session is as it was.
pub async fn a_failed_load_is_an_error_without_detail<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let handle = handle_of(&ada.token()?)?;
    live.store.calls();
    live.store.breaks(Operation::Load);
    let answer = ada.act(&[set("a", 2), Step::Logout]).await?;
    is_bare_error(&answer, 503, handle)?;
    ensure!(
        live.store.calls().writes() == 0,
        "a session that could not be loaded was written"
    );
    live.store.heals();
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the session is another one after the error"
    );
    Ok(())
}

/// A handler's response that could not be kept must not be seen, nor its cookies and headers.
pub async fn a_failed_commit_replaces_the_response<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let handle = handle_of(&ada.token()?)?;
    for operation in [Operation::Create, Operation::Replace, Operation::Delete] {
        live.store.breaks(operation);
    }
    let own = [header("set-cookie", "theme=dark"), header("x-own", "1")];
    for step in [set("a", 2), Step::Rotate, Step::Logout] {
        let answer = ada.act(&[&own[..], &[step]].concat()).await?;
        is_bare_error(&answer, 503, handle)?;
        ensure!(
            answer.head.all("x-own").is_empty(),
            "the handler's headers were sent with the error"
        );
    }
    let answer = live.browser().act(&[set("a", 1)]).await?;
    is_bare_error(&answer, 503, handle)?;
    live.store.heals();
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the session is another one after the error"
    );
    Ok(())
}

/// A new secret that was saved is the only one there is, so it gets to the browser though the rest could not be kept.
pub async fn a_secret_that_was_saved_is_sent_with_an_error<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let (ada, gate) = (live.browser(), live.gate("gate"));
    ada.does(&[set("a", 1)]).await?;
    let steps = [Step::Rotate, Step::Save, wait("gate"), set("a", 2)];
    let slow = ada.starts(&gate, &steps).await?;
    live.store.breaks(Operation::Replace);
    gate.open();
    let answer = slow.answer().await?;
    ensure!(
        answer.status() == 503,
        "the answer has status {} in place of 503",
        answer.status()
    );
    answer.cookie()?;
    ada.takes(&answer.head);
    live.store.heals();
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the session was lost with the error"
    );
    Ok(())
}

/// An `update` that refuses what it finds at the commit aborts the whole of it: 409.
pub async fn a_refused_update_commits_nothing<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("seats", 0)]).await?;
    let gate = live.gate("gate");
    let book = Step::IncrementUnless("seats".into(), 1);
    let slow = ada
        .starts(&gate, &[set("ticket", 1), book, wait("gate")])
        .await?;
    ada.does(&[increment("seats")]).await?;
    gate.open();
    let handle = handle_of(&ada.token()?)?;
    is_bare_error(&slow.answer().await?, 409, handle)?;
    let keys = &ada.does(&[Step::Keys]).await?[0];
    ensure!(
        *keys == json!(["seats"]),
        "after a refused update the keys are {keys}"
    );
    Ok(())
}

/// Nor does a handler that passes on an error of its session. What it had saved before stays, and its secret gets to the
/// browser.
pub async fn an_error_that_a_handler_passes_on_commits_nothing<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let handle = handle_of(&ada.token()?)?;
    live.store.calls();
    let refused = Step::IncrementUnless("a".into(), 2);
    let script = [set("a", 2), Step::Rotate, refused.clone()];
    is_bare_error(&ada.post("/fails", &bytes(&script)).await?, 409, handle)?;
    let calls = live.store.calls();
    ensure!(calls.writes() == 0, "a handler that failed cost {calls:?}");
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a handler that failed changed the session"
    );
    let script = [set("a", 2), Step::Rotate, Step::Save, set("b", 1), refused];
    let answer = ada.post("/fails", &bytes(&script)).await?;
    is_error(&answer, 409, handle)?;
    answer.cookie()?;
    let said = ada.does(&[get("a"), Step::Keys]).await?;
    ensure!(
        said == [json!(2), json!(["a"])],
        "after a handler saved and then failed, the session says {said:?}"
    );
    Ok(())
}

/// A record that can't be read: 500, whatever the handler would have done, and the bytes stay for whoever repairs them.
pub async fn bytes_that_do_not_decode_are_an_error_and_stay<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let handle = handle_of(&ada.token()?)?;
    for bytes in [&b""[..], b"not a record", &[0xff; 300]] {
        let damaged = overwrite(&live, handle, bytes).await?;
        for step in [get("a"), set("a", 2), Step::Logout] {
            is_bare_error(&ada.act(&[step]).await?, 500, handle)?;
        }
        let found = record(&live, handle).await?;
        ensure!(found == damaged, "a record that can't be read was changed");
    }
    Ok(())
}

/// An error response says its status and no more: no cookie, no detail, not to be cached.
fn is_bare_error(answer: &Answer, status: u16, handle: Handle) -> Outcome {
    is_error(answer, status, handle)?;
    answer.sets_no_cookie("with an error")
}

/// The same, with a cookie if there is need of one. A page of the framework's own may be its body.
fn is_error(answer: &Answer, status: u16, handle: Handle) -> Outcome {
    ensure!(
        answer.status() == status,
        "the answer has status {} in place of {status}",
        answer.status()
    );
    ensure!(
        answer.said().is_err(),
        "the handler's response was sent with the error"
    );
    let body = String::from_utf8_lossy(&answer.body);
    let others = answer.head.without("set-cookie");
    let told = format!("{others:?} {body}");
    for detail in [COMPLAINT, REFUSAL, &handle.to_string()] {
        ensure!(!told.contains(detail), "the client learns {told}");
    }
    let caching = answer.head.all("cache-control");
    ensure!(
        caching == ["no-store"],
        "the error's Cache-Control is {caching:?}"
    );
    Ok(())
}

async fn overwrite(live: &Live, handle: Handle, bytes: &[u8]) -> Result<Record, Failure> {
    let mut damaged = record(live, handle).await?;
    let version = damaged.header.version;
    damaged.header.version += 1;
    damaged.body = Bytes::copy_from_slice(bytes);
    let answer = live
        .store
        .inner()
        .replace(handle, version, &damaged, live.now())
        .await?;
    ensure!(
        answer == Replaced::Replaced,
        "the store answered {answer:?}"
    );
    Ok(damaged)
}

async fn record(live: &Live, handle: Handle) -> Result<Record, Failure> {
    let found = live.store.inner().load(handle, live.now()).await?;
    found.ok_or_else(|| Failure::new("the record is gone"))
}
