//! Bare memcached: the client of the store, as no other has swaps and is pipelined. What is between the two is only what the
//! store adds to its client.

use std::collections::HashMap;
use std::process;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use fasthttpsession::{Handle, Record};
use fasthttpsession_memcached_client::{Added, Client, ClientConfig, Expiry, Swapped};

use super::bare::Bare;

const HOUR: Duration = Duration::from_secs(3600);

/// A client, and the number that the server gave each value.
pub struct Server {
    client: Client,
    numbers: Mutex<HashMap<Handle, u64>>,
}

impl Server {
    /// Of the server that the URL names.
    pub fn connect(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("memcached://").trim_end_matches('/');
        let client = ClientConfig::new([address.parse()?]).open()?;
        let numbers = Mutex::default();
        Ok(Self { client, numbers })
    }

    fn note(&self, handle: Handle, number: u64) {
        let mut numbers = self.numbers.lock().expect("nobody panics");
        numbers.insert(handle, number);
    }

    fn number(&self, handle: Handle) -> Result<u64> {
        let numbers = self.numbers.lock().expect("nobody panics");
        numbers
            .get(&handle)
            .copied()
            .context("a session is missing")
    }
}

impl Bare for Server {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        let added = self
            .client
            .add(&key(handle), bytes(record), Expiry::after(HOUR))
            .await?;
        match added {
            Added::Added(number) => self.note(handle, number),
            Added::Exists => bail!("a session was there already"),
        }
        Ok(())
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        let found = self.client.get(&key(handle)).await?;
        self.note(handle, found.context("a session is missing")?.cas);
        Ok(())
    }

    async fn replace(&self, handle: Handle, _: u64, record: &Record) -> Result<()> {
        let number = self.number(handle)?;
        let swapped = self
            .client
            .swap(&key(handle), number, bytes(record), Expiry::after(HOUR))
            .await?;
        match swapped {
            Swapped::Swapped(number) => self.note(handle, number),
            _ => bail!("a session was not replaced"),
        }
        Ok(())
    }
}

/// Of this process: one server has no places that others can't see.
fn key(handle: Handle) -> String {
    format!("bare{}:{handle}", process::id())
}

fn bytes(record: &Record) -> Bytes {
    record.to_bytes().into()
}
