//! The CPU of one request without a socket: the router is called as a service. What HTTP costs, and its noise, are left
//! out, and so is every store but memory: what waits for a disk or a server has other threads work for it.

use anyhow::{Result, ensure};
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
    for contestant in contestants() {
        subjects.push(Subject::new(contestant, plan.sessions).await?);
    }
    let mut samples = Samples::default();
    for round in 0..=plan.rounds {
        for scenario in Scenario::simple() {
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
        // Nobody always comes first.
        subjects.rotate_left(1);
    }
    Ok(samples.rows())
}

impl Subject {
    /// The router of `contestant` on memory, with so many sessions in its store.
    pub async fn new(contestant: Contestant, sessions: usize) -> Result<Self> {
        let mut subject = Self {
            contestant,
            router: router(contestant, "memory:").await,
            cookies: Vec::new(),
            sent: 0,
        };
        for _ in 0..sessions {
            let response = subject.call(Uri::from_static("/seed"), None).await?;
            let lines = response.headers().get_all(SET_COOKIE).into_iter();
            let cookie = cookie(lines.filter_map(|line| line.to_str().ok()));
            subject.cookies.push(cookie.try_into()?);
        }
        Ok(subject)
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
