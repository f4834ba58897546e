//! This library beside its peers: what a request costs, and what is lost. Says what to measure; the measuring is done by
//! the modules, each a way to measure.

mod backend;
mod contention;
mod http;
mod in_process;
mod instructions;
mod limit;
mod load;
mod loss;
mod machine;
mod pictures;
mod processes;
mod records;
mod report;
mod router;
mod samples;
mod scale;
mod server;
mod serving;
mod sqlx_peers;
mod targets;
mod two_threads;
mod weight;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contestants::{Contestant, Library, Scenario, Store, actix_session};

use backend::Backend;
use load::Order;
use report::{OnStore, Report};

/// Measures this library beside its peers on the same stores: servers with the same handlers, in one run.
///
/// Prints tables. A complete run writes them to results/report.md too, with pictures, and the same for programs to
/// results/report.json.
///
/// PostgreSQL, MariaDB, Redis and memcached need be installed, unless they are left out; they are started privately and stopped again. With
/// valgrind, instructions are counted too. Other work on the machine shows in the figures: the report states how busy it
/// was, and how far the rounds were apart.
#[derive(Parser)]
#[command(name = "bench", after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    what: What,
    #[command(subcommand)]
    child: Option<Child>,
}

const EXAMPLES: &str = "Examples:
  cargo xtask bench                     all of it, in some ten minutes
  cargo xtask bench --long              more rounds: figures to publish, in about an hour
  cargo xtask bench --store sqlite      one store, while you change something
  cargo xtask bench --only in-process   one part";

#[derive(Args)]
struct What {
    /// Few rounds and 20 000 sessions, some ten minutes; the default.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// Many rounds and 100 000 sessions, about an hour.
    #[arg(long)]
    long: bool,
    /// Leave the other parts out; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Leave the other stores out; may be given several times.
    #[arg(long, value_enum)]
    store: Vec<Store>,
    /// Write report.md, its pictures and report.json to this folder. Without it, only a complete run writes them, to the
    /// results beside the benchmark.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The ways to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU of a server process per request, over connections.
    Serving,
    /// Requests a second, and how long answers take, at 1, 32 and 256 connections.
    Tail,
    /// CPU per call of the router, without connections: where HTTP drowns the difference. Memory only.
    InProcess,
    /// Instructions per call of the router, if valgrind is installed. Memory only.
    Instructions,
    /// Lost updates, logouts that are not final, and who is signed out by rotations.
    Loss,
    /// The store beside its bare driver, without HTTP.
    Limit,
    /// Many writers on one session, without HTTP.
    Contention,
    /// What sessions take, what operations cost among more and more of them, and purges; without HTTP.
    Scale,
    /// How many crates each library brings; how long a clean build takes, if asked for by name or in the long form.
    Weight,
}

/// What this program does when it runs itself.
#[derive(Subcommand)]
enum Child {
    /// Serves one contestant until the standard input is closed; prints the port.
    Serve {
        #[arg(long, value_enum)]
        library: Library,
        #[arg(long, value_enum)]
        store: Store,
        #[arg(long)]
        url: String,
    },
    /// Calls one library's router on memory, for a profiler to watch.
    Loop {
        #[arg(long, value_enum)]
        library: Library,
        #[arg(long, value_enum)]
        scenario: Scenario,
        #[arg(long)]
        count: u32,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.child {
        Some(Child::Serve {
            library,
            store,
            url,
        }) => serve(Contestant { library, store }, &url),
        Some(Child::Loop {
            library,
            scenario,
            count,
        }) => instructions::run(library, scenario, count),
        None => measure(&cli.what),
    }
}

#[tokio::main]
async fn serve(contestant: Contestant, url: &str) -> Result<()> {
    let Contestant { library, store } = contestant;
    match (library, store) {
        (Library::ActixSession, Store::Cookie) => actix_session::serve_cookies().await?,
        (Library::ActixSession, _) => actix_session::serve_redis(url).await?,
        _ => contestants::serve(router::router(contestant, url).await).await?,
    }
    Ok(())
}

/// One thread, so that it disturbs the servers as little as can be.
#[tokio::main(flavor = "current_thread")]
async fn measure(what: &What) -> Result<()> {
    if what.needs_sqlx_peers() {
        sqlx_peers::build()?;
    }
    let mut report = Report::begin(what.command());
    for store in what.stores() {
        report.stores.push(on_store(what, store).await?);
    }
    if what.has(Part::InProcess) {
        report.in_process_us = Some(in_process::measure(what.in_process()).await?);
    }
    if what.has(Part::Instructions) {
        report.instructions = instructions::measure()?;
        if report.instructions.is_none() {
            eprintln!("valgrind is not installed: no instructions were counted");
        }
    }
    if what.has(Part::Weight) {
        report.weight = weight::measure(what.long || what.only.contains(&Part::Weight))?;
    }
    report.end();
    println!("{}", report.markdown(&[])?);
    if let Some(folder) = what.folder() {
        report.write(&folder)?;
        println!("Written to {}.", folder.display());
    }
    Ok(())
}

async fn on_store(what: &What, store: Store) -> Result<OnStore> {
    let backend = Backend::start(store)?;
    let mut on = OnStore {
        store,
        settings: backend.settings(),
        serving: Vec::new(),
        tail: Vec::new(),
        loss: Vec::new(),
        limit: Vec::new(),
        contention: Vec::new(),
        scale: Vec::new(),
    };
    if what.has(Part::Scale) && store.is_ours() {
        on.scale = scale::measure(store, what.sizes(store))?;
    }
    if what.has(Part::Loss) {
        on.loss = loss::measure(&backend, what.loss_rounds()).await?;
    }
    // The rest is about this library's cost and speed beside others'.
    if !store.is_ours() {
        return Ok(on);
    }
    if what.has(Part::Serving) {
        on.serving = serving::measure(&backend, &what.serving(store)).await?;
    }
    if what.has(Part::Tail) {
        on.tail = serving::measure(&backend, &what.tail()).await?;
    }
    if what.has(Part::Limit) {
        on.limit = limit::measure(&backend, what.limit())?;
    }
    if what.has(Part::Contention) {
        on.contention = contention::measure(&backend, what.contention())?;
    }
    Ok(on)
}

impl What {
    /// Where the report goes; a part must not replace the whole.
    fn folder(&self) -> Option<PathBuf> {
        let is_all = self.only.is_empty() && self.store.is_empty();
        let results = || Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        self.out.clone().or_else(|| is_all.then(results))
    }

    fn has(&self, part: Part) -> bool {
        let of_memory = matches!(part, Part::InProcess | Part::Instructions);
        if of_memory && !self.stores().contains(&Store::Memory) {
            return false;
        }
        self.only.is_empty() || self.only.contains(&part)
    }

    fn stores(&self) -> Vec<Store> {
        if self.store.is_empty() {
            Store::ALL.to_vec()
        } else {
            self.store.clone()
        }
    }

    fn needs_sqlx_peers(&self) -> bool {
        let contestants = self.stores().into_iter().flat_map(Store::contestants);
        [Part::Serving, Part::Tail, Part::Loss]
            .iter()
            .any(|part| self.has(*part))
            && contestants.into_iter().any(Contestant::is_on_sqlx)
    }

    /// Many short turns rather than a few long ones: what disturbs the machine then disturbs all alike, and medians of
    /// differences are little moved by it. Durable stores do some of their work later, so that their turns are longer.
    fn serving(&self, store: Store) -> serving::Plan {
        let (rounds, millis) = match store {
            Store::Memory => (30, 40),
            _ => (6, 200),
        };
        serving::Plan {
            kinds: serving::each_by_many(store),
            rounds: if self.long { 5 * rounds } else { rounds },
            turn: Duration::from_millis(millis),
            order: Order::in_turn(4000),
        }
    }

    fn tail(&self) -> serving::Plan {
        serving::Plan {
            kinds: serving::by_few_and_many(),
            rounds: if self.long { 20 } else { 3 },
            turn: Duration::from_millis(if self.long { 500 } else { 200 }),
            order: Order::skewed(if self.long { 100_000 } else { 20_000 }),
        }
    }

    fn in_process(&self) -> in_process::Plan {
        let rounds = if self.long { 500 } else { 100 };
        in_process::Plan {
            rounds,
            requests: 1000,
            sessions: 4000,
        }
    }

    fn limit(&self) -> limit::Plan {
        limit::Plan {
            turns: if self.long { 40 } else { 8 },
            turn: Duration::from_millis(400),
            sessions: 4096,
        }
    }

    fn contention(&self) -> Duration {
        Duration::from_secs(if self.long { 20 } else { 2 })
    }

    fn sizes(&self, store: Store) -> &'static [u64] {
        match (self.long, store) {
            (true, Store::Memory) => &[10_000, 100_000, 1_000_000, 10_000_000],
            (true, _) | (false, Store::Memory) => &[10_000, 100_000, 1_000_000],
            (false, _) => &[10_000, 100_000],
        }
    }

    fn loss_rounds(&self) -> usize {
        if self.long { 20 } else { 5 }
    }

    fn command(&self) -> String {
        let mut command = String::from("cargo xtask bench ");
        command += if self.long { "--long" } else { "--short" };
        for store in &self.store {
            command = command + " --store " + store.label();
        }
        for part in self.only.iter().filter_map(ValueEnum::to_possible_value) {
            command = command + " --only " + part.get_name();
        }
        command
    }
}
