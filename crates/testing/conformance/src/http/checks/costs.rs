//! What requests cost at the store.

use std::time::Duration;

use fasthttpsession_core::Store as _;

use crate::http::script::Step;
use crate::http::script::steps::{get, set};
use crate::http::site::Adapter;
use crate::http::stage::{COOKIE, Stage, handle_of};
use crate::http::watched::{Calls, Operation};
use crate::store::{Outcome, ensure};

const MINUTE: Duration = Duration::from_secs(60);

/// A visitor whose handlers only read, or write what comes to nothing, has no record, no cookie, and costs no call.
pub async fn nothing_is_kept_until_something_is_written<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let reading = vec![get("a"), Step::IsNew, Step::Keys, Step::Rotate, Step::Save];
    let to_nothing = vec![
        set("a", 1),
        Step::Remove("a".into()),
        Step::Clear,
        Step::Remember(30),
    ];
    for script in [reading, to_nothing] {
        let answer = live.browser().act(&script).await?;
        answer.values()?;
        answer.sets_no_cookie("when nothing was written")?;
        let calls = live.store.calls();
        ensure!(
            calls == Calls::default(),
            "a visitor who did {script:?} cost {calls:?}"
        );
    }
    Ok(())
}

/// Under the layer, but without asking for the session: no call, whatever token comes in.
pub async fn a_route_that_does_not_ask_costs_no_store_call<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.passes(30 * MINUTE);
    live.store.calls();
    for path in ["/plain", "/unlayered"] {
        let answer = ada.post(path, b"").await?;
        ensure!(
            answer.status() == 200 && answer.body == b"plain",
            "{path} answers {}",
            answer.status()
        );
        answer.sets_no_cookie("without asking for the session")?;
    }
    let calls = live.store.calls();
    ensure!(
        calls == Calls::default(),
        "routes that do not ask cost {calls:?}"
    );
    Ok(())
}

/// Anonymous logouts and tokens that open nothing leave no record behind (CVE-2015-5143, CVE-2015-5963).
pub async fn logouts_and_unknown_tokens_add_no_record<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    ada.does(&[Step::Logout]).await?;
    live.store.calls();
    live.browser_with(&token)
        .does(&[get("a"), Step::Rotate])
        .await?;
    live.browser_with(&token).does(&[Step::Logout]).await?;
    live.browser().does(&[set("a", 1), Step::Logout]).await?;
    let calls = live.store.calls();
    ensure!(calls.create + calls.replace == 0, "they cost {calls:?}");
    Ok(())
}

/// A request that reads is one load and no write, however often it reads.
pub async fn reading_is_one_load<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.store.calls();
    ada.does(&[get("a"), Step::Keys, get("b"), Step::Handle])
        .await?;
    let calls = live.store.calls();
    ensure!(
        calls
            == Calls {
                load: 1,
                ..Calls::default()
            },
        "reading cost {calls:?}"
    );
    Ok(())
}

/// A request that reads and writes is one load and one replacement, however much it writes.
pub async fn writing_is_one_load_and_one_swap<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.store.calls();
    ada.does(&[
        get("a"),
        set("a", 2),
        set("b", 3),
        Step::Rotate,
        Step::Remove("c".into()),
    ])
    .await?;
    let calls = live.store.calls();
    ensure!(
        calls
            == Calls {
                load: 1,
                replace: 1,
                ..Calls::default()
            },
        "reading and writing cost {calls:?}"
    );
    Ok(())
}

/// A visitor's first write is one creation.
pub async fn a_first_write_is_one_creation<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    live.browser().does(&[set("a", 1), set("b", 2)]).await?;
    let calls = live.store.calls();
    ensure!(
        calls
            == Calls {
                create: 1,
                ..Calls::default()
            },
        "a first write cost {calls:?}"
    );
    Ok(())
}

/// A request that only reads extends the session once 5 % of the idle time have passed, by one touch, and not before.
pub async fn a_touch_is_sent_once_in_a_while<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let mut touches = Vec::new();
    // Of an hour, 5 % are three minutes.
    for pause in [2, 2, 0, 2, 2] {
        live.passes(pause * MINUTE);
        live.store.calls();
        ada.does(&[get("a")]).await?;
        let calls = live.store.calls();
        ensure!(
            calls.writes() == calls.touch,
            "a request that only read cost {calls:?}"
        );
        touches.push(calls.touch);
    }
    ensure!(
        touches == [0, 1, 0, 0, 1],
        "two minutes apart, requests touched {touches:?} times"
    );
    let writing = ada.does(&[set("a", 2)]).await;
    ensure!(
        writing.is_ok() && live.store.calls().touch == 0,
        "a write was followed by a touch"
    );
    Ok(())
}

/// A touch that fails is the store's problem alone: the response goes out, without a cookie.
pub async fn a_failed_touch_does_not_fail_the_response<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.passes(30 * MINUTE);
    live.store.calls();
    live.store.breaks(Operation::Touch);
    let answer = ada.act(&[get("a")]).await?;
    ensure!(live.store.calls().touch > 0, "no touch was tried");
    ensure!(answer.values()?[0] == 1, "the response is another one");
    answer.sets_no_cookie("after a failed touch")?;
    live.store.heals();
    let handle = handle_of(&ada.token()?)?;
    let record = live.store.inner().load(handle, live.now()).await?;
    ensure!(record.is_some(), "the session that {COOKIE} opens is gone");
    Ok(())
}
