//! What a bare driver does: the operations that are measured, without the care that a store takes.

use std::future::Future;

use anyhow::Result;
use fasthttpsession::{Handle, Record};

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
