//! Whether the tests that documents name are run: each is a function, or a check on a list of the conformance suite.
//! And whether every check of that suite is on its list.

use std::path::Path;
use std::{fs, io};

use crate::step::Failed;

/// The documents that name tests.
const DOCUMENTS: &[&str] = &["SECURITY.md", "crates/fasthttpsession/guide/from_go.md"];

/// Where the conformance suite has its checks and their lists.
const SUITE: &str = "crates/testing/conformance/src";

pub(crate) fn check() -> Result<(), Failed> {
    let unreadable = |error| Failed(format!("the sources can't be read: {error}"));
    let mut sources = rust_sources(Path::new("crates")).map_err(unreadable)?;
    sources += &rust_sources(Path::new("examples")).map_err(unreadable)?;
    let suite = rust_sources(Path::new(SUITE)).map_err(unreadable)?;
    for document in DOCUMENTS {
        let text = fs::read_to_string(document).map_err(unreadable)?;
        let is_run =
            |test: &str| sources.contains(&format!("fn {test}(")) || is_listed(&suite, test);
        if let Some(test) = named_in(&text).find(|test| !is_run(test)) {
            return Err(Failed(format!(
                "{document} names the test {test}, which does not exist"
            )));
        }
    }
    match checks_in(&suite).find(|check| !is_listed(&suite, check)) {
        Some(check) => Err(Failed(format!(
            "the conformance suite has the check {check}, but does not list it"
        ))),
        None => Ok(()),
    }
}

/// Names of tests are the only words with many underscores between backticks.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() >= 3)
}

/// Whether a line is the guarantee, the module and the name of a check.
fn is_listed(suite: &str, check: &str) -> bool {
    let ending = format!(" {check};");
    suite
        .lines()
        .any(|line| line.ends_with(&ending) && line.split_whitespace().count() == 3)
}

/// Public functions that answer what checks answer.
fn checks_in(suite: &str) -> impl Iterator<Item = &str> {
    suite.split("\npub async fn ").skip(1).filter_map(|rest| {
        let (head, _) = rest.split_once('{')?;
        let (name, _) = head.split_once(['<', '('])?;
        head.trim_end().ends_with("-> Outcome").then_some(name)
    })
}

fn rust_sources(folder: &Path) -> io::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            text += &rust_sources(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path)?;
        }
    }
    Ok(text)
}
