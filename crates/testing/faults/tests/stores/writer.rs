//! The writer of the trials: this program again, in a process of its own.

use std::io::BufRead as _;
use std::process::Command;

use fasthttpsession::AnyStore;
use fasthttpsession_crash::{Order, write};

use crate::backend::open;
use crate::wrong::{Wrong, WrongStore};

/// The command that writes to the store at `url`, which is broken as `wrong` says.
pub(crate) fn command(url: &str, wrong: Option<Wrong>) -> Command {
    let mut this = Command::new(std::env::current_exe().expect("this program"));
    this.args(["--exact", "writer::writes", "--ignored", "--nocapture"]);
    this.env("FAULTS_URL", url);
    if let Some(wrong) = wrong {
        this.env("FAULTS_WRONG", format!("{wrong:?}"));
    }
    this
}

/// Not a test: the writer of the trials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of other tests"]
async fn writes() {
    let Ok(url) = std::env::var("FAULTS_URL") else {
        return;
    };
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.expect("an order");
    let order: Order = serde_json::from_str(&line).expect("an order");
    let store = open(&url).await.expect("the store can be opened");
    let store = match std::env::var("FAULTS_WRONG") {
        Ok(wrong) => AnyStore::new(WrongStore::new(Wrong::named(&wrong), store)),
        Err(_) => store,
    };
    // The name of the test stands on this line.
    println!();
    write(store, order).await;
}
