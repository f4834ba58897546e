//! Where a check takes place: a served site, browsers that visit it, and a clock that the check moves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fasthttpsession_core::{
    AnyStore, Clock, Cookie, Handle, ManualClock, Session, Sessions, SessionsBuilder, Timestamp,
};
use serde_json::Value;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::gates::Gate;
use super::jar::{Jar, SetCookie};
use super::script::{Said, Step};
use super::site::{Adapter, Served, Site};
use super::watched::Watched;
use super::wire::{Connection, Head, Request};
use crate::store::{Failure, ensure};

/// The name of the cookie that users have by default.
pub(crate) const COOKIE: &str = "__Host-id";

/// An adapter and a store, which a check may put to use in more than one way.
pub struct Stage<A> {
    adapter: A,
    store: AnyStore,
}

impl<A: Adapter> Stage<A> {
    pub(crate) fn new(adapter: A, store: AnyStore) -> Self {
        Self { adapter, store }
    }

    /// Whether the adapter says that handlers outlive their clients. Says in the output why.
    pub(crate) fn keeps_handlers(&self) -> bool {
        let why = self.adapter.keeps_handlers();
        if let Some(why) = why {
            println!("the adapter keeps the handlers of clients that went, it says: {why}");
        }
        why.is_some()
    }

    /// A site with all defaults but the clock.
    pub(crate) async fn start(&self) -> Live {
        self.start_with(|builder| builder).await
    }

    /// A site whose users' sessions have settings of their own.
    pub(crate) async fn start_with(
        &self,
        settings: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Live {
        let clock = ManualClock::starting_now();
        let store = Watched::new(self.store.clone());
        let users = settings(Sessions::builder(store.clone()).clock(clock.clone()));
        let admins = Sessions::builder(store.clone())
            .clock(clock.clone())
            .cookie(Cookie::new("admin"));
        let site = Site::new(built(users), built(admins));
        let served = self.adapter.serve(site.clone()).await;
        Live {
            served,
            site,
            store,
            clock,
        }
    }
}

fn built(builder: SessionsBuilder) -> Sessions {
    builder.build().expect("the suite's settings are possible")
}

/// A site that is served.
pub(crate) struct Live {
    served: Served,
    pub(crate) site: Site,
    pub(crate) store: Watched,
    clock: ManualClock,
}

impl Live {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn passes(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub(crate) fn gate(&self, name: &str) -> Arc<Gate> {
        self.site.gate(name)
    }

    /// The session that a script kept.
    pub(crate) fn kept(&self, name: &str) -> Result<Session, Failure> {
        self.site
            .kept(name)
            .ok_or_else(|| Failure::new(format!("no handler kept a session as {name:?}")))
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            address: self.served.address(),
            clock: self.clock.clone(),
            jar: Arc::default(),
        }
    }

    /// A browser whose session cookie has this value.
    pub(crate) fn browser_with(&self, token: &str) -> Browser {
        let browser = self.browser();
        browser.jar().take(
            SetCookie::parse(&format!("{COOKIE}={token}; Secure; Path=/")),
            self.now(),
        );
        browser
    }

    /// Whether a token opens a session.
    pub(crate) async fn opens(&self, token: &str) -> Result<bool, Failure> {
        let said = self.browser_with(token).does(&[Step::IsNew]).await?;
        Ok(said[0] == false)
    }

    /// Posts a script with exactly these headers.
    pub(crate) async fn raw(
        &self,
        headers: &[(&str, &str)],
        script: &[Step],
    ) -> Result<Answer, Failure> {
        self.raw_at("/act", headers, script).await
    }

    /// The same, to a path of its own: `/act` with a query.
    pub(crate) async fn raw_at(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        script: &[Step],
    ) -> Result<Answer, Failure> {
        let body = json(script);
        let request = Request {
            method: "POST",
            path,
            headers,
            body: &body,
        };
        let mut connection = self.connection().await?;
        connection.send(&request).await?;
        Answer::read(&mut connection).await
    }

    /// A connection to the server, for whoever visits it.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        Connection::open(self.served.address()).await
    }

    /// Has each of these browsers run its script, none of which passes the gate "start" before all have come to it. What
    /// they answered, in the same order. A script that ends before that, or fails in a step, is a failure.
    pub(crate) async fn at_once(
        &self,
        scripts: impl IntoIterator<Item = (Browser, Vec<Step>)>,
    ) -> Result<Vec<Answer>, Failure> {
        let mut requests = JoinSet::new();
        for (number, (browser, script)) in scripts.into_iter().enumerate() {
            requests.spawn(async move { Ok((number, browser.act(&script).await?)) });
        }
        let (gate, all) = (self.gate("start"), requests.len());
        tokio::select! {
            () = gate.arrived(u32::try_from(all).expect("they are few")) => gate.open(),
            Some(ended) = requests.join_next() => return Err(never_came(&result_of(ended)?.1)),
        }
        let mut answers = BTreeMap::new();
        while let Some(ended) = requests.join_next().await {
            let (number, answer) = result_of(ended)?;
            answer.values()?;
            answers.insert(number, answer);
        }
        Ok(answers.into_values().collect())
    }
}

/// Whoever visits the site. Clones share their cookies, like the tabs of a browser.
#[derive(Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    clock: ManualClock,
    jar: Arc<Mutex<Jar>>,
}

impl Browser {
    /// Has `/act` run a script that must succeed as a whole; what each step said.
    pub(crate) async fn does(&self, script: &[Step]) -> Result<Vec<Value>, Failure> {
        self.act(script).await?.values()
    }

    /// Has `/act` run a script, and takes the cookies of the answer.
    pub(crate) async fn act(&self, script: &[Step]) -> Result<Answer, Failure> {
        self.post("/act", &json(script)).await
    }

    /// Posts a body, and takes the cookies of the answer.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.requests("POST", path, body).await
    }

    /// Makes a request, and takes the cookies of the answer.
    pub(crate) async fn requests(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let mut connection = Connection::open(self.address).await?;
        self.requests_on(&mut connection, method, path, body).await
    }

    /// Makes a request on a connection that others use as well, and takes the cookies of the answer.
    pub(crate) async fn requests_on(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        self.send_on(connection, method, path, body).await?;
        let answer = Answer::read(connection).await?;
        self.takes(&answer.head);
        Ok(answer)
    }

    /// Has `/act` run a script, with an answer that this browser never gets.
    pub(crate) async fn act_and_lose(&self, script: &[Step]) -> Result<Answer, Failure> {
        Answer::read(&mut self.send("/act", &json(script)).await?).await
    }

    /// Posts a body and leaves the answer for later.
    pub(crate) async fn send(&self, path: &str, body: &[u8]) -> Result<Connection, Failure> {
        let mut connection = Connection::open(self.address).await?;
        self.send_on(&mut connection, "POST", path, body).await?;
        Ok(connection)
    }

    async fn send_on(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(), Failure> {
        let cookies = self.jar().header(self.clock.now());
        let headers: Vec<_> = cookies
            .iter()
            .map(|cookies| ("cookie", cookies.as_str()))
            .collect();
        let request = Request {
            method,
            path,
            headers: &headers,
            body,
        };
        connection.send(&request).await
    }

    /// Has `/act` run a script that waits at `gate`, and goes on as soon as it waits there. A script that ends before it
    /// comes there is a failure.
    pub(crate) async fn starts(&self, gate: &Gate, script: &[Step]) -> Result<Slow, Failure> {
        let (browser, script) = (self.clone(), script.to_vec());
        let mut slow = tokio::spawn(async move { browser.act(&script).await });
        tokio::select! {
            () = gate.arrived(1) => Ok(Slow(slow)),
            ended = &mut slow => Err(never_came(&result_of(ended)?)),
        }
    }

    /// The token in the session's cookie.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let token = self.cookie(COOKIE);
        token
            .ok_or_else(|| Failure::new("the browser has no session cookie where it must have one"))
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.jar().value(name, self.clock.now())
    }

    /// Takes the cookies of a response.
    pub(crate) fn takes(&self, head: &Head) {
        let now = self.clock.now();
        for header in head.all("set-cookie") {
            self.jar().take(SetCookie::parse(header), now);
        }
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose handler waits at a gate.
pub(crate) struct Slow(JoinHandle<Result<Answer, Failure>>);

impl Slow {
    /// The answer, once the gate is open.
    pub(crate) async fn answer(self) -> Result<Answer, Failure> {
        result_of(self.0.await)
    }
}

/// What became of a request that ran in a task of its own.
fn result_of<T>(ended: Result<Result<T, Failure>, JoinError>) -> Result<T, Failure> {
    ended.map_err(|error| Failure::new(format!("a request ended early: {error}")))?
}

/// Why a check fails whose request was to wait at a gate.
fn never_came(answer: &Answer) -> Failure {
    let (status, body) = (answer.status(), String::from_utf8_lossy(&answer.body));
    Failure::new(format!(
        "a request ended before it came to its gate: {status} with {body:?}"
    ))
}

/// A response as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    async fn read(connection: &mut Connection) -> Result<Self, Failure> {
        let head = connection.head().await?;
        let body = connection.body(&head).await?;
        Ok(Self { head, body })
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// What each step said, errors among it.
    pub(crate) fn said(&self) -> Result<Vec<Said>, Failure> {
        said(&self.body).ok_or_else(|| {
            let body = String::from_utf8_lossy(&self.body);
            Failure::new(format!(
                "the answer is {} with {body:?}, which no script says",
                self.status()
            ))
        })
    }

    /// What each step said, none of which may have failed.
    pub(crate) fn values(&self) -> Result<Vec<Value>, Failure> {
        let said = self.said()?;
        ensure!(
            self.status() == 200,
            "the answer has status {} in place of 200",
            self.status()
        );
        said.into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new(format!("a step of the handler failed with {error}")))
    }

    /// Every cookie that the response sets.
    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        self.head
            .all("set-cookie")
            .into_iter()
            .map(SetCookie::parse)
            .collect()
    }

    /// The only cookie that the response sets.
    pub(crate) fn cookie(&self) -> Result<SetCookie, Failure> {
        let mut cookies = self.cookies();
        ensure!(
            cookies.len() == 1,
            "the response sets {} cookies in place of one",
            cookies.len()
        );
        Ok(cookies.remove(0))
    }

    /// That the response says nothing about cookies.
    pub(crate) fn sets_no_cookie(&self, when: &str) -> Result<(), Failure> {
        let cookies = self.head.all("set-cookie");
        ensure!(
            cookies.is_empty(),
            "{when}, the response sets {} cookies",
            cookies.len()
        );
        Ok(())
    }
}

/// What a body says of a script's steps.
pub(crate) fn said(body: &[u8]) -> Option<Vec<Said>> {
    serde_json::from_slice(body).ok()
}

/// The handle and the secret of a token.
pub(crate) fn halves(token: &str) -> Result<(&str, &str), Failure> {
    token
        .split_once('.')
        .ok_or_else(|| Failure::new("a token has no dot"))
}

/// The handle of a token.
pub(crate) fn handle_of(token: &str) -> Result<Handle, Failure> {
    halves(token)?
        .0
        .parse()
        .map_err(|_| Failure::new("a token does not begin with a handle"))
}

pub(crate) fn json(script: &(impl serde::Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(script).expect("scripts are JSON")
}
