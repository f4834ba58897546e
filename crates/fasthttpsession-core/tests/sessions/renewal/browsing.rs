//! A browser with several requests at once, whose responses are lost, delayed and out of order, as a seed says.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fasthttpsession_core::{Cookie, Lifetimes, Sessions, Timestamp};
use futures_util::FutureExt as _;

use super::{EVERY, GRACE};
use crate::support::{Client, DAY, Request, Response, SECOND, World};

/// A request of the simulated browser.
enum Step {
    Sent(Client),
    Begun(Request),
    Answered(Response),
}

struct Browser {
    client: Client,
    sessions: Sessions,
    world: World,
    random: fastrand::Rng,
    /// What is under way, with the moment it was sent.
    under_way: Vec<(Step, Timestamp)>,
    count: u64,
}

impl Browser {
    /// Takes one request that is under way one step further.
    async fn advance(&mut self, at: usize) {
        let (step, sent) = self.under_way.remove(at);
        let next = match step {
            Step::Sent(client) => {
                let request = client.request(&self.sessions).await;
                assert!(!request.is_new(), "signed out");
                Step::Begun(request)
            }
            Step::Begun(request) => {
                if self.random.u8(0..3) == 0 {
                    request.update("n", |n: &mut u64| *n += 1).unwrap();
                    self.count += 1;
                }
                Step::Answered(request.respond().await)
            }
            Step::Answered(response) => {
                if self.random.u8(0..3) > 0 {
                    self.client.receive(&response);
                }
                return;
            }
        };
        self.under_way.push((next, sent));
    }

    /// Lets time pass; no request takes as long as the grace.
    async fn wait(&mut self, span: Duration) {
        let then = self.world.now().after(span);
        while let Some(at) = self
            .under_way
            .iter()
            .position(|(_, sent)| then.since(*sent) >= GRACE)
        {
            self.advance(at).await;
        }
        self.world.clock.advance(span);
    }

    async fn step(&mut self) {
        match self.random.u8(0..10) {
            0 => {
                let span = SECOND * self.random.u32(1..10);
                self.wait(span).await;
            }
            1 if self.random.u8(0..4) == 0 => {
                let span = SECOND * self.random.u32(10..200);
                self.wait(span).await;
            }
            2..=4 if self.under_way.len() < 8 => {
                let sent = (Step::Sent(self.client.clone()), self.world.now());
                self.under_way.push(sent);
            }
            _ if !self.under_way.is_empty() => {
                let at = self.random.usize(..self.under_way.len());
                self.advance(at).await;
            }
            _ => {}
        }
    }
}

/// Whose cookie is dated.
#[derive(Clone, Copy, PartialEq)]
enum Dated {
    Nobodys,
    Everybodys,
    OfWhoIsRemembered,
}

/// Responses are lost, delayed and out of order, requests are parallel: nobody is signed out, and no write is lost.
async fn browse(seed: u64, dated: Dated) {
    let world = World::new();
    let mut cookie = Cookie::default();
    if dated == Dated::Everybodys {
        cookie = cookie.persistent();
    }
    let month = Lifetimes::new(30 * DAY, 30 * DAY);
    let usual = match dated {
        Dated::OfWhoIsRemembered => Lifetimes::new(DAY, 30 * DAY),
        _ => month,
    };
    let sessions = world
        .builder()
        .renew_every(EVERY)
        .lifetimes(usual)
        .cookie(cookie)
        .touch_after_percent(0)
        .build()
        .unwrap();
    let mut client = Client::with(&sessions, "n", 0).await;
    client.visit(&sessions, |s| s.set_lifetimes(month)).await;
    let mut browser = Browser {
        client,
        sessions,
        world,
        random: fastrand::Rng::with_seed(seed),
        under_way: Vec::new(),
        count: 0,
    };
    for _ in 0..150 {
        browser.step().await;
    }
    browser.wait(GRACE).await;
    let n = browser.client.get(&browser.sessions, "n").await;
    assert_eq!(n, Some(browser.count));
}

async fn browse_many(dated: Dated) {
    let first = fastrand::u64(..1 << 40);
    for seed in first..first + 2_000 {
        let run = AssertUnwindSafe(browse(seed, dated)).catch_unwind();
        assert!(run.await.is_ok(), "seed {seed}");
    }
}

#[tokio::test]
async fn lost_and_reordered_responses_and_parallel_requests_sign_nobody_out() {
    browse_many(Dated::Nobodys).await;
}

#[tokio::test]
async fn cookies_that_are_dated_anew_sign_nobody_out_either() {
    browse_many(Dated::Everybodys).await;
}

#[tokio::test]
async fn who_is_remembered_stays_so_however_responses_come() {
    browse_many(Dated::OfWhoIsRemembered).await;
}
