//! What a handler is told to do: a list of steps that travels in the request's body, and what came of each.

use bytes::Bytes;
use fasthttpsession_core::{Error, Lifetimes, Session, TransactError, Values};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::site::Site;

/// One step of a handler. Values are JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    Get(String),
    Set(String, Value),
    Remove(String),
    Clear,
    Keys,
    /// `update` that adds one.
    Increment(String),
    /// `update` that adds one and refuses to when it would find this number.
    IncrementUnless(String, u64),
    /// `transact` that takes the value out.
    Take(String),
    Login(String),
    Logout,
    Rotate,
    Reauthenticated,
    /// Lifetimes of so many days.
    Remember(u16),
    Save,
    IsNew,
    IsAlive,
    Handle,
    Principal,
    /// What `Debug` shows of the session.
    Debug,
    /// Keeps a clone of the session for the test, under this name.
    Keep(String),
    /// Waits at the gate of this name.
    Wait(String),
    /// Sets the response's status.
    Status(u16),
    /// Adds a header to the response.
    Header(String, String),
    Panic,
}

/// What an `update` says that refuses, to look for in what clients get.
pub(crate) const REFUSAL: &str = "there is no seat left";

/// What came of a step: a value, or the name of the error.
pub(crate) type Said = Result<Value, String>;

/// What a handler answers. An adapter turns it into a response of its framework, header for header.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers in their order; a name may come twice.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    pub(crate) fn text(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// Runs a script on a session. Goes on after a step that failed.
pub(crate) async fn perform(site: &Site, session: &Session, script: &[Step]) -> Reply {
    let mut reply = Reply::text("");
    let mut said: Vec<Said> = Vec::new();
    for step in script {
        match step {
            Step::Status(status) => reply.status = *status,
            Step::Header(name, value) => reply.headers.push((name.clone(), value.clone())),
            _ => {
                let taken = take_step(site, session, step).await;
                said.push(taken.map_err(|error| name_of(&error)));
            }
        }
    }
    if !matches!(reply.status, 204 | 304) {
        reply.body = serde_json::to_vec(&said).expect("values are JSON").into();
    }
    reply
}

/// Runs a script without statuses and headers up to the first step that fails, and fails as that does.
pub(crate) async fn attempt(
    site: &Site,
    session: &Session,
    script: &[Step],
) -> Result<Reply, Error> {
    for step in script {
        take_step(site, session, step).await?;
    }
    Ok(Reply::text("no step failed"))
}

async fn take_step(site: &Site, session: &Session, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Take(_) | Step::Save | Step::IsAlive => at_the_store(session, step).await,
        Step::Wait(gate) => {
            site.gate(gate).wait().await;
            Ok(Value::Null)
        }
        Step::Keep(name) => {
            site.keep(name, session.clone());
            Ok(Value::Null)
        }
        Step::Panic => panic!("the script told this handler to panic"),
        _ => in_hand(session, step),
    }
}

async fn at_the_store(session: &Session, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Take(key) => take(session, key).await,
        Step::IsAlive => session.is_alive().await.map(Value::from),
        _ => session
            .save()
            .await
            .map(|outcome| json!(format!("{outcome:?}"))),
    }
}

async fn take(session: &Session, key: &str) -> Result<Value, Error> {
    let take = |values: &mut Values| values.take::<Value>(key).map(Option::unwrap_or_default);
    session.transact(take).await.map_err(|failed| match failed {
        TransactError::Aborted(error) | TransactError::Session(error) => error,
    })
}

fn in_hand(session: &Session, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Get(key) => return Ok(session.get(key)?.unwrap_or_default()),
        Step::Keys => return Ok(json!(session.keys())),
        Step::IsNew => return Ok(json!(session.is_new())),
        Step::Handle => return Ok(json!(session.handle().map(|handle| handle.to_string()))),
        Step::Principal => return Ok(json!(session.principal().map(|who| who.to_string()))),
        Step::Debug => return Ok(json!(format!("{session:?}"))),
        Step::Set(key, value) => session.set(key, value),
        Step::Remove(key) => session.remove(key),
        Step::Clear => session.clear(),
        Step::Increment(key) => session.update(key, |count: &mut u64| *count += 1),
        Step::IncrementUnless(key, refused) => increment_unless(session, key, *refused),
        Step::Login(principal) => session.login(principal),
        Step::Logout => session.logout(),
        Step::Rotate => session.rotate(),
        Step::Reauthenticated => session.reauthenticated(),
        Step::Remember(days) => session.set_lifetimes(Lifetimes::remember(*days)),
        _ => unreachable!("{step:?} is taken elsewhere"),
    }?;
    Ok(Value::Null)
}

fn increment_unless(session: &Session, key: &str, refused: u64) -> Result<(), Error> {
    session.update(key, move |count: &mut u64| {
        if *count == refused {
            return Err(REFUSAL);
        }
        *count += 1;
        Ok(())
    })
}

/// The variant's name: what `Debug` begins with.
pub(crate) fn name_of(error: &Error) -> String {
    format!("{error:?}")
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

/// Steps as checks write them.
pub(crate) mod steps {
    use super::{Step, Value};

    pub(crate) fn get(key: &str) -> Step {
        Step::Get(key.to_owned())
    }

    pub(crate) fn set(key: &str, value: impl Into<Value>) -> Step {
        Step::Set(key.to_owned(), value.into())
    }

    pub(crate) fn increment(key: &str) -> Step {
        Step::Increment(key.to_owned())
    }

    pub(crate) fn take(key: &str) -> Step {
        Step::Take(key.to_owned())
    }

    pub(crate) fn login(principal: &str) -> Step {
        Step::Login(principal.to_owned())
    }

    pub(crate) fn wait(gate: &str) -> Step {
        Step::Wait(gate.to_owned())
    }

    pub(crate) fn keep(name: &str) -> Step {
        Step::Keep(name.to_owned())
    }

    pub(crate) fn header(name: &str, value: &str) -> Step {
        Step::Header(name.to_owned(), value.to_owned())
    }
}
