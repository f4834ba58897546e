//! Many requests at once on one session.

use fasthttpsession_core::Store as _;

use crate::http::script::Step;
use crate::http::script::steps::{get, increment, set, take, wait};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, Browser, Live, Stage, handle_of};
use crate::store::{Failure, Outcome, ensure};

const MANY: u32 = 64;

/// 64 requests that each add one add 64.
pub async fn increments_at_once_all_count<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("count", 0)]).await?;
    at_once(&live, &ada, |_| vec![wait("start"), increment("count")]).await?;
    let count = &ada.does(&[get("count")]).await?[0];
    ensure!(count == MANY, "{MANY} increments made {count}");
    Ok(())
}

/// 64 requests that each set a key of its own, all having loaded the session first: every key is there.
pub async fn different_keys_at_once_all_stay<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("first", 0)]).await?;
    at_once(&live, &ada, |number| {
        vec![set(&format!("key{number}"), number), wait("start")]
    })
    .await?;
    let keys = ada.does(&[Step::Keys]).await?[0]
        .as_array()
        .map_or(0, Vec::len);
    ensure!(
        keys == MANY as usize + 1,
        "{} keys were set, {keys} are there",
        MANY + 1
    );
    let handle = handle_of(&ada.token()?)?;
    let record = live.store.inner().load(handle, live.now()).await?;
    ensure!(
        record.is_some(),
        "the record has another handle than the token"
    );
    Ok(())
}

/// Of 64 requests that `transact` a single-use value out, one gets it.
pub async fn a_single_use_value_is_taken_once<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("voucher", "free lunch")]).await?;
    let answers = at_once(&live, &ada, |_| vec![wait("start"), take("voucher")]).await?;
    let mut lunches = 0;
    for answer in answers {
        lunches += u32::from(answer.values()?[1] == "free lunch");
    }
    ensure!(lunches == 1, "{lunches} requests got the voucher");
    Ok(())
}

/// Runs 64 scripts in the same session, none of which passes the gate "start" before all have come to it.
async fn at_once(
    live: &Live,
    browser: &Browser,
    script: impl Fn(u32) -> Vec<Step>,
) -> Result<Vec<Answer>, Failure> {
    let scripts = (0..MANY).map(|number| (browser.clone(), script(number)));
    live.at_once(scripts).await
}
