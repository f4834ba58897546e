//! Both clocks, moved by hand.

use std::time::Duration;

use crate::http::script::Step;
use crate::http::script::steps::{get, login, set};
use crate::http::site::Adapter;
use crate::http::stage::{Browser, Live, Stage};
use crate::store::{Outcome, ensure};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MOMENT: Duration = Duration::from_millis(1);

/// At the end of an hour without a request, to the millisecond: ASVS 7.3.1, 63B AAL2.
pub async fn an_idle_session_ends<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let (ada, bob) = (live.browser(), live.browser());
    ada.does(&[set("a", 1)]).await?;
    bob.does(&[set("a", 1)]).await?;
    live.passes(before(HOUR));
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a session ended before its idle deadline"
    );
    live.passes(MOMENT);
    ensure!(
        bob.does(&[Step::IsNew]).await?[0] == true,
        "a session outlived its idle deadline"
    );
    Ok(())
}

/// A session that is read, and nothing else, stays.
pub async fn use_extends_the_idle_deadline<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    stays_active(&live, &ada, 5 * HOUR).await?;
    live.passes(HOUR);
    ensure!(
        ada.does(&[Step::IsNew]).await?[0] == true,
        "an idle session outlived its deadline"
    );
    Ok(())
}

/// After 24 hours whatever the activity: ASVS 7.3.2, 63B AAL2.
pub async fn an_absolute_deadline_ends_whoever_is_active<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    stays_active(&live, &ada, 23 * HOUR + 30 * MINUTE).await?;
    ends_within(&live, &ada, 30 * MINUTE).await
}

/// A session whose owner proved himself again lives as long as a new one: 63B, section 5.2.
pub async fn reauthentication_resets_both_clocks<A: Adapter>(stage: &Stage<A>) -> Outcome {
    resets_both_clocks(stage, Step::Reauthenticated).await
}

/// So does one that somebody signed in to.
pub async fn a_sign_in_resets_both_clocks<A: Adapter>(stage: &Stage<A>) -> Outcome {
    resets_both_clocks(stage, login("ada")).await
}

async fn resets_both_clocks<A: Adapter>(stage: &Stage<A>, step: Step) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    stays_active(&live, &ada, 23 * HOUR).await?;
    live.passes(before(HOUR));
    ada.does(&[step]).await?;
    live.passes(before(HOUR));
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the idle deadline was not reset"
    );
    stays_active(&live, &ada, 22 * HOUR + 30 * MINUTE).await?;
    ends_within(&live, &ada, 30 * MINUTE + MOMENT).await
}

fn before(span: Duration) -> Duration {
    span.saturating_sub(MOMENT)
}

/// Reads every half an hour for as long as `span`.
async fn stays_active(live: &Live, browser: &Browser, span: Duration) -> Outcome {
    let mut passed = Duration::ZERO;
    while passed < span {
        live.passes(30 * MINUTE);
        passed += 30 * MINUTE;
        let value = &browser.does(&[get("a")]).await?[0];
        ensure!(*value == 1, "an active session ended after {passed:?}");
    }
    Ok(())
}

/// That an active session ends in `span`, and not before.
async fn ends_within(live: &Live, browser: &Browser, span: Duration) -> Outcome {
    live.passes(before(span));
    ensure!(
        browser.does(&[get("a")]).await?[0] == 1,
        "a session ended before its absolute deadline"
    );
    live.passes(MOMENT);
    ensure!(
        browser.does(&[Step::IsNew]).await?[0] == true,
        "a session outlived its absolute deadline"
    );
    Ok(())
}
