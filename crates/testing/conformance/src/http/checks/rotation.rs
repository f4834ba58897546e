//! New secrets: at once by `rotate`, in two steps by renewal.

use std::time::Duration;

use serde_json::json;

use crate::http::script::Step;
use crate::http::script::steps::{get, set, wait};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, Browser, Live, Stage, halves};
use crate::store::{Failure, Outcome, ensure};

const PERIOD: Duration = Duration::from_secs(10 * 60);
const ALMOST: Duration = Duration::from_millis(10 * 60 * 1000 - 1);
/// A little over the default of 30 s.
const GRACE: Duration = Duration::from_secs(31);

/// One secret opens the record afterwards; handle and values stay.
pub async fn a_rotation_gives_a_new_token_and_keeps_the_values<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    for step in [Step::Rotate, Step::Reauthenticated] {
        let before = ada.token()?;
        ada.does(std::slice::from_ref(&step)).await?;
        let after = ada.token()?;
        ensure!(
            halves(&before)?.0 == halves(&after)?.0,
            "{step:?} changed the handle"
        );
        ensure!(
            !live.opens(&before).await?,
            "the token from before {step:?} opens the session"
        );
        ensure!(
            ada.does(&[get("a")]).await?[0] == 1,
            "{step:?} lost the values"
        );
    }
    Ok(())
}

/// Of a request that loaded the session before a rotation, values commit; its own rotation and cookies are dropped.
pub async fn a_rotation_in_between_spares_values_and_drops_the_rest<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    for (number, step) in [Step::Rotate, Step::Reauthenticated]
        .into_iter()
        .enumerate()
    {
        let ada = live.browser();
        ada.does(&[set("a", 1)]).await?;
        let name = format!("gate {number}");
        let gate = live.gate(&name);
        let slow = ada
            .starts(&gate, &[set("b", 2), step.clone(), wait(&name)])
            .await?;
        ada.does(&[Step::Rotate]).await?;
        let token = ada.token()?;
        gate.open();
        let answer = slow.answer().await?;
        answer.values()?;
        answer.sets_no_cookie("after a rotation in between")?;
        let said = live
            .browser_with(&token)
            .does(&[get("a"), get("b")])
            .await?;
        ensure!(
            said == [json!(1), json!(2)],
            "after a rotation in between the values are {said:?}"
        );
    }
    Ok(())
}

/// Once a period a new secret is offered; the current one stays good until the new one is first presented, and then
/// for a grace.
pub async fn renewal_is_offered_and_then_taken_up<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = renewing(stage).await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let old = ada.token()?;
    live.passes(ALMOST);
    ada.act(&[get("a")])
        .await?
        .sets_no_cookie("before the period is over")?;
    live.passes(PERIOD.saturating_sub(ALMOST));
    let new = ada.act(&[get("a")]).await?.cookie()?.value;
    ensure!(
        halves(&new)?.0 == halves(&old)?.0 && new != old,
        "the renewed token is not one of the same session"
    );
    live.passes(GRACE / 2);
    ensure!(
        live.opens(&old).await?,
        "the current secret died before the offered one was presented"
    );
    reads_in_silence(&ada, "on taking up the offer").await?;
    ensure!(
        live.opens(&old).await?,
        "the former secret died without a grace"
    );
    live.passes(GRACE);
    ensure!(
        !live.opens(&old).await?,
        "the former secret outlived its grace"
    );
    reads_in_silence(&ada, "after the renewal").await
}

/// The response with the offer gets lost, once or twice: the browser goes on with what it has, the offer is repeated
/// once a grace, and whichever of the last two it gets is good.
pub async fn a_lost_renewal_signs_nobody_out<A: Adapter>(stage: &Stage<A>) -> Outcome {
    for kept in 0..2 {
        let live = renewing(stage).await;
        let ada = live.browser();
        ada.does(&[set("a", 1)]).await?;
        let offers = two_offers(&live, &ada).await?;
        ensure!(
            ada.does(&[get("a")]).await?[0] == 1,
            "two lost responses signed the browser out"
        );
        let late = live.browser_with(&offers[kept]);
        reads_in_silence(&late, "on taking up an offer").await?;
        live.passes(GRACE);
        reads_in_silence(&late, "a grace after an offer was taken up").await?;
        ensure!(
            !live.opens(&ada.token()?).await?,
            "the former secret outlived its grace"
        );
    }
    Ok(())
}

/// An offer that was never presented does not make every later request offer again.
pub async fn a_repeated_offer_is_the_last_one_once_taken_up<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = renewing(stage).await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let [_, second] = two_offers(&live, &ada).await?;
    let ada = live.browser_with(&second);
    for _ in 0..3 {
        reads_in_silence(&ada, "within the period of a renewed token").await?;
        live.passes(GRACE);
    }
    live.passes(PERIOD);
    ada.act(&[get("a")]).await?.cookie()?;
    Ok(())
}

/// Parallel requests at the time of a renewal: every token that any of them got, or had, opens the session.
pub async fn renewals_at_once_sign_nobody_out<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = renewing(stage).await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let old = ada.token()?;
    live.passes(PERIOD);
    let answers = tabs_at_once(&live, &ada, 16).await?;
    ensure!(
        live.opens(&old).await?,
        "the current secret died before an offered one was presented"
    );
    let mut offered = Vec::new();
    for answer in &answers {
        answer.values()?;
        offered.extend(answer.cookies().into_iter().map(|cookie| cookie.value));
    }
    ensure!(
        !offered.is_empty(),
        "of 16 requests after the period, none was offered a token"
    );
    for token in offered {
        ensure!(
            live.opens(&token).await?,
            "a token that was offered opens nothing"
        );
    }
    live.passes(GRACE);
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the browser was signed out"
    );
    Ok(())
}

async fn renewing<A: Adapter>(stage: &Stage<A>) -> Live {
    stage
        .start_with(|builder| builder.renew_every(PERIOD))
        .await
}

/// Lets a period pass, and has two offers made whose responses get lost; none is made within a grace of the first.
async fn two_offers(live: &Live, browser: &Browser) -> Result<[String; 2], Failure> {
    live.passes(PERIOD);
    let first = browser.act_and_lose(&[get("a")]).await?.cookie()?.value;
    reads_in_silence(browser, "within a grace of an offer").await?;
    live.passes(GRACE);
    let second = browser.act_and_lose(&[get("a")]).await?.cookie()?.value;
    ensure!(
        first != second,
        "an offer was repeated with the same secret, which must not be kept"
    );
    Ok([first, second])
}

async fn reads_in_silence(browser: &Browser, when: &str) -> Outcome {
    let answer = browser.act(&[get("a")]).await?;
    ensure!(answer.values()?[0] == 1, "{when}, the session is gone");
    answer.sets_no_cookie(when)
}

async fn tabs_at_once(live: &Live, browser: &Browser, tabs: u32) -> Result<Vec<Answer>, Failure> {
    let gate = live.gate("tabs");
    let mut slow = Vec::new();
    for _ in 0..tabs {
        slow.push(browser.starts(&gate, &[wait("tabs"), get("a")]).await?);
    }
    gate.open();
    let mut answers = Vec::new();
    for tab in slow {
        answers.push(tab.answer().await?);
    }
    Ok(answers)
}
