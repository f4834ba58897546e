//! From a request's beginning to its end, and to what outlives it.

use fasthttpsession_core::{Error, Session, TransactError, Values};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::http::script::steps::{get, header, keep, login, set, take, wait};
use crate::http::script::{Said, Step, name_of};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, Live, Stage, json as bytes, said};
use crate::http::watched::Calls;
use crate::store::{Failure, Outcome, ensure};

/// What a handler wrote before it panicked is not committed.
pub async fn a_panic_commits_nothing<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.store.calls();
    if let Ok(answer) = ada.act(&[set("a", 2), login("ada"), Step::Panic]).await {
        ensure!(
            answer.status() >= 500,
            "a panic was answered with {}",
            answer.status()
        );
        answer.sets_no_cookie("after a panic")?;
    }
    let calls = live.store.calls();
    ensure!(
        calls.writes() == 0,
        "a handler that panicked cost {calls:?}"
    );
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a handler that panicked changed the session"
    );
    Ok(())
}

/// A client that goes away while the handler runs: what it wrote is not committed.
pub async fn a_request_that_is_cut_commits_nothing<A: Adapter>(stage: &Stage<A>) -> Outcome {
    if stage.keeps_handlers() {
        return Ok(());
    }
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.store.calls();
    let gate = live.gate("gate");
    let sent = ada
        .send("/act", &bytes(&[set("a", 2), Step::Logout, wait("gate")]))
        .await?;
    gate.arrived(1).await;
    drop(sent);
    gate.dropped().await?;
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a request that was cut changed the session"
    );
    let calls = live.store.calls();
    ensure!(calls.writes() == 0, "a request that was cut cost {calls:?}");
    Ok(())
}

/// A task that outlives such a handler is one of a finished request: it commits what it transacts, and nothing of what
/// the handler wrote.
pub async fn a_task_commits_nothing_of_a_request_that_was_cut<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    if stage.keeps_handlers() {
        return Ok(());
    }
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let gate = live.gate("gate");
    let script = [set("a", 10), keep("task"), wait("gate")];
    let sent = ada.send("/act", &bytes(&script)).await?;
    gate.arrived(1).await;
    let task = live.kept("task")?;
    drop(sent);
    gate.dropped().await?;
    // The request ends just after its handler.
    while !matches!(task.remove("b"), Err(Error::Finished)) {
        yield_now().await;
    }
    let seen = add_one(&task)
        .await
        .map_err(|error| Failure::new(format!("transact failed: {error}")))?;
    ensure!(seen == 2, "the task committed what was cut: {seen}");
    Ok(())
}

/// A 404 or a 500 of the handler's own is a response: what was written before it is committed.
pub async fn an_error_status_commits_like_any_other<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    for status in [302, 404, 500] {
        let answer = ada
            .act(&[set("a", status), Step::Status(status), header("x-own", "1")])
            .await?;
        ensure!(
            answer.status() == status && answer.head.all("x-own") == ["1"],
            "the answer is {}",
            answer.status()
        );
        ensure!(
            ada.does(&[get("a")]).await?[0] == status,
            "with status {status}, nothing was committed"
        );
    }
    Ok(())
}

/// A `GET` commits as a `POST` does, and so does a `HEAD`, whose response is a head alone.
pub async fn each_method_commits_like_any_other<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    for method in ["GET", "HEAD"] {
        makes_a_session(&live, method, 200).await?;
    }
    Ok(())
}

/// A 204 or a 304 has no body, and a head all the same.
pub async fn a_response_without_a_body_commits_like_any_other<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    for status in [204, 304] {
        makes_a_session(&live, "POST", status).await?;
    }
    Ok(())
}

/// When the head of a streamed response is there, so is its cookie, and the session in the store; what is written while
/// the body is made is refused, and says so.
pub async fn the_commit_comes_before_the_body<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let (ada, gate) = (live.browser(), live.gate("gate"));
    let tail = vec![
        wait("gate"),
        set("b", 2),
        Step::Rotate,
        get("a"),
        Step::IsAlive,
        take("a"),
    ];
    let mut sent = ada
        .send("/stream", &bytes(&[vec![set("a", 1)], tail]))
        .await?;
    let head = sent.head().await?;
    gate.arrived(1).await;
    ada.takes(&head);
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "the head left before the commit"
    );
    gate.open();
    let answer = Answer {
        body: sent.body(&head).await?,
        head,
    };
    let tail = answer.body.strip_prefix(b"begun\n").and_then(said);
    let finished = || Err("Finished".to_owned());
    let expected: [Said; 6] = [
        Ok(Value::Null),
        finished(),
        finished(),
        Ok(json!(1)),
        Ok(json!(true)),
        Ok(json!(1)),
    ];
    ensure!(
        tail.as_deref() == Some(&expected),
        "while the body was made, the session said {tail:?}"
    );
    let keys = &ada.does(&[Step::Keys]).await?[0];
    ensure!(*keys == json!([]), "after the body the keys are {keys}");
    Ok(())
}

/// A clone that outlives the request refuses every write, and answers reads from what it last saw.
pub async fn writes_after_the_end_are_refused<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1), keep("late")]).await?;
    let late = live.kept("late")?;
    live.store.calls();
    for (what, outcome) in [
        ("set", late.set("a", &2)),
        ("remove", late.remove("a")),
        ("clear", late.clear()),
        ("update", late.update("a", |count: &mut u64| *count += 1)),
        ("login", late.login("ada")),
        ("rotate", late.rotate()),
        ("logout", late.logout()),
        ("save", late.save().await.map(drop)),
    ] {
        let name = outcome
            .as_ref()
            .map_or_else(name_of, |()| "success".to_owned());
        ensure!(
            name == "Finished",
            "{what} after the end of the request answers {name}"
        );
    }
    ensure!(
        late.get::<u64>("a").is_ok_and(|a| a == Some(1)),
        "a read after the end does not answer"
    );
    ensure!(
        live.store.calls() == Calls::default(),
        "a write after the end reached the store"
    );
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a write after the end was committed"
    );
    Ok(())
}

/// A stream of events or a socket: a task can ask whether its session lives, and `transact`, until it is ended.
pub async fn a_long_task_can_ask_and_transact<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1), keep("socket")]).await?;
    let socket = live.kept("socket")?;
    ensure!(
        is_alive(&socket).await?,
        "a session that lives is said to be dead"
    );
    let seen = add_one(&socket)
        .await
        .map_err(|error| Failure::new(format!("transact failed: {error}")))?;
    ensure!(seen == 2, "transact left {seen}");
    ensure!(
        ada.does(&[get("a")]).await?[0] == 2,
        "what was transacted is not there"
    );
    ada.does(&[Step::Logout]).await?;
    ensure!(
        !is_alive(&socket).await?,
        "an ended session is said to be alive"
    );
    let refused = matches!(
        add_one(&socket).await,
        Err(TransactError::Session(Error::Ended))
    );
    ensure!(refused, "transact on an ended session is no `Ended`");
    Ok(())
}

/// A session that `save` made in the middle of the request is there at once, and its cookie comes with the response.
pub async fn what_was_saved_early_gets_its_cookie<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let (ada, gate) = (live.browser(), live.gate("gate"));
    let slow = ada
        .starts(&gate, &[set("a", 1), Step::Save, wait("gate"), set("b", 2)])
        .await?;
    ensure!(live.store.calls().create == 1, "nothing was saved");
    gate.open();
    let answer = slow.answer().await?;
    answer.values()?;
    answer.cookie()?;
    ensure!(
        ada.does(&[Step::Keys]).await?[0] == json!(["a", "b"]),
        "what came after `save` is not there"
    );
    Ok(())
}

/// That a visitor's first write is kept, and its cookie sent.
async fn makes_a_session(live: &Live, method: &str, status: u16) -> Outcome {
    let visitor = live.browser();
    let script = bytes(&[set("a", status), Step::Status(status)]);
    let answer = visitor.requests(method, "/act", &script).await?;
    ensure!(
        answer.status() == status,
        "a {method} that is to have status {status} is answered with {}",
        answer.status()
    );
    answer.cookie()?;
    ensure!(
        visitor.does(&[get("a")]).await?[0] == status,
        "of a {method} with status {status}, nothing was committed"
    );
    Ok(())
}

async fn is_alive(session: &Session) -> Result<bool, Failure> {
    session
        .is_alive()
        .await
        .map_err(|error| Failure::new(format!("is_alive failed: {error}")))
}

async fn add_one(session: &Session) -> Result<u64, TransactError<Error>> {
    let add = |values: &mut Values| {
        let count = values.get::<u64>("a")?.unwrap_or_default() + 1;
        values.set("a", &count)?;
        Ok(count)
    };
    session.transact(add).await
}
