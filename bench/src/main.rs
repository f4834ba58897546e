//! This library beside its peers: what a request costs, and what is lost. Says what to measure; the measuring is done by
//! the modules, each a way to measure.

mod contestants;
mod cpu;
mod http;
mod in_process;
mod instructions;
mod load;
mod loss;
mod machine;
mod report;
mod routes;
mod samples;
mod server;
mod targets;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use contestants::Name;
use report::Report;
use routes::Scenario;

/// Measures this library beside its peers: axum servers with the same handlers, in one run, each with its defaults.
///
/// Prints tables. A complete run writes them to results/report.md too, and the same for programs to results/report.json.
///
/// Nothing need be installed; with valgrind, instructions are counted too. CPU time is measured, not time on the clock,
/// but other work on the machine still shows: the report states how busy it was, and how far the rounds were apart.
#[derive(Parser)]
#[command(name = "bench", after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    what: What,
    #[command(subcommand)]
    child: Option<Child>,
}

const EXAMPLES: &str = "Examples:
  cargo xtask bench                     all of it, in one to three minutes
  cargo xtask bench --long              more rounds: figures to publish
  cargo xtask bench --only in-process   one part, while you change something";

#[derive(Args)]
struct What {
    /// Few rounds, one to three minutes; the default.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// Many rounds, several minutes.
    #[arg(long)]
    long: bool,
    /// Leave the other parts out; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

/// The ways to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU of a server process per request, over connections.
    Cpu,
    /// CPU per call of the router, without connections: where HTTP drowns the difference.
    InProcess,
    /// Instructions per call of the router, if valgrind is installed.
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
        peer: Name,
    },
    /// Calls one contestant's router, for a profiler to watch.
    Loop {
        #[arg(long, value_enum)]
        peer: Name,
        #[arg(long, value_enum)]
        scenario: Scenario,
        #[arg(long)]
        count: u32,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.child {
        Some(Child::Serve { peer }) => server::serve(peer),
        Some(Child::Loop {
            peer,
            scenario,
            count,
        }) => instructions::run(peer, scenario, count),
        None => measure(&cli.what),
    }
}

/// One thread, so that it disturbs the servers as little as can be.
#[tokio::main(flavor = "current_thread")]
async fn measure(what: &What) -> Result<()> {
    let mut report = Report::begin(what.command());
    if what.has(Part::Cpu) {
        report.server_cpu_us = Some(cpu::measure(what.cpu()).await?);
    }
    if what.has(Part::InProcess) {
        report.in_process_us = Some(in_process::measure(what.in_process()).await?);
    }
    if what.has(Part::Instructions) {
        report.instructions = instructions::measure()?;
    }
    if what.has(Part::Loss) {
        report.loss = Some(loss::measure(what.loss_rounds()).await?);
    }
    report.end();
    println!("{}", report.markdown()?);
    // A part must not replace the whole.
    if what.only.is_empty() {
        println!("Written to {}.", report.write()?.display());
    }
    Ok(())
}

impl What {
    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Many short turns rather than a few long ones: what disturbs the machine then disturbs all alike, and medians of
    /// differences are little moved by it.
    fn cpu(&self) -> cpu::Plan {
        let rounds = if self.long { 200 } else { 40 };
        cpu::Plan {
            rounds,
            requests: 2000,
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
        for part in self.only.iter().filter_map(ValueEnum::to_possible_value) {
            command = command + " --only " + part.get_name();
        }
        command
    }
}
