//! Logging out, and what was under way meanwhile.

use std::time::Duration;

use fasthttpsession_core::Store as _;

use crate::http::script::Step;
use crate::http::script::steps::{get, increment, keep, login, set, wait};
use crate::http::site::Adapter;
use crate::http::stage::{Live, Stage, halves, handle_of};
use crate::store::{Failure, Outcome, ensure};

/// The record is gone, not the cookie alone: a copy of the token opens nothing (ASVS 7.4.1).
pub async fn after_a_logout_the_token_is_dead<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[login("ada"), set("a", 1)]).await?;
    let token = ada.token()?;
    ada.does(&[set("a", 2), Step::Logout]).await?;
    is_dead(&live, &token).await?;
    ensure!(
        ada.does(&[Step::IsNew]).await?[0] == true,
        "the browser that logged out still has a session"
    );
    Ok(())
}

/// Whatever a request had under way that loaded the session before: it does not come back, and nobody gets a cookie
/// for it.
pub async fn a_logout_during_a_slow_request_is_final<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let under_way = [
        set("a", 2),
        increment("a"),
        Step::Rotate,
        Step::Clear,
        Step::Reauthenticated,
        Step::Remember(30),
        get("a"),
    ];
    for (number, step) in under_way.into_iter().enumerate() {
        let ada = live.browser();
        ada.does(&[set("a", 1)]).await?;
        let token = ada.token()?;
        let gate = live.gate(&format!("gate {number}"));
        let slow = ada
            .starts(&gate, &[step.clone(), wait(&format!("gate {number}"))])
            .await?;
        ada.clone().does(&[Step::Logout]).await?;
        gate.open();
        let answer = slow.answer().await?;
        answer.values()?;
        answer.sets_no_cookie(&format!("after a logout during {step:?}"))?;
        is_dead(&live, &token).await?;
    }
    Ok(())
}

/// A sign-in under way is the one thing that goes on: in a fresh session, without what was logged before it.
pub async fn a_logout_during_a_slow_sign_in_leaves_a_fresh_session<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("old", 1)]).await?;
    let token = ada.token()?;
    let gate = live.gate("gate");
    let slow = ada
        .starts(
            &gate,
            &[
                set("before", 1),
                login("ada"),
                set("after", 1),
                wait("gate"),
            ],
        )
        .await?;
    ada.does(&[Step::Logout]).await?;
    gate.open();
    let fresh = slow.answer().await?.cookie()?.value;
    ensure!(
        halves(&fresh)?.0 != halves(&token)?.0,
        "the sign-in took up the handle of the session that was ended"
    );
    is_dead(&live, &token).await?;
    let said = live
        .browser_with(&fresh)
        .does(&[Step::Principal, Step::Keys])
        .await?;
    ensure!(said[0] == "ada", "the fresh session belongs to {}", said[0]);
    ensure!(
        said[1] == serde_json::json!(["after"]),
        "the fresh session has the keys {}",
        said[1]
    );
    Ok(())
}

/// A deadline that passes while a request is under way.
pub async fn a_session_that_expires_during_a_slow_request_stays_dead<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    let gate = live.gate("gate");
    let slow = ada
        .starts(
            &gate,
            &[set("a", 2), Step::Rotate, wait("gate"), Step::Save],
        )
        .await?;
    live.passes(Duration::from_secs(60 * 60));
    gate.open();
    let answer = slow.answer().await?;
    let outcome = &answer.values()?[3];
    ensure!(
        outcome == "Gone",
        "the commit to an expired session is {outcome}"
    );
    answer.sets_no_cookie("after the session expired")?;
    is_dead(&live, &token).await
}

/// A session that a request made itself, and that was revoked before the response: no cookie for what is dead.
pub async fn a_session_revoked_while_it_is_made_gets_no_cookie<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let (ada, gate) = (live.browser(), live.gate("gate"));
    let script = [
        set("a", 1),
        Step::Save,
        keep("made"),
        wait("gate"),
        set("b", 2),
    ];
    let slow = ada.starts(&gate, &script).await?;
    let handle = live
        .kept("made")?
        .handle()
        .ok_or_else(|| Failure::new("nothing was saved"))?;
    let ended = live.site.users().end(handle).await;
    ensure!(
        matches!(ended, Ok(true)),
        "revoking the session answers {ended:?}"
    );
    gate.open();
    let answer = slow.answer().await?;
    answer.values()?;
    answer.sets_no_cookie("for a session that was revoked meanwhile")?;
    let record = live.store.inner().load(handle, live.now()).await?;
    ensure!(record.is_none(), "a revoked session came back");
    Ok(())
}

/// A response must not take away the cookie that a parallel one has just set.
pub async fn whoever_finds_the_session_gone_clears_nothing<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let (old, gate) = (ada.token()?, live.gate("gate"));
    let slow = ada.starts(&gate, &[set("a", 2), wait("gate")]).await?;
    ada.does(&[Step::Logout]).await?;
    ada.does(&[set("b", 1)]).await?;
    gate.open();
    slow.answer().await?;
    let late = live.browser_with(&old).act(&[get("a")]).await?;
    late.sets_no_cookie("for a token that died")?;
    ensure!(
        ada.does(&[get("b")]).await?[0] == 1,
        "the browser lost its new session"
    );
    Ok(())
}

async fn is_dead(live: &Live, token: &str) -> Outcome {
    let record = live
        .store
        .inner()
        .load(handle_of(token)?, live.now())
        .await?;
    ensure!(record.is_none(), "the record of an ended session is there");
    ensure!(
        !live.opens(token).await?,
        "the token of an ended session opens one"
    );
    Ok(())
}
