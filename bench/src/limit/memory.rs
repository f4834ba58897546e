//! The floor of memory: maps behind locks. It knows neither versions nor deadlines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use fasthttpsession::{Handle, Record};

use super::bare::Bare;

type Shard = Mutex<HashMap<[u8; 16], Arc<[u8]>>>;

/// Bytes by handle.
pub struct Map(Vec<Shard>);

const SHARDS: usize = 64;

impl Default for Map {
    fn default() -> Self {
        Self(
            std::iter::repeat_with(Shard::default)
                .take(SHARDS)
                .collect(),
        )
    }
}

impl Map {
    fn shard(&self, handle: &Handle) -> &Shard {
        &self.0[usize::from(handle.as_bytes()[0]) % SHARDS]
    }

    fn found(&self, handle: &Handle) -> Result<Arc<[u8]>> {
        let shard = self.shard(handle).lock().expect("nobody panics");
        let found = shard.get(handle.as_bytes()).cloned();
        drop(shard);
        found.context("a session is missing")
    }

    fn insert(&self, handle: &Handle, record: &Record) {
        let bytes = record.to_bytes().into();
        let mut shard = self.shard(handle).lock().expect("nobody panics");
        shard.insert(*handle.as_bytes(), bytes);
    }
}

impl Bare for Map {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.insert(&handle, record);
        Ok(())
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        std::hint::black_box(self.found(&handle)?);
        Ok(())
    }

    async fn replace(&self, handle: Handle, _: u64, record: &Record) -> Result<()> {
        self.insert(&handle, record);
        Ok(())
    }
}

/// The same, but what is read is the reader's own, as what comes from any other place is.
#[derive(Default)]
pub struct Copying(Map);

impl Bare for Copying {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.0.create(handle, record).await
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        std::hint::black_box(self.0.found(&handle)?.to_vec());
        Ok(())
    }

    async fn replace(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        self.0.replace(handle, expected, record).await
    }
}
