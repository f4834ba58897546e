//! Measures a memory store while it grows: resident bytes per session, time per operation, and what a purge costs.
//! Linux only: it reads `/proc`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Principal, Record, Store, Timestamp};
use fasthttpsession_memory::{MemoryConfig, MemoryStore};

const HELP: &str = "\
Measures a memory store while it grows to N sessions.

usage: cargo run --release -p fasthttpsession-memory --example scale [-- [N] [--signed-in] [--body BYTES]]

  N             sessions at the end [default: 10000000, takes about 4.5 GB]
  --signed-in   give each session a principal of 16 bytes
  --body BYTES  size of a record's body [default: 312, which is 200 bytes of encoded values and what the core adds]

Columns: resident bytes per session (growth of the process since the store was empty); nanoseconds per load, replace and
touch of random sessions on one thread, in CPU time, so that other programs disturb less; microseconds to purge 10,000
expired among the others.

Sizes: powers of ten, and 1.5 % before and after the tables of all shards double.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// Operations timed for each figure.
const SAMPLES: u64 = 1_000_000;
/// Sessions that expire for each purge.
const EXPIRED: u64 = 10_000;
/// 256 shards whose tables hold 7/8 of a power of two.
const FIRST_DOUBLING: u64 = 256 * 7 * 512;

fn main() {
    let Some(settings) = Settings::from_args() else {
        return println!("{HELP}");
    };
    let mut run = Run::new(&settings);
    println!(
        "{} bytes of body, signed in: {}\n",
        settings.body, settings.signed_in
    );
    println!("  sessions | bytes each | ns load | ns replace | ns touch | µs purge of 10k");
    println!("-----------|------------|---------|------------|----------|----------------");
    for size in sizes(settings.sessions) {
        run.grow_to(size);
        println!("{}", run.measure());
    }
    println!(
        "\nafter {SAMPLES} replacements by bodies of other sizes: {} bytes each",
        run.churn()
    );
}

struct Settings {
    sessions: u64,
    signed_in: bool,
    body: usize,
}

impl Settings {
    /// `None` if help was asked for or is needed.
    fn from_args() -> Option<Self> {
        let mut settings = Self {
            sessions: 10_000_000,
            signed_in: false,
            body: 312,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--signed-in" => settings.signed_in = true,
                "--body" => settings.body = args.next()?.parse().ok()?,
                number => settings.sessions = number.parse().ok()?,
            }
        }
        Some(settings)
    }
}

/// Where to measure, up to `last`.
fn sizes(last: u64) -> Vec<u64> {
    let powers = (4..10).map(|exponent| 10_u64.pow(exponent));
    let doublings = (0..16).map(|doubling| FIRST_DOUBLING << doubling);
    let around = doublings.flat_map(|size| [size - size * 3 / 200, size + size * 3 / 200]);
    let mut sizes: Vec<u64> = powers
        .chain(around)
        .chain([last])
        .filter(|&size| size <= last)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

struct Run {
    store: MemoryStore,
    record: Record,
    sessions: u64,
    random: fastrand::Rng,
    signed_in: bool,
    empty: usize,
}

impl Run {
    fn new(settings: &Settings) -> Self {
        let store = MemoryStore::builder()
            .capacity(MemoryConfig::MAX_CAPACITY)
            .build();
        let header = Header {
            version: 1,
            created_at: NOW,
            idle_deadline: NOW.after(HOUR),
            absolute_deadline: NOW.after(24 * HOUR),
            principal: None,
            label: None,
        };
        let record = Record {
            header,
            body: Bytes::from(vec![7; settings.body]),
        };
        let random = fastrand::Rng::with_seed(1);
        Self {
            store,
            record,
            sessions: 0,
            random,
            signed_in: settings.signed_in,
            empty: resident(),
        }
    }

    fn grow_to(&mut self, sessions: u64) {
        for number in self.sessions..sessions {
            self.record.header.principal = self.signed_in.then(|| principal(number));
            // Spread over an hour, as the sessions of visitors are.
            let left = HOUR + Duration::from_millis(number * 7919 % 3_600_000);
            self.record.header.idle_deadline = NOW.after(left);
            ready(self.store.create(handle(number), &self.record, NOW)).expect("there is room");
        }
        self.sessions = sessions;
    }

    fn measure(&mut self) -> String {
        let bytes = self.bytes_each();
        let load = self.time(|run, handle| {
            let record = ready(run.store.load(handle, NOW)).expect("a load succeeds");
            assert!(record.is_some());
        });
        let replace = self.time(|run, handle| {
            ready(run.store.replace(handle, 1, &run.record, NOW)).expect("a replacement succeeds");
        });
        let touch = self.time(|run, handle| {
            ready(run.store.touch(handle, 1, NOW.after(3 * HOUR), NOW)).expect("a touch succeeds");
        });
        let purge = self.purge().as_micros();
        format!(
            "{:>10} | {bytes:>10} | {load:>7} | {replace:>10} | {touch:>8} | {purge:>15}",
            self.sessions
        )
    }

    /// Nanoseconds per call with a random session. The replacing record keeps version 1, so that every call replaces.
    fn time(&mut self, operation: impl Fn(&mut Self, Handle)) -> u64 {
        self.record.header.principal = self.signed_in.then(|| principal(0));
        self.record.header.idle_deadline = NOW.after(2 * HOUR);
        let start = cpu_nanos();
        for _ in 0..SAMPLES {
            let number = self.random.u64(0..self.sessions);
            operation(self, handle(number));
        }
        (cpu_nanos() - start) / SAMPLES
    }

    /// Adds sessions of a second, and removes them a second later.
    fn purge(&mut self) -> Duration {
        self.record.header.idle_deadline = NOW.after(SECOND);
        for number in 0..EXPIRED {
            ready(
                self.store
                    .create(handle(u64::MAX - number), &self.record, NOW),
            )
            .expect("there is room");
        }
        let start = Instant::now();
        let removed =
            ready(self.store.purge(usize::MAX, NOW.after(SECOND))).expect("a purge succeeds");
        assert_eq!(removed, EXPIRED);
        start.elapsed()
    }

    fn churn(&mut self) -> usize {
        let bodies = self.record.body.len().max(1);
        for _ in 0..SAMPLES {
            let number = self.random.u64(0..self.sessions);
            // As long on average as before.
            self.record.body = vec![
                7;
                self.random
                    .usize(bodies - bodies / 10..=bodies + bodies / 10)
            ]
            .into();
            ready(self.store.replace(handle(number), 1, &self.record, NOW))
                .expect("a replacement succeeds");
        }
        self.bytes_each()
    }

    fn bytes_each(&self) -> usize {
        let sessions =
            usize::try_from(self.sessions).expect("sessions that are in memory can be counted");
        resident().saturating_sub(self.empty) / sessions
    }
}

/// The same handle for the same number, and otherwise as good as random: nothing has to remember 10 million of them.
fn handle(number: u64) -> Handle {
    let mut random = fastrand::Rng::with_seed(number);
    Handle::from_bytes(random.u128(..).to_le_bytes())
}

fn principal(number: u64) -> Principal {
    Principal::new(&format!("user-{number:011}")).expect("16 bytes are a principal")
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells what is resident");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second field is a number of pages") * 4096
}

/// Time that this thread has spent on a processor.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.expect("the first field is in nanoseconds")
}

/// The store waits for nothing, so that polling again is all that is needed.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
    }
}
