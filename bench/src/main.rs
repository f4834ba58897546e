//! This library beside its peers: what a request costs, how long it takes, and what is lost. The measuring is done by the
//! modules, each a way to measure.

mod backend;
mod contention;
mod core_paths;
mod core_times;
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
mod redis_instructions;
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
mod what;

use anyhow::Result;
use clap::{Parser, Subcommand};
use contestants::{Contestant, Library, Scenario, Store, actix_session, ours_on_actix};
use fasthttpsession::connect;

use backend::Backend;
use core_paths::CorePath;
use in_process::Size;
use records::with_tables;
use report::{OnStore, Report};
use what::{Part, What};

/// Measures this library beside its peers on the same stores: servers with the same handlers, in one run.
///
/// Prints tables. A complete run writes them to results/report.md too, with pictures, and the same for programs to
/// results/report.json.
///
/// PostgreSQL, MariaDB, Redis and memcached need be installed, unless they are left out; they are started privately and
/// stopped again. With valgrind, instructions are counted too. Other work on the machine shows in the figures: the report
/// states how busy it was, and how far the rounds were apart.
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
  cargo xtask bench --long              more rounds and sessions: figures to publish, in about an hour
  cargo xtask bench --store sqlite      one store, while you change something
  cargo xtask bench --only in-process   one part";

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
    /// Takes one path of the core over and over, for a profiler to watch.
    Core {
        #[arg(long, value_enum)]
        path: CorePath,
        #[arg(long)]
        count: usize,
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
        Some(Child::Core { path, count }) => instructions::run_core(path, count),
        None => measure(&cli.what),
    }
}

#[tokio::main]
async fn serve(contestant: Contestant, url: &str) -> Result<()> {
    let Contestant { library, store } = contestant;
    match (library, store) {
        (Library::ActixSession, Store::Cookie) => actix_session::serve_cookies().await?,
        (Library::ActixSession, _) => actix_session::serve_redis(url).await?,
        (Library::OursOnActix, _) => {
            ours_on_actix::serve(connect(&with_tables(url)).await?).await?;
        }
        (Library::OursPerThread, _) => {
            contestants::serve_per_thread(router::router(contestant, url).await).await?;
        }
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
    if what.has(Part::Instructions) && !instructions::is_there() {
        eprintln!("valgrind is not installed: no instructions are counted");
    }
    let mut report = Report::begin(what.command());
    for store in what.stores() {
        report.stores.push(on_store(what, store).await?);
    }
    without_servers(what, &mut report).await?;
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
    let mut on = OnStore::begin(store, backend.settings());
    // First: what this process has freed before would hide how it grows.
    if what.has(Part::Scale) && store.is_ours() {
        on.scale = scale::measure(store, what.sizes(store))?;
    }
    if what.has(Part::Loss) {
        on.loss = loss::measure(&backend, what.loss_rounds()).await?;
    }
    // The rest is about this library's cost and speed beside others'.
    if store.is_ours() {
        under_load(what, &backend, &mut on).await?;
        below_http(what, &backend, &mut on)?;
    }
    if store == Store::Redis && what.has(Part::Instructions) {
        on.redis_instructions = redis_instructions::measure().await?;
    }
    Ok(on)
}

async fn under_load(what: &What, backend: &Backend, on: &mut OnStore) -> Result<()> {
    if what.has(Part::Serving) {
        on.serving = serving::measure(backend, &what.serving(on.store)).await?;
    }
    if what.has(Part::Tail) {
        on.tail = serving::measure(backend, &what.tail(on.store)).await?;
    }
    Ok(())
}

fn below_http(what: &What, backend: &Backend, on: &mut OnStore) -> Result<()> {
    if what.has(Part::Limit) {
        on.limit = limit::measure(backend, what.limit())?;
    }
    if what.has(Part::Contention) {
        on.contention = contention::measure(backend, what.contention())?;
    }
    Ok(())
}

async fn without_servers(what: &What, report: &mut Report) -> Result<()> {
    if what.has(Part::InProcess) {
        let usual = what.in_process(Size::Usual);
        report.in_process_us = Some(in_process::measure(usual).await?);
        let small = what.in_process(Size::Small);
        report.small_in_process_us = Some(in_process::measure(small).await?);
        report.core_us = Some(core_times::measure(usual.rounds).await?);
    }
    if what.has(Part::Instructions) && what.stores().contains(&Store::Memory) {
        report.instructions = instructions::measure()?;
        report.core = instructions::measure_core()?;
    }
    if what.has(Part::Weight) {
        report.weight = weight::measure(what.builds())?;
    }
    Ok(())
}
