//! The program that serves peers on sqlx, which stands beside this one once it was built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Builds it.
pub fn build() -> Result<()> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlx-peers/Cargo.toml");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target()?)
        .status()?;
    ensure!(status.success(), "the peers on sqlx were not built");
    Ok(())
}

/// Where it is.
pub fn program() -> Result<PathBuf> {
    Ok(target()?.join("release/sqlx-peers"))
}

/// The folder that cargo builds this program in, two above it.
fn target() -> Result<PathBuf> {
    let this = env::current_exe()?;
    let target = this.ancestors().nth(2);
    Ok(target
        .context("this program stands in no target folder")?
        .to_owned())
}
