//! This library's store, as `Sessions` calls it.

use anyhow::{Result, ensure};
use fasthttpsession::{
    AnyStore, Clock as _, Handle, Record, Replaced, Store as _, SystemClock, connect,
};

use super::bare::Bare;
use crate::records::with_tables;

/// Opened by a URL.
pub struct Ours(AnyStore);

impl Ours {
    /// The store in the place that `url` names, made if need be.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self(connect(&with_tables(url)).await?))
    }
}

impl Bare for Ours {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.0.create(handle, record, SystemClock.now()).await?;
        Ok(())
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        let found = self.0.load(handle, SystemClock.now()).await?;
        ensure!(found.is_some(), "a session is missing");
        Ok(())
    }

    async fn replace(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        let replaced = self
            .0
            .replace(handle, expected, record, SystemClock.now())
            .await?;
        ensure!(replaced == Replaced::Replaced, "a session was not replaced");
        Ok(())
    }
}
