//! Whatever happens, in whatever order: browsers, processes and a store that fails act at random, as a seed says, and
//! what they were told must hold. `SIMULATED_SEED=… cargo nextest run -p fasthttpsession-core simulated` plays one world
//! again.

mod browser;
mod cut;
mod ledger;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fasthttpsession_core::{Cookie, Limits, Session, Sessions, StoreErrorKind};
use fastrand::Rng;
use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};

use crate::faulty::{Fault, Op};
use crate::support::{Client, SECOND, World, opens};
use browser::Browser;
use ledger::Ledger;

/// How long a replaced secret is good. No request takes that long.
const GRACE: Duration = Duration::from_secs(10);

/// One world, and what is known of it.
struct Simulation {
    world: World,
    processes: Vec<Sessions>,
    random: RefCell<Rng>,
    ledger: RefCell<Ledger>,
    /// When requests began that are not over.
    under_way: RefCell<Vec<u64>>,
    /// Numbers requests and writes.
    numbers: RefCell<u32>,
}

#[test]
fn what_was_acknowledged_holds_whatever_happens() {
    if let Ok(seed) = std::env::var("SIMULATED_SEED") {
        play(seed.parse().expect("the seed is a number"));
        return;
    }
    let worlds = 300;
    let first = fastrand::u64(..);
    let (next, acknowledged) = (AtomicU64::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= worlds {
                        return;
                    }
                    let seed = first.wrapping_add(nth);
                    acknowledged.fetch_add(play(seed), Ordering::Relaxed);
                }
            });
        }
    });
    let acknowledged = acknowledged.into_inner();
    assert!(
        acknowledged > 10 * usize::try_from(worlds).unwrap(),
        "only {acknowledged} writes were acknowledged, which tells little"
    );
}

thread_local! {
    /// What happened in the world that this thread plays.
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes what happened, to be read if something fails: timers of the real world make a seed play a little differently
/// each time.
fn note(what: String) {
    TRACE.with_borrow_mut(|trace| trace.push(what));
}

/// Says which world it was that failed, and what happened in it.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            TRACE.with_borrow(|trace| {
                eprintln!("{}\nSIMULATED_SEED={}", trace.join("\n"), self.0);
            });
        }
    }
}

/// Returns how many writes were acknowledged.
fn play(seed: u64) -> usize {
    TRACE.with_borrow_mut(Vec::clear);
    let _told = Told(seed);
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async move {
        tokio::time::timeout(Duration::from_secs(60), Simulation::run(seed))
            .await
            .expect("something waits for ever")
    })
}

impl Simulation {
    async fn run(seed: u64) -> usize {
        let simulation = Rc::new(Self::new(seed));
        let mut browsers = Vec::new();
        for number in 0..3 {
            browsers.push(Rc::new(Browser::new(&simulation, number).await));
        }
        simulation.begin_faults();
        let tabs = browsers
            .iter()
            .flat_map(|browser| std::iter::repeat_n(browser, browser.tabs()));
        let tabs: Vec<_> = tabs
            .map(|browser| {
                let (simulation, browser) = (Rc::clone(&simulation), Rc::clone(browser));
                spawn_local(async move {
                    for _ in 0..12 {
                        browser.request(&simulation).await;
                    }
                })
            })
            .collect();
        for tab in tabs {
            tab.await.unwrap();
        }
        simulation.world.store.heal();
        while simulation.world.store.let_one_arrive(|_| 0).await {}
        for browser in browsers {
            browser.check_at_the_end(&simulation).await;
        }
        let acknowledged = simulation.ledger.borrow().acknowledged();
        simulation.check_at_the_end().await;
        acknowledged
    }

    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let world = World::new();
        let (retries, count) = (random.u32(1..40), random.usize(1..3));
        let (is_persistent, percent) = (random.bool(), [0, 5][random.usize(0..2)]);
        let renews = is_persistent.then(|| random.bool());
        let mut process = || {
            let limits = Limits::default().retries(retries).resends(2);
            let mut builder = world.builder().limits(limits).touch_after_percent(percent);
            if is_persistent {
                builder = builder.cookie(Cookie::default().persistent());
            }
            // Of two processes, one may be older, and renew while the other does not. Where cookies are dated, they would
            // have to be of one mind.
            if renews.unwrap_or_else(|| random.bool()) {
                builder.renew_every(GRACE + SECOND).renew_grace(GRACE)
            } else {
                builder
            }
        };
        Self {
            processes: (0..count).map(|_| process().build().unwrap()).collect(),
            world,
            random: RefCell::new(random),
            ledger: RefCell::default(),
            under_way: RefCell::default(),
            numbers: RefCell::new(0),
        }
    }

    fn begin_faults(&self) {
        let mut random = self.random.borrow_mut();
        // A slow store has many commits share a swap.
        let most = [3, 40][random.usize(0..2)];
        self.world.store.dawdle(most, random.fork());
        let one_in = [0, 40, 12, 4][random.usize(0..4)];
        let mut random = random.fork();
        self.world.store.script(move |op: Op, _| {
            if one_in == 0 || random.u32(0..one_in) > 0 {
                return Fault::None;
            }
            let kind = if random.bool() {
                StoreErrorKind::Timeout
            } else {
                StoreErrorKind::Unavailable
            };
            let (name, fault) = match random.u8(0..4) {
                0 => ("answer lost", Fault::LoseAnswer(kind)),
                1 => ("call lost", Fault::LoseCall(kind)),
                2 => ("refused", Fault::Refuse(kind)),
                _ => ("delayed", Fault::Delay(kind)),
            };
            note(format!("    {op:?}: {name}"));
            fault
        });
    }

    fn process(&self) -> &Sessions {
        let at = self.random.borrow_mut().usize(0..self.processes.len());
        &self.processes[at]
    }

    fn chance(&self, one_in: u32) -> bool {
        self.random.borrow_mut().u32(0..one_in) == 0
    }

    /// After how many polls something is given up, now and then.
    fn patience(&self, one_in: u32) -> Option<u32> {
        let is_cut = self.chance(one_in);
        is_cut.then(|| self.random.borrow_mut().u32(0..60))
    }

    fn number(&self) -> u32 {
        let mut last = self.numbers.borrow_mut();
        *last += 1;
        *last
    }

    /// Time passes, but no request takes as long as replaced secrets are good; and delayed calls arrive.
    async fn pass_time(&self) {
        let now = self.world.now().as_millis();
        let step = match self.under_way.borrow().iter().min() {
            None => 60_000,
            Some(oldest) if now - oldest < 4_000 => 1_000,
            Some(_) => 0,
        };
        let step = self.random.borrow_mut().u64(0..=step);
        self.world.clock.advance(Duration::from_millis(step));
        if self.chance(4) {
            let choose = |of| self.random.borrow_mut().usize(0..of);
            if self.world.store.let_one_arrive(choose).await {
                note("    a delayed call arrived".into());
            }
        }
        let turns = self.random.borrow_mut().u8(0..6);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Nothing that ended is there, and no token that was replaced opens anything.
    async fn check_at_the_end(&self) {
        let books = self.ledger.take().books;
        for (handle, book) in &books {
            let record = self.world.store.record(*handle, self.world.now()).await;
            assert!(
                record.is_none() || !book.is_ended(),
                "session {handle} came back"
            );
            for token in &book.dead_tokens {
                assert!(
                    !opens(&self.processes[0], token).await,
                    "a replaced token opens session {handle}"
                );
            }
        }
    }

    /// The session that `client` opens when nothing fails any more.
    async fn look(&self, client: &Client) -> Session {
        let request = client.request(&self.processes[0]).await;
        let ledger = self.ledger.borrow();
        ledger.check(&request, ledger.now());
        request.session
    }
}
