//! The trial of one store: writers and servers are killed at random moments, and what is left is compared with what was
//! acknowledged.

use std::process::Command;
use std::time::Instant;

use fasthttpsession::{AnyStore, connect};
use fasthttpsession_servers::Server;
use tokio::runtime::Runtime;

use crate::check::check;
use crate::journal::{Entry, Order};
use crate::ledger::Ledger;
use crate::running::Running;

/// Places for sessions, unless told otherwise.
const PLACES: usize = 48;

/// Tasks of a writer, unless told otherwise. Each owns at least one place, also of two writers.
const TASKS: u32 = 16;

/// How often a network is disturbed before what is left is checked.
const DISTURBANCES: u32 = 4;

/// The trial of one store, from an empty one on.
pub struct Trial {
    name: String,
    url: String,
    writer: Box<dyn Fn(&str) -> Command>,
    wrap: Box<dyn Fn(AnyStore) -> AnyStore>,
    seed: u64,
    random: fastrand::Rng,
    places: usize,
    tasks: u32,
    only_add: bool,
    ledger: Ledger,
    /// Counts the runs, for the numbers of operations.
    run: u64,
    kills: u32,
    disturbances: u32,
    begun: Instant,
}

impl Trial {
    /// A trial of the store at `url`, which is empty. `writer` is the command that writes to a URL.
    ///
    /// Random numbers begin with `CRASH_SEED`, or another number each time.
    ///
    /// # Panics
    ///
    /// When `CRASH_SEED` is no number.
    pub fn new(
        name: &str,
        url: impl Into<String>,
        writer: impl Fn(&str) -> Command + 'static,
    ) -> Self {
        let seed = match std::env::var("CRASH_SEED") {
            Ok(seed) => seed.parse().expect("CRASH_SEED is a whole number"),
            Err(_) => fastrand::u64(..),
        };
        Self {
            name: name.to_owned(),
            url: url.into(),
            writer: Box::new(writer),
            wrap: Box::new(|store| store),
            seed,
            random: fastrand::Rng::with_seed(seed),
            places: PLACES,
            tasks: TASKS,
            only_add: false,
            ledger: Ledger::default(),
            run: 0,
            kills: 0,
            disturbances: 0,
            begun: Instant::now(),
        }
    }

    /// Has the trial itself see the store through `wrap`: for trials that are to fail.
    #[must_use]
    pub fn checked_through(mut self, wrap: impl Fn(AnyStore) -> AnyStore + 'static) -> Self {
        self.wrap = Box::new(wrap);
        self
    }

    /// Has `tasks` tasks a writer only add to at most `places` sessions, so that they meet often.
    #[must_use]
    pub fn on_few_sessions(mut self, places: usize, tasks: u32) -> Self {
        (self.places, self.tasks, self.only_add) = (places, tasks, true);
        self
    }

    /// Kills a writer `times` times, and checks each time what is left.
    ///
    /// # Errors
    ///
    /// What was lost, torn or back.
    pub fn kill_the_writer(&mut self, times: u32) -> Result<(), String> {
        self.repeat(times, |trial| {
            let mut writer = trial.start(0, 1);
            let moment = trial.moment();
            writer.wait_for(moment)?;
            trial.kills += 1;
            trial.enter_calm(vec![writer.kill()])
        })
    }

    /// Has two writers work on the same store `times` times, and kills one; the other goes on, and ends in good order or
    /// is killed, too.
    ///
    /// # Errors
    ///
    /// What was lost, torn or back.
    pub fn kill_one_of_two_writers(&mut self, times: u32) -> Result<(), String> {
        self.repeat(times, |trial| {
            let mut writers = [trial.start(0, 2), trial.start(1, 2)];
            let moment = trial.moment();
            writers[trial.random.usize(..2)].wait_for(moment)?;
            let [first, mut second] = writers;
            let first = first.kill();
            trial.kills += 1;
            second.wait_for(20)?;
            let second = if trial.random.bool() {
                second.kill()
            } else {
                second.stop()?
            };
            trial.enter_calm(vec![first, second])
        })
    }

    /// Kills the server `times` times while a writer works, and restarts it; the writer has to recover by itself. What is
    /// left is checked every third time.
    ///
    /// # Errors
    ///
    /// What was lost, torn or back.
    pub fn kill_the_server(&mut self, server: &Server, times: u32) -> Result<(), String> {
        self.ledger.answers_get_lost = true;
        self.repeat(times.div_ceil(3), |trial| {
            let mut writer = trial.start(0, 1);
            // A store that can't be opened is no store.
            writer.wait_for(1)?;
            for _ in 0..3 {
                let moment = trial.moment();
                writer.wait_for(moment)?;
                server.kill();
                trial.kills += 1;
                server.restart();
            }
            writer.wait_for(50)?;
            let journal = writer.stop()?;
            trial.enter(vec![journal])
        })
    }

    /// Has two writers work on a store `times` times while `disturb` does something to the network between them and the
    /// server, several times each; `calm` ends what it did, and the writers have to recover by themselves. Their tasks
    /// give some requests up before they end.
    ///
    /// # Errors
    ///
    /// What was lost, torn, back or made twice, and any error that does not say that it may pass.
    pub fn disturb(
        &mut self,
        times: u32,
        mut disturb: impl FnMut(&mut fastrand::Rng),
        calm: impl Fn(),
    ) -> Result<(), String> {
        self.ledger.answers_get_lost = true;
        self.open_some()?;
        let only_adds = self.only_add;
        let change = |order: &mut Order| {
            order.gives_up = true;
            order.only_adds = only_adds;
        };
        self.repeat(times, |trial| {
            let mut writers = [0, 1].map(|writer| trial.start_with(writer, 2, change));
            // A store that can't be opened is no store.
            both(&mut writers, |writer| writer.wait_for(1))?;
            for _ in 0..DISTURBANCES {
                disturb(&mut trial.random);
                trial.disturbances += 1;
                let ends = trial.random.usize(10..60);
                both(&mut writers, |writer| writer.wait_for_ends(ends))?;
                calm();
                both(&mut writers, |writer| writer.wait_for(20))?;
            }
            let [first, second] = writers;
            trial.enter(vec![first.stop()?, second.stop()?])
        })
    }

    /// Kills, disturbances, acknowledged commits, and deletions that were checked.
    pub fn summary(&self) -> String {
        let Ledger {
            acknowledged,
            acknowledged_ends,
            errors,
            ..
        } = &self.ledger;
        format!(
            "{}: {} kills, {} disturbances, {acknowledged} acknowledged commits, {acknowledged_ends} of them \
             deletions, {} sessions seen to stay gone, {} errors that passed, {:.1} s (CRASH_SEED={})",
            self.name,
            self.kills,
            self.disturbances,
            self.ledger.ended.len(),
            errors.len(),
            self.begun.elapsed().as_secs_f64(),
            self.seed
        )
    }

    fn repeat(
        &mut self,
        times: u32,
        mut round: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        for done in 1..=times {
            round(self).map_err(|fault| format!("{fault}\n{}", self.summary()))?;
            if done % 20 == 0 {
                eprintln!("{}", self.summary());
            }
        }
        Ok(())
    }

    /// Has a writer open sessions to which others can add.
    fn open_some(&mut self) -> Result<(), String> {
        while self.ledger.cards(self.places).iter().all(Option::is_none) {
            let mut writer = self.start(0, 1);
            writer.wait_for(4 * self.places)?;
            let journal = writer.stop()?;
            self.enter(vec![journal])?;
        }
        Ok(())
    }

    /// When to kill: after how many acknowledgements. Often while a writer still opens the store.
    fn moment(&mut self) -> usize {
        if self.random.u8(..8) == 0 {
            0
        } else {
            self.random.usize(1..400)
        }
    }

    fn start(&mut self, writer: u32, writers: u32) -> Running {
        self.start_with(writer, writers, |_| {})
    }

    fn start_with(
        &mut self,
        writer: u32,
        writers: u32,
        change: impl FnOnce(&mut Order),
    ) -> Running {
        if writer == 0 {
            self.run += 1;
        }
        let mut order = Order {
            seed: self.random.u64(..),
            writer,
            writers,
            tasks: self.tasks,
            gives_up: false,
            only_adds: false,
            first_operation: self.run << 32,
            places: self.ledger.cards(self.places),
        };
        change(&mut order);
        Running::start((self.writer)(&self.url), &order)
    }

    /// Nothing but writers was killed, so that there may be no error at all.
    fn enter_calm(&mut self, journals: Vec<Vec<Entry>>) -> Result<(), String> {
        let before = self.ledger.errors.len();
        self.enter(journals)?;
        match self.ledger.errors.get(before) {
            Some(error) => Err(format!(
                "an error, though all was well with the store: {error}"
            )),
            None => Ok(()),
        }
    }

    fn enter(&mut self, journals: Vec<Vec<Entry>>) -> Result<(), String> {
        self.ledger.enter(journals)?;
        let runtime = Runtime::new().expect("a runtime can be made");
        runtime.block_on(async { check(self.open().await?, &mut self.ledger).await })
    }

    async fn open(&self) -> Result<AnyStore, String> {
        let store = connect(&self.url).await;
        let store = store.map_err(|e| format!("the store can't be opened any more: {e}"))?;
        Ok((self.wrap)(store))
    }
}

fn both(
    writers: &mut [Running; 2],
    wait: impl Fn(&mut Running) -> Result<(), String>,
) -> Result<(), String> {
    writers.iter_mut().try_for_each(wait)
}
