//! Which way the dependencies run: `frameworks → core ← stores`, and core without any runtime, driver or framework.

use crate::step::{Failed, output};

/// The features of each crate that has some, beside its default.
pub(crate) const FEATURES: &[(&str, &[&str])] = &[
    (
        "fasthttpsession-core",
        &[
            "encryption",
            "messagepack",
            "cbor",
            "settings",
            "tracing",
            "metrics",
            "testing",
        ],
    ),
    ("fasthttpsession-postgres", &["tls"]),
    ("fasthttpsession-mysql", &["tls"]),
    ("fasthttpsession-memcached-client", &["tls"]),
    ("fasthttpsession-memcached", &["tls"]),
    ("fasthttpsession-tower", &["axum"]),
    (
        "fasthttpsession",
        &[
            "memory",
            "sqlite",
            "file",
            "postgres",
            "mysql",
            "redis",
            "memcached",
            "tls",
            "tower",
            "axum",
            "actix",
            "encryption",
            "messagepack",
            "cbor",
            "settings",
            "tracing",
            "metrics",
        ],
    ),
];

/// No store knows a framework or another store.
const FRAMEWORKS: &[&str] = &["axum", "actix", "tower", "hyper", "fasthttpsession-"];

/// Crates that must not be below another, by the prefix of their names.
const FORBIDDEN: &[(&str, &[&[&str]])] = &[
    (
        "fasthttpsession-core",
        &[&["tokio", "async-std", "smol", "http"], FRAMEWORKS],
    ),
    ("fasthttpsession-memory", &[&["tokio", "http"], FRAMEWORKS]),
    ("fasthttpsession-store-common", &[FRAMEWORKS]),
    ("fasthttpsession-tcp", &[FRAMEWORKS]),
    ("fasthttpsession-sqlite", &[FRAMEWORKS]),
    ("fasthttpsession-file", &[FRAMEWORKS]),
    ("fasthttpsession-postgres", &[FRAMEWORKS]),
    ("fasthttpsession-mysql", &[FRAMEWORKS]),
    ("fasthttpsession-redis", &[FRAMEWORKS]),
    ("fasthttpsession-memcached-client", &[FRAMEWORKS]),
    ("fasthttpsession-memcached", &[FRAMEWORKS]),
    (
        "fasthttpsession-tower",
        &[&["tokio", "hyper", "fasthttpsession-"]],
    ),
    // actix is a framework and a server, and brings its runtime.
    (
        "fasthttpsession-actix",
        &[&["axum", "tower", "hyper", "fasthttpsession-"]],
    ),
];

/// What stores may stand on, of ours.
const COMMON: &[&str] = &[
    "fasthttpsession-core",
    "fasthttpsession-store-common",
    "fasthttpsession-memcached-client",
    "fasthttpsession-tcp",
];

pub(crate) fn check() -> Result<(), Failed> {
    for (package, forbidden) in FORBIDDEN {
        let forbidden = forbidden.concat();
        let tree = output(&format!(
            "cargo tree -p {package} --all-features --edges normal --prefix none --format {{p}}|{{f}}"
        ))?;
        // The first line is the crate itself.
        for below in tree.lines().skip(1).filter_map(name) {
            if below != *package && forbidden.iter().any(|prefix| is_of(below, prefix)) {
                return Err(Failed(format!("{package} must not depend on {below}")));
            }
        }
        println!("{package} keeps clear of {}", forbidden.join(", "));
    }
    Ok(())
}

/// The name of a crate in a line of `cargo tree`, if it is one to look at: tokio with locks alone is no runtime.
fn name(line: &str) -> Option<&str> {
    let name = line.split_whitespace().next()?;
    let is_locks = name == "tokio" && line.trim_end_matches(" (*)").ends_with("|default,sync");
    (!is_locks).then_some(name)
}

/// Whether `name` is the crate `prefix` or one of its family; `http` and `tower` have allowed relatives, so they stand
/// for themselves.
fn is_of(name: &str, prefix: &str) -> bool {
    match prefix {
        "http" | "tower" => name == prefix,
        family if family.ends_with('-') => name.starts_with(family) && !COMMON.contains(&name),
        family => name == family || name.starts_with(&format!("{family}-")),
    }
}
