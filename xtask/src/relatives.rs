//! MySQL and Valkey, where the tests run MariaDB and Redis as a rule: from Debian unstable, for stable has no MySQL, in a
//! folder of their own. The tests start what is first in the search path.

use std::env::consts::ARCH;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::install;
use crate::step::{Failed, Steps};

/// Where Debian unstable lies, for the users of the servers to read.
const ROOT: &str = "/var/cache/fasthttpsession-debian-unstable";

/// Programs by the names of those that the tests start. `{run}` starts a program of Debian unstable with the libraries
/// there; `{places}` tells MySQL where its files are.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "mariadbd",
        r#"for argument do
    shift
    case $argument in
    --innodb-log-file-size=*) argument=--innodb-redo-log-capacity=${argument#*=} ;;
    esac
    set -- "$@" "$argument"
done
exec {run}/usr/sbin/mysqld "$@" {places} --max-allowed-packet=16M --skip-log-bin --mysqlx=OFF --secure-file-priv=NULL"#,
    ),
    (
        "mariadb-install-db",
        r#"for argument do
    case $argument in
    --datadir=*) data=${argument#*=} ;;
    --extra-file=*) statements=${argument#*=} ;;
    esac
done
exec {run}/usr/sbin/mysqld --no-defaults --initialize-insecure --datadir="$data" --init-file="$statements" {places}"#,
    ),
    ("mariadb", r#"exec {run}/usr/bin/mysql "$@""#),
    ("redis-server", r#"exec {run}/usr/bin/valkey-server "$@""#),
    ("redis-cli", r#"exec {run}/usr/bin/valkey-cli "$@""#),
];

/// Runs all tests that are about these servers.
pub(crate) fn test(steps: &mut Steps) -> Result<(), Failed> {
    steps.check("what the tests need", install::what_the_tests_need)?;
    fetch(steps)?;
    let programs = make_programs().map_err(|error| failed(&error))?;
    for program in ["mariadbd", "redis-server"] {
        let program = programs.join(program);
        steps.run("version", &format!("{} --version", program.display()))?;
    }
    steps.run_finding_first(
        &programs,
        "tests of the stores on MySQL and Valkey",
        "cargo test --package fasthttpsession-mysql --package fasthttpsession-redis --all-features --tests --no-fail-fast",
    )?;
    steps.run_finding_first(
        &programs,
        "tests of crashes, faults and examples on MySQL and Valkey",
        "cargo test --package fasthttpsession-crash --package fasthttpsession-faults --package fasthttpsession-examples \
         --all-features --tests --no-fail-fast -- mysql mariadb redis",
    )
}

fn fetch(steps: &mut Steps) -> Result<(), Failed> {
    let complete = Path::new(ROOT).join("complete");
    if complete.exists() {
        return Ok(());
    }
    install::programs(&[("debootstrap", "debootstrap")])?;
    // What is left of a fetch that did not end would be in the way.
    let _ = fs::remove_dir_all(ROOT);
    let packages = "mysql-server-core,mysql-client-core,valkey-server";
    let fetch = format!("debootstrap --variant=minbase --include={packages} sid {ROOT}");
    steps.run("Debian unstable", &fetch)?;
    fs::write(complete, "").map_err(|error| failed(&error))
}

/// Makes [`PROGRAMS`], and returns their folder.
fn make_programs() -> io::Result<PathBuf> {
    let libraries = format!("{ROOT}/usr/lib/{ARCH}-linux-gnu");
    let loader = loader(&libraries)?;
    let run = format!("{} --library-path {libraries} {ROOT}", loader.display());
    let places = format!(
        "--basedir={ROOT}/usr --plugin-dir={ROOT}/usr/lib/mysql/plugin --lc-messages-dir={ROOT}/usr/share/mysql"
    );
    let programs = Path::new(ROOT).join("programs");
    fs::create_dir_all(&programs)?;
    for (name, script) in PROGRAMS {
        let program = programs.join(name);
        let script = script.replace("{run}", &run).replace("{places}", &places);
        fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(programs)
}

/// What starts programs with other libraries than the system's.
fn loader(libraries: &str) -> io::Result<PathBuf> {
    for file in fs::read_dir(libraries)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("ld-linux") {
            return Ok(file.path());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("{libraries} has no loader"),
    ))
}

fn failed(error: &io::Error) -> Failed {
    Failed(format!("{ROOT}: {error}"))
}
