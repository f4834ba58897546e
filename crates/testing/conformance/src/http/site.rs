//! What an adapter serves: the routes of the suite, whose handlers are all here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use fasthttpsession_core::{Error, Session, Sessions};
use futures_util::stream::{self, Stream};

use super::gates::{Gate, Gates};
use super::script::{self, Reply, Step};

/// Serves the suite's routes by one framework. Needs no state.
///
/// | `POST` to | under | the handler answers |
/// | --- | --- | --- |
/// | `/act`, also by `GET` and `HEAD` | the users' sessions | [`Site::act`] with the session and the request's body |
/// | `/fails` | the users' sessions | [`Site::act_or_fail`] with both; its error is passed on in the way of the framework |
/// | `/stream` | the users' sessions | status 200 and [`Site::stream`] with both as its body |
/// | `/plain` | the users' sessions | [`Site::plain`], without asking for the session |
/// | `/unlayered` | nothing | [`Site::plain`] |
/// | `/two` | the users' and the admins' sessions | [`Site::act_on_two`] with both sessions |
/// | `/twice` | the users' sessions, applied twice | [`Site::act`] |
///
/// Errors are answered as they are by default.
pub trait Adapter: Send + Sync + 'static {
    /// Serves `site` on a free port of 127.0.0.1 until the [`Served`] is dropped.
    fn serve(&self, site: Site) -> impl Future<Output = Served> + Send;

    /// Why a handler runs to its end although its client went, if this framework has it so: then it commits, as of any
    /// request. The checks of requests that are cut print it and look no further. By default handlers are dropped.
    fn keeps_handlers(&self) -> Option<&'static str> {
        None
    }
}

/// A server that runs.
pub struct Served {
    address: SocketAddr,
    stop: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Served {
    /// It listens at `address`; `stop` ends it.
    pub fn new(address: SocketAddr, stop: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self {
            address,
            stop: Some(Box::new(stop)),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// The sessions that an adapter mounts, and what its handlers do. Clones share it.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    users: Sessions,
    admins: Sessions,
    gates: Gates,
    kept: Mutex<HashMap<String, Session>>,
}

impl Site {
    pub(crate) fn new(users: Sessions, admins: Sessions) -> Self {
        Self(Arc::new(Inner {
            users,
            admins,
            gates: Gates::default(),
            kept: Mutex::default(),
        }))
    }

    /// The sessions of users.
    pub fn users(&self) -> &Sessions {
        &self.0.users
    }

    /// The sessions of admins, with a cookie of their own.
    pub fn admins(&self) -> &Sessions {
        &self.0.admins
    }

    /// What a handler does that has the users' session.
    pub async fn act(&self, session: &Session, body: &[u8]) -> Reply {
        match serde_json::from_slice::<Vec<Step>>(body) {
            Ok(script) => script::perform(self, session, &script).await,
            Err(error) => not_a_script(&error),
        }
    }

    /// What a handler does that has the users' session, and fails as soon as that does.
    ///
    /// # Errors
    ///
    /// For the handler to pass on, so that nothing more is committed.
    pub async fn act_or_fail(&self, session: &Session, body: &[u8]) -> Result<Reply, Error> {
        match serde_json::from_slice::<Vec<Step>>(body) {
            Ok(script) => script::attempt(self, session, &script).await,
            Err(error) => Ok(not_a_script(&error)),
        }
    }

    /// What a handler does that has both sessions.
    pub async fn act_on_two(&self, user: &Session, admin: &Session, body: &[u8]) -> Reply {
        let [for_user, for_admin] = match serde_json::from_slice::<[Vec<Step>; 2]>(body) {
            Ok(scripts) => scripts,
            Err(error) => return not_a_script(&error),
        };
        script::perform(self, user, &for_user).await;
        script::perform(self, admin, &for_admin).await
    }

    /// What a handler does that has no session.
    pub fn plain(&self) -> Reply {
        Reply::text("plain")
    }

    /// What a handler does that streams its body: one script before the head, and one after the body has begun. The
    /// body is a line that says so, and then what the second script said.
    pub async fn stream(
        &self,
        session: &Session,
        body: &[u8],
    ) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
        let [head, tail]: [Vec<Step>; 2] = serde_json::from_slice(body).unwrap_or_default();
        script::perform(self, session, &head).await;
        let (site, session) = (self.clone(), session.clone());
        stream::unfold(Some(false), move |begun| {
            let (site, session, tail) = (site.clone(), session.clone(), tail.clone());
            async move {
                if begun? {
                    let reply = script::perform(&site, &session, &tail).await;
                    return Some((Ok(reply.body), None));
                }
                Some((Ok(Bytes::from_static(b"begun\n")), Some(true)))
            }
        })
    }

    pub(crate) fn gate(&self, name: &str) -> Arc<Gate> {
        self.0.gates.get(name)
    }

    pub(crate) fn keep(&self, name: &str, session: Session) {
        self.kept_sessions().insert(name.to_owned(), session);
    }

    pub(crate) fn kept(&self, name: &str) -> Option<Session> {
        self.kept_sessions().get(name).cloned()
    }

    fn kept_sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_a_script(error: &serde_json::Error) -> Reply {
    Reply {
        status: 400,
        ..Reply::text(format!("the body is not a script: {error}"))
    }
}
