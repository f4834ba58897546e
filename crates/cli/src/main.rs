//! The `fasthttpsession` command: what can be asked of it, and how it says that it failed.

mod demo;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// HTTP sessions that never lose a write and never come back from the dead.
///
/// Without a command, it runs the demo.
#[derive(Parser)]
#[command(
    name = "fasthttpsession",
    version,
    args_conflicts_with_subcommands = true
)]
#[command(after_help = "Examples:\n  \
    fasthttpsession                                  the demo at http://127.0.0.1:8086\n  \
    fasthttpsession demo --listen 127.0.0.1:0        on a free port, which it prints\n  \
    fasthttpsession demo --help                      everything that the demo can do")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Options,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, demo } = Arguments::parse();
    let Command::Demo(options) = command.unwrap_or(Command::Demo(demo));
    match demo::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fasthttpsession: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and what caused it, down to what the operating system said; nothing twice.
fn with_causes(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !sentence.contains(&words) {
            sentence = format!("{sentence}: {words}");
        }
        cause = error.source();
    }
    sentence
}
