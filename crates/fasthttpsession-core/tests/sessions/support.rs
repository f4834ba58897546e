//! A small world for tests: a clock that stands still, a store that misbehaves when told, and browsers.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use fasthttpsession_core::{
    Clock, Error, Exchange, Handle, HeaderEdit, ManualClock, Record, Session, Sessions,
    SessionsBuilder, Timestamp,
};
use tokio::task::yield_now;

use crate::faulty::Faulty;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A clock and a store; each [`Sessions`] over them plays a process.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Faulty,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            clock: ManualClock::at(Timestamp::from_millis(1_800_000_000_000)),
            store: Faulty::new(),
        }
    }

    pub(crate) fn builder(&self) -> SessionsBuilder {
        Sessions::builder(self.store.clone()).clock(self.clock.clone())
    }

    pub(crate) fn sessions(&self) -> Sessions {
        self.builder().build().unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The record behind `client`'s cookie.
    pub(crate) async fn record(&self, client: &Client) -> Option<Record> {
        self.store.record(client.handle(), self.now()).await
    }

    pub(crate) async fn records(&self) -> u64 {
        self.store.records(self.now()).await
    }
}

/// A browser: keeps the cookies that it is sent, and sends them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    cookies: BTreeMap<String, String>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A browser whose only cookie is a session's default one, of this value.
    pub(crate) fn with_token(token: &str) -> Self {
        let cookies = [("__Host-id".to_owned(), token.to_owned())].into();
        Self { cookies }
    }

    /// A browser that has just signed in.
    pub(crate) async fn signed_in(sessions: &Sessions, principal: &str) -> Self {
        let mut client = Self::new();
        client.visit(sessions, |s| s.login(principal)).await;
        client
    }

    /// A browser with a session in which `key` is `value`.
    pub(crate) async fn with(sessions: &Sessions, key: &str, value: u64) -> Self {
        let mut client = Self::new();
        client.visit(sessions, |s| s.set(key, &value)).await;
        client
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.cookies.values().next().cloned()
    }

    pub(crate) fn handle(&self) -> Handle {
        let token = self.token().expect("the browser has a cookie");
        token.split('.').next().unwrap().parse().unwrap()
    }

    pub(crate) fn begin(&self, sessions: &Sessions) -> Exchange {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        sessions.begin([("cookie", pairs.join("; "))], None)
    }

    pub(crate) async fn request(&self, sessions: &Sessions) -> Request {
        let exchange = self.begin(sessions);
        let session = exchange.session().await.unwrap();
        Request { exchange, session }
    }

    /// A whole request, whose response arrives.
    pub(crate) async fn visit<R>(
        &mut self,
        sessions: &Sessions,
        act: impl FnOnce(&Session) -> Result<R, Error>,
    ) -> R {
        let request = self.request(sessions).await;
        let result = act(&request).unwrap();
        self.receive(&request.finish().await.unwrap());
        result
    }

    pub(crate) async fn get(&self, sessions: &Sessions, key: &str) -> Option<u64> {
        self.request(sessions).await.get(key).unwrap()
    }

    /// Whether the cookie opens a session. Writes nothing.
    pub(crate) async fn is_known(&self, sessions: &Sessions) -> bool {
        !self.request(sessions).await.is_new()
    }

    pub(crate) fn receive(&mut self, response: &Response) {
        for edit in &response.0 {
            if let HeaderEdit::SetCookie { name, value } = edit {
                let (set, attributes) = value.split_once(';').unwrap();
                let (named, value) = set.split_once('=').unwrap();
                assert_eq!(named, name);
                if attributes.contains("Max-Age=0") {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.clone(), value.to_owned());
                }
            }
        }
    }
}

/// Whether `token` opens a session.
pub(crate) async fn opens(sessions: &Sessions, token: &str) -> bool {
    Client::with_token(token).is_known(sessions).await
}

/// A request whose session was asked for.
pub(crate) struct Request {
    pub(crate) exchange: Exchange,
    pub(crate) session: Session,
}

impl Deref for Request {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Request {
    pub(crate) async fn finish(&self) -> Result<Response, Error> {
        self.exchange.finish().await.map(Response)
    }

    /// Finishes and hands out what the browser got.
    pub(crate) async fn respond(&self) -> Response {
        self.finish().await.unwrap()
    }
}

/// What a response says about headers.
pub(crate) struct Response(pub(crate) Vec<HeaderEdit>);

impl Response {
    /// The value of its `Set-Cookie`; at most one, or the test fails.
    pub(crate) fn cookie(&self) -> Option<&str> {
        let mut cookies = self.0.iter().filter_map(|edit| match edit {
            HeaderEdit::SetCookie { value, .. } => Some(value.as_str()),
            _ => None,
        });
        let first = cookies.next();
        assert_eq!(cookies.next(), None, "one Set-Cookie per name");
        first
    }

    /// The token that it gives to the browser.
    pub(crate) fn token(&self) -> Option<String> {
        let value = self.cookie()?.split(';').next()?.split_once('=')?.1;
        (!value.is_empty()).then(|| value.to_owned())
    }

    pub(crate) fn removes_cookie(&self) -> bool {
        self.cookie()
            .is_some_and(|cookie| cookie.contains("Max-Age=0"))
    }

    /// The cookie's `Max-Age` in seconds.
    pub(crate) fn max_age(&self) -> Option<u64> {
        let attributes = self.cookie()?.split("; ");
        let mut ages = attributes.filter_map(|attribute| attribute.strip_prefix("Max-Age="));
        ages.next().map(|age| age.parse().unwrap())
    }
}

/// Lets every other task of a current-thread runtime run until it waits.
pub(crate) async fn settle() {
    for _ in 0..512 {
        yield_now().await;
    }
}

/// Awaits `handles`, all of which must end well.
pub(crate) async fn join<T>(handles: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(handles.len());
    for handle in handles {
        results.push(handle.await.unwrap());
    }
    results
}

/// `valid` with a few bytes changed, cut, doubled or made up; now and then something else altogether.
pub(crate) fn mutate(valid: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..=bytes.len());
        match random.u8(0..7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.u8(..)),
            2 if at < bytes.len() => bytes[at] = random.u8(..),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            4 => {
                let slice = bytes[at..].to_vec();
                bytes.extend(slice);
            }
            5 => {
                let end = random.usize(at..=bytes.len());
                // The largest length there is, or one that is none.
                let last = if random.bool() { 0x01 } else { 0xff };
                bytes.splice(at..end, [0xff; 9].into_iter().chain([last]));
            }
            _ if random.u8(0..8) == 0 => {
                bytes = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
            }
            _ => {}
        }
    }
    bytes
}
