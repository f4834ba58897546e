//! What a bare driver does: the operations that are measured, without the care that a store takes; and which there are.

use std::future::Future;

use anyhow::{Result, bail};
use contestants::Store;
use fasthttpsession::{Handle, Record};

use super::{file, mariadb, memcached, memory, postgres, redis, sqlite};

/// A driver, or a store as if it were one. Each operation fails if it did not find what it was told to find.
pub trait Bare: Send + Sync + 'static {
    /// Writes a record, unless it is there.
    fn create(&self, handle: Handle, record: &Record) -> impl Future<Output = Result<()>> + Send;

    /// Reads a record.
    fn load(&self, handle: Handle) -> impl Future<Output = Result<()>> + Send;

    /// Writes a record in place of that with the version `expected`.
    fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Something to do with a bare driver, whichever it is.
pub trait WithBare {
    /// What comes of it.
    type Done;

    /// Does it.
    fn run<B: Bare>(self, bare: B) -> impl Future<Output = Result<Self::Done>> + Send;
}

/// Does `what` with the driver of `store` in the empty `place`.
pub async fn with_bare<W: WithBare>(store: Store, place: &str, what: W) -> Result<W::Done> {
    match store {
        Store::Memory => what.run(memory::Map::default()).await,
        Store::File => what.run(file::Folder::at(place)?).await,
        Store::Sqlite => what.run(sqlite::Database::open(place).await?).await,
        Store::Postgres => what.run(postgres::Database::connect(place).await?).await,
        Store::Mariadb => what.run(mariadb::Database::connect(place).await?).await,
        Store::Redis => what.run(redis::Server::connect(place).await?).await,
        Store::Memcached => what.run(memcached::Server::connect(place)?).await,
        Store::Cookie => bail!("no driver keeps sessions in the client"),
    }
}
