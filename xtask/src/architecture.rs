//! Which way the dependencies run: `frameworks → core ← stores`, and core without any runtime, driver or framework. And
//! whether the tests that SECURITY.md names exist.

use std::path::Path;
use std::{fs, io};

use crate::step::{Failed, output};

/// The features of each crate that has some, beside its default.
pub(crate) const FEATURES: &[(&str, &[&str])] = &[
    ("fasthttpsession-core", &["messagepack", "cbor", "testing"]),
    ("fasthttpsession-tower", &["axum"]),
    (
        "fasthttpsession",
        &["memory", "tower", "axum", "messagepack", "cbor", "testing"],
    ),
];

/// Crates that must not be below another, by the prefix of their names.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "fasthttpsession-core",
        &[
            "tokio",
            "async-std",
            "smol",
            "axum",
            "actix",
            "tower",
            "hyper",
            "http",
            "fasthttpsession-",
        ],
    ),
    (
        "fasthttpsession-memory",
        &[
            "tokio",
            "axum",
            "actix",
            "tower",
            "hyper",
            "http",
            "fasthttpsession-tower",
        ],
    ),
    (
        "fasthttpsession-tower",
        &["tokio", "hyper", "fasthttpsession-memory"],
    ),
];

pub(crate) fn check() -> Result<(), Failed> {
    dependencies()?;
    let unreadable = |error| Failed(format!("the sources can't be read: {error}"));
    let sources = rust_sources(Path::new("crates")).map_err(unreadable)?;
    let security = fs::read_to_string("SECURITY.md").map_err(unreadable)?;
    match tests_named_in(&security).find(|test| !sources.contains(test)) {
        Some(test) => Err(Failed(format!(
            "SECURITY.md names the test {test}, which does not exist"
        ))),
        None => Ok(()),
    }
}

fn dependencies() -> Result<(), Failed> {
    for (package, forbidden) in FORBIDDEN {
        let tree = output(&format!(
            "cargo tree -p {package} --all-features --edges normal --prefix none --format {{p}}"
        ))?;
        // The first line is the crate itself.
        for below in tree
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next())
        {
            if below != *package && forbidden.iter().any(|prefix| is_of(below, prefix)) {
                return Err(Failed(format!("{package} must not depend on {below}")));
            }
        }
        println!("{package} keeps clear of {}", forbidden.join(", "));
    }
    Ok(())
}

/// Whether `name` is the crate `prefix` or one of its family; `http` and `tower` have allowed relatives, so they stand
/// for themselves.
fn is_of(name: &str, prefix: &str) -> bool {
    match prefix {
        "http" | "tower" => name == prefix,
        family if family.ends_with('-') => {
            name.starts_with(family) && name != "fasthttpsession-core"
        }
        family => name == family || name.starts_with(&format!("{family}-")),
    }
}

/// Names of tests are the only words with many underscores between backticks.
fn tests_named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() >= 3)
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
