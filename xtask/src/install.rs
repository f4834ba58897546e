//! What the tests need beside Rust: installed on Debian by root, named elsewhere.

use crate::step::{Failed, Steps, output, succeeds};

/// A program that the tests run, and the Debian package that has it.
const NEEDED: [(&str, &str); 2] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

pub(crate) fn what_the_tests_need() -> Result<(), Failed> {
    for component in ["clippy", "fmt"] {
        if !succeeds(&format!("cargo {component} --version")) {
            return Err(Failed(format!(
                "cargo {component} is missing; run \"rustup component add clippy rustfmt\""
            )));
        }
    }
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    match missing.join(" ") {
        packages if packages.is_empty() => Ok(()),
        packages if is_root() && succeeds("apt-get --version") => apt_get(&packages),
        packages => Err(Failed(format!(
            "the tests need more; on Debian, run \"sudo apt-get install {packages}\""
        ))),
    }
}

fn apt_get(packages: &str) -> Result<(), Failed> {
    let mut steps = Steps::default();
    steps.run("package lists", "apt-get update --quiet --quiet")?;
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends";
    steps.run("packages", &format!("{install} {packages}"))
}

fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

fn is_root() -> bool {
    output("id -u").is_ok_and(|id| id.trim() == "0")
}
