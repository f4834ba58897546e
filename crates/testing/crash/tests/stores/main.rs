//! Trials of the durable stores: short ones, long ones that only run when asked for, and some of stores that are broken
//! on purpose.

mod faulty;
mod file;
mod mysql;
mod postgres;
mod sqlite;

use std::process::Command;

use fasthttpsession_crash::Trial;

/// How often something is killed.
#[derive(Clone, Copy)]
struct Length {
    writers: u32,
    of_two_writers: u32,
    servers: u32,
}

const SHORT: Length = Length {
    writers: 14,
    of_two_writers: 6,
    servers: 3,
};
const LONG: Length = Length {
    writers: 300,
    of_two_writers: 100,
    servers: 30,
};

impl Length {
    /// Kills that often.
    fn kill_writers(self, trial: &mut Trial) -> Result<(), String> {
        trial.kill_the_writer(self.writers)?;
        trial.kill_one_of_two_writers(self.of_two_writers)
    }
}

/// Holds `trial`, and prints its summary.
fn hold(mut trial: Trial, course: impl FnOnce(&mut Trial) -> Result<(), String>) {
    if let Err(fault) = course(&mut trial) {
        panic!("{fault}");
    }
    println!("{}", trial.summary());
}

/// The command that writes to the store at `url`.
fn writer(url: &str) -> Command {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_writer"));
    writer.arg(url);
    writer
}
