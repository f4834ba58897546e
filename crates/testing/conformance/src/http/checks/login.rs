//! Signing in, and what those who knew the token before gain by it: nothing.

use std::time::Duration;

use serde_json::json;

use crate::http::script::Step;
use crate::http::script::steps::{get, increment, login, set, wait};
use crate::http::site::Adapter;
use crate::http::stage::{Stage, halves};
use crate::store::{Outcome, ensure};

/// The token changes, the handle stays, and the old token is dead (ASVS 7.2.4).
pub async fn a_sign_in_gives_a_new_token<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    for _ in 0..2 {
        let before = ada.token()?;
        ada.does(&[login("ada")]).await?;
        let after = ada.token()?;
        ensure!(
            halves(&before)?.1 != halves(&after)?.1,
            "a sign-in left the secret as it was"
        );
        ensure!(
            halves(&before)?.0 == halves(&after)?.0,
            "a sign-in changed the handle"
        );
        ensure!(
            !live.opens(&before).await?,
            "the token from before a sign-in opens the session"
        );
    }
    ensure!(
        ada.does(&[Step::Principal]).await?[0] == "ada",
        "nobody is signed in"
    );
    Ok(())
}

/// Of an anonymous session, and of one of the same principal.
pub async fn a_sign_in_keeps_the_values<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("cart", "tea")]).await?;
    for _ in 0..2 {
        let said = ada.does(&[login("ada"), get("cart")]).await?;
        ensure!(
            said[1] == "tea",
            "right after the sign-in the value is {}",
            said[1]
        );
        let said = ada.does(&[get("cart")]).await?;
        ensure!(
            said[0] == "tea",
            "one request after the sign-in the value is {}",
            said[0]
        );
    }
    Ok(())
}

/// What one principal left is not for another to see.
pub async fn a_sign_in_over_another_principal_starts_empty<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let browser = live.browser();
    browser
        .does(&[login("ada"), set("diary", "private")])
        .await?;
    let of_ada = browser.token()?;
    let said = browser
        .does(&[set("before", 1), login("bob"), Step::Keys, set("after", 1)])
        .await?;
    ensure!(
        said[2] == json!([]),
        "at the sign-in of another the keys are {}",
        said[2]
    );
    let said = browser.does(&[Step::Principal, Step::Keys]).await?;
    ensure!(
        said == [json!("bob"), json!(["after"])],
        "after the sign-in of another the session is {said:?}"
    );
    ensure!(
        !live.opens(&of_ada).await?,
        "the first principal's token opens the second one's session"
    );
    Ok(())
}

/// Nor is what was written while the other signed in.
pub async fn a_sign_in_over_a_busy_principal_starts_empty<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let browser = live.browser();
    browser
        .does(&[login("ada"), set("diary", "private")])
        .await?;
    let gate = live.gate("gate");
    let slow = browser
        .starts(&gate, &[login("bob"), set("after", 1), wait("gate")])
        .await?;
    browser.does(&[set("diary", "more private")]).await?;
    gate.open();
    slow.answer().await?.values()?;
    let said = browser.does(&[Step::Principal, Step::Keys]).await?;
    ensure!(
        said == [json!("bob"), json!(["after"])],
        "after the sign-in of another the session is {said:?}"
    );
    Ok(())
}

/// An attacker plants a token, and has a rotation under way while the victim signs in with it.
pub async fn a_planted_token_gains_nothing_by_a_slow_rotation<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    gains_nothing(stage, &[Step::Rotate]).await?;
    gains_nothing(stage, &[Step::Reauthenticated]).await
}

/// An attacker plants a token, and empties the session while the victim signs in with it.
pub async fn a_planted_token_gains_nothing_by_a_slow_clear<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    gains_nothing(stage, &[Step::Clear]).await?;
    gains_nothing(stage, &[Step::Remove("cart".into())]).await
}

/// An attacker plants a token, and writes while the victim signs in with it.
pub async fn a_planted_token_gains_nothing_by_a_slow_write<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    gains_nothing(
        stage,
        &[
            set("address", "the attacker's"),
            Step::Rotate,
            Step::Remember(365),
        ],
    )
    .await?;
    gains_nothing(stage, &[increment("count")]).await
}

/// Two people sign in to one session at once: each ends up with a session of his own.
pub async fn two_sign_ins_at_once_are_two_sessions<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let visitor = live.browser();
    visitor.does(&[set("cart", "tea")]).await?;
    let token = visitor.token()?;
    let (ada, bob) = (live.browser_with(&token), live.browser_with(&token));
    let gate = live.gate("gate");
    let slow = bob
        .starts(
            &gate,
            &[
                set("before", 1),
                login("bob"),
                set("after", 1),
                wait("gate"),
            ],
        )
        .await?;
    ada.does(&[login("ada"), set("diary", "private")]).await?;
    gate.open();
    slow.answer().await?.values()?;
    ensure!(
        halves(&ada.token()?)?.0 != halves(&bob.token()?)?.0,
        "two principals share a session"
    );
    let of_bob = bob.does(&[Step::Principal, Step::Keys]).await?;
    ensure!(
        of_bob == [json!("bob"), json!(["after"])],
        "the second session is {of_bob:?}"
    );
    let of_ada = ada.does(&[Step::Principal, Step::Keys]).await?;
    ensure!(
        of_ada == [json!("ada"), json!(["cart", "diary"])],
        "the first session is {of_ada:?}"
    );
    ensure!(
        !live.opens(&token).await?,
        "the anonymous token survived two sign-ins"
    );
    Ok(())
}

/// A deadline that passes between the sign-in form and its submission.
pub async fn a_sign_in_on_an_expired_session_makes_a_fresh_one<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("old", 1)]).await?;
    let (token, gate) = (ada.token()?, live.gate("gate"));
    let slow = ada
        .starts(
            &gate,
            &[
                set("before", 1),
                wait("gate"),
                login("ada"),
                set("after", 1),
            ],
        )
        .await?;
    live.passes(Duration::from_secs(60 * 60));
    gate.open();
    slow.answer().await?.values()?;
    ensure!(
        halves(&ada.token()?)?.0 != halves(&token)?.0,
        "a sign-in revived an expired session"
    );
    let said = ada.does(&[Step::Principal, Step::Keys]).await?;
    ensure!(
        said == [json!("ada"), json!(["after"])],
        "the fresh session is {said:?}"
    );
    Ok(())
}

/// The attacker's `steps` are logged before the victim signs in, and committed after.
async fn gains_nothing<A: Adapter>(stage: &Stage<A>, steps: &[Step]) -> Outcome {
    let live = stage.start().await;
    let attacker = live.browser();
    attacker
        .does(&[set("cart", "tea"), set("count", 0)])
        .await?;
    let planted = attacker.token()?;
    let victim = live.browser_with(&planted);
    let gate = live.gate("gate");
    let script = [steps, &[wait("gate"), Step::Save]].concat();
    let slow = attacker.starts(&gate, &script).await?;
    victim
        .does(&[login("victim"), set("diary", "private")])
        .await?;
    gate.open();
    let answer = slow.answer().await?;
    let outcome = answer.values()?.pop();
    ensure!(
        outcome == Some(json!("Superseded")),
        "the attacker's commit is {outcome:?}"
    );
    answer.sets_no_cookie("for an attacker who knew the token before")?;
    ensure!(
        !live.opens(&planted).await?,
        "the planted token opens the victim's session"
    );
    let said = victim
        .does(&[Step::Principal, Step::Keys, get("count")])
        .await?;
    let expected = [json!("victim"), json!(["cart", "count", "diary"]), json!(0)];
    ensure!(
        said == expected,
        "after {steps:?} the victim's session is {said:?}"
    );
    Ok(())
}
