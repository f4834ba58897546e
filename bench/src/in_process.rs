//! The CPU of one request without a socket: the router is called as a service. What HTTP costs, and its noise, are left
//! out, and so is every store but memory: what waits for a disk or a server has other threads work for it.

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri};
use contestants::{Contestant, Scenario, Store};
use cpu_time::ThreadTime;
use tower::Service as _;

use crate::http::cookie;
use crate::router::router;
use crate::samples::{Row, Samples};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How often each router has its turn.
    pub rounds: usize,
    /// Requests a turn.
    pub requests: u32,
    /// Sessions in each store.
    pub sessions: usize,
    /// What sessions are like.
    pub size: Size,
}

/// What sessions are like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Ten values of 100 bytes and a counter.
    Usual,
    /// A user and a counter.
    Small,
}

impl Size {
    /// What is asked for one after another, so that there is such a session.
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &["/seed"],
            Self::Small => &["/sign-in", "/add"],
        }
    }

    /// What small ones have routes for.
    fn is_asked_for(self, scenario: Scenario) -> bool {
        self == Self::Usual || matches!(scenario, Scenario::Plain | Scenario::Write)
    }

    /// Whose routers are called: those that can make such a session.
    pub fn contestants(self) -> Vec<Contestant> {
        let can = |who: &Contestant| self == Self::Usual || who.library.serves(Scenario::SignIn);
        contestants().into_iter().filter(can).collect()
    }
}

/// A router, and sessions to ask it for.
pub struct Subject {
    contestant: Contestant,
    router: Router,
    cookies: Vec<HeaderValue>,
    /// How many requests were sent: which session is the next one's.
    sent: usize,
}

/// Whose routers are called.
pub fn contestants() -> Vec<Contestant> {
    let served = Store::Memory.served().into_iter();
    served
        .filter(|contestant| contestant.library.has_router())
        .collect()
}

/// Microseconds per request, on one thread. A first round is not counted.
pub async fn measure(plan: Plan) -> Result<Vec<Row>> {
    let mut subjects = Vec::new();
    for contestant in plan.size.contestants() {
        subjects.push(Subject::new(contestant, plan.sessions, plan.size).await?);
    }
    let mut samples = Samples::default();
    let mut orders = fastrand::Rng::with_seed(0);
    for round in 0..=plan.rounds {
        for scenario in Scenario::simple().filter(|scenario| plan.size.is_asked_for(*scenario)) {
            orders.shuffle(&mut subjects);
            let serves = |has: &&mut Subject| has.contestant.library.serves(scenario);
            for subject in subjects.iter_mut().filter(serves) {
                let start = ThreadTime::now();
                subject.ask(scenario, plan.requests).await?;
                let sample = start.elapsed().as_secs_f64() * 1e6 / f64::from(plan.requests);
                if round > 0 {
                    samples.push(subject.contestant, scenario, sample);
                }
            }
        }
    }
    Ok(samples.rows())
}

impl Subject {
    /// The router of `contestant` on memory, with so many sessions in its store.
    pub async fn new(contestant: Contestant, sessions: usize, size: Size) -> Result<Self> {
        let mut subject = Self {
            contestant,
            router: router(contestant, "memory:").await,
            cookies: Vec::new(),
            sent: 0,
        };
        for _ in 0..sessions {
            let cookie = subject.make(size).await?;
            subject.cookies.push(cookie);
        }
        Ok(subject)
    }

    /// Makes a session; returns its cookie.
    async fn make(&mut self, size: Size) -> Result<HeaderValue> {
        let mut kept = None;
        for path in size.paths() {
            let response = self.call(Uri::from_static(path), kept.clone()).await?;
            let lines = response.headers().get_all(SET_COOKIE).into_iter();
            let cookie = cookie(lines.filter_map(|line| line.to_str().ok()));
            if !cookie.is_empty() {
                kept = Some(cookie.try_into()?);
            }
        }
        kept.context("a new session has a cookie")
    }

    /// Sends `count` requests, one after another. Any status but 200 is an error.
    pub async fn ask(&mut self, scenario: Scenario, count: u32) -> Result<()> {
        let path = Uri::from_static(scenario.path());
        for _ in 0..count {
            let cookie = scenario
                .has_cookie()
                .then(|| self.cookies[self.sent % self.cookies.len()].clone());
            self.sent += 1;
            self.call(path.clone(), cookie).await?;
        }
        Ok(())
    }

    async fn call(&mut self, path: Uri, cookie: Option<HeaderValue>) -> Result<Response<Body>> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path;
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie);
        }
        // Routers are always ready.
        let response = self.router.call(request).await?;
        ensure!(
            response.status() == StatusCode::OK,
            "the router answered {}",
            response.status()
        );
        Ok(response)
    }
}
