//! This library beside its peers: what a request costs, and what is lost. Says what to measure; the measuring is done by
//! the modules, each a way to measure.

mod backend;
mod http;
mod in_process;
mod instructions;
mod load;
mod loss;
mod machine;
mod processes;
mod report;
mod router;
mod samples;
mod server;
mod serving;
mod sqlx_peers;
mod targets;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contestants::{Contestant, Library, Scenario, Store};

use backend::Backend;
use report::{OnStore, Report};

/// Measures this library beside its peers on the same stores: axum servers with the same handlers, in one run.
///
/// Prints tables. A complete run writes them to results/report.md too, and the same for programs to results/report.json.
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
  cargo xtask bench                     all of it, in a few minutes
  cargo xtask bench --long              more rounds: figures to publish
  cargo xtask bench --store sqlite      one store, while you change something
  cargo xtask bench --only in-process   one part";

#[derive(Args)]
struct What {
    /// Few rounds, a few minutes; the default.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// Many rounds, half an hour.
    #[arg(long)]
    long: bool,
    /// Leave the other parts out; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Leave the other stores out; may be given several times.
    #[arg(long, value_enum)]
    store: Vec<Store>,
}

/// The ways to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU of a server process per request and requests a second, over connections.
    Serving,
    /// CPU per call of the router, without connections: where HTTP drowns the difference. Memory only.
    InProcess,
    /// Instructions per call of the router, if valgrind is installed. Memory only.
    Instructions,
    /// Lost updates, and logouts that are not final.
    Loss,
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
    if contestant.library == Library::ActixSession {
        return Ok(contestants::actix_session::serve(url).await?);
    }
    Ok(contestants::serve(router::router(contestant, url).await).await?)
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
    report.end();
    println!("{}", report.markdown()?);
    // A part must not replace the whole.
    if what.is_all() {
        println!("Written to {}.", report.write()?.display());
    }
    Ok(())
}

async fn on_store(what: &What, store: Store) -> Result<OnStore> {
    let backend = Backend::start(store)?;
    let mut on = OnStore {
        store,
        settings: backend.settings(),
        serving: Vec::new(),
        loss: Vec::new(),
    };
    if what.has(Part::Serving) {
        on.serving = serving::measure(&backend, what.serving(store)).await?;
    }
    if what.has(Part::Loss) {
        on.loss = loss::measure(&backend, what.loss_rounds()).await?;
    }
    Ok(on)
}

impl What {
    fn is_all(&self) -> bool {
        self.only.is_empty() && self.store.is_empty()
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
        (self.has(Part::Serving) || self.has(Part::Loss))
            && contestants.into_iter().any(Contestant::is_on_sqlx)
    }

    /// Many short turns rather than a few long ones: what disturbs the machine then disturbs all alike, and medians of
    /// differences are little moved by it. Durable stores do some of their work later, so that their turns are longer.
    fn serving(&self, store: Store) -> serving::Plan {
        let (rounds, millis) = match store {
            Store::Memory => (40, 40),
            _ => (12, 250),
        };
        serving::Plan {
            rounds: if self.long { 5 * rounds } else { rounds },
            turn: Duration::from_millis(millis),
            sessions: 4000,
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
