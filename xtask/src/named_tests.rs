//! Whether the tests that documents name are run: each is a test that nobody leaves out, or a check on a list of the
//! conformance suite. And whether every check of that suite is on its list.

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
        let is_run = |test: &str| is_test(&sources, test) || is_listed(&suite, test);
        if let Some(test) = named_in(&text).find(|test| !is_run(test)) {
            return Err(Failed(format!(
                "{document} names the test {test}, which does not exist, or is not run"
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

/// Whether there is a test of that name, and none that is left out.
fn is_test(sources: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let tests: Vec<_> = sources
        .match_indices(&function)
        .map(|(at, _)| attributes_before(&sources[..at]))
        .filter(|attributes| attributes.iter().any(|one| is_of_test(one)))
        .collect();
    let is_left_out = |attribute: &&str| attribute.contains("ignore");
    !tests.is_empty() && !tests.iter().flatten().any(is_left_out)
}

/// The lines of attributes above the function that begins where `text` ends.
fn attributes_before(text: &str) -> Vec<&str> {
    let (above, own) = text.rsplit_once('\n').unwrap_or(("", text));
    if own.contains("//") {
        return Vec::new();
    }
    let head = above.lines().rev().map(str::trim);
    head.take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .filter(|line| line.starts_with("#["))
        .collect()
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(…)]`.
fn is_of_test(attribute: &str) -> bool {
    let (path, _) = attribute.split_once([']', '(']).unwrap_or((attribute, ""));
    path == "#[test" || path.ends_with("::test")
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

#[cfg(test)]
mod tests {
    use super::is_test;

    #[test]
    fn a_test_is_one_by_its_attributes() {
        for head in [
            "#[test]\n",
            "#[tokio::test]\nasync ",
            "}\n\n    #[tokio::test(flavor = \"multi_thread\")]\n    async ",
            "/// Why.\n#[cfg(unix)]\n#[test]\n",
        ] {
            assert!(
                is_test(&format!("{head}fn promised() {{"), "promised"),
                "{head}"
            );
        }
    }

    #[test]
    fn what_is_not_run_is_no_test() {
        for head in [
            "",
            "/// Says `#[test]`.\n",
            "// #[test]\n// ",
            "#[test]\n// ",
            "#[test]\nfn another() {}\n\n",
            "#[test]\n#[ignore = \"slow\"]\n",
            "#[ignore]\n#[tokio::test]\nasync ",
            "#[test]\n#[cfg_attr(unix, ignore)]\n",
        ] {
            assert!(
                !is_test(&format!("{head}fn promised() {{"), "promised"),
                "{head}"
            );
        }
        let ran = "#[test]\nfn promised() {}\n";
        let left_out = "#[test]\n#[ignore]\nfn promised() {}\n";
        assert!(!is_test(&[ran, left_out].concat(), "promised"));
    }
}
