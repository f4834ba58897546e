//! A store on a map behind a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fasthttpsession::{
    Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError, Timestamp, Touched,
};

/// Sessions in a map.
#[derive(Clone, Default)]
pub struct MapStore(Arc<Mutex<HashMap<Handle, Record>>>);

impl MapStore {
    /// The records that live at `now`: what is past a deadline is absent to every operation.
    fn with<R>(
        &self,
        now: Timestamp,
        operate: impl FnOnce(&mut HashMap<Handle, Record>) -> R,
    ) -> R {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|_, record| record.is_live(now));
        operate(&mut records)
    }
}

impl Store for MapStore {
    fn name(&self) -> &'static str {
        "map"
    }

    /// It can't list, scan, count or purge.
    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        Ok(self.with(now, |records| records.get(&handle).cloned()))
    }

    /// Inserts, or fails: never over a record that lives.
    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        Ok(self.with(now, |records| {
            if records.contains_key(&handle) {
                return Created::Exists;
            }
            records.insert(handle, record.clone());
            Created::Created
        }))
    }

    /// Compare and swap: only if the version is still the expected one, and never where there is nothing.
    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        Ok(self.with(now, |records| match records.get_mut(&handle) {
            None => Replaced::Gone,
            Some(current) if current.header.version != expected => {
                Replaced::Conflict(current.clone())
            }
            Some(current) => {
                *current = record.clone();
                Replaced::Replaced
            }
        }))
    }

    /// Moves the idle deadline, never backwards, and only of the version that the caller knows.
    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        Ok(self.with(now, |records| match records.get_mut(&handle) {
            None => Touched::Gone,
            Some(current) => {
                let header = &mut current.header;
                if header.version == version {
                    header.idle_deadline = header.idle_deadline.max(idle_deadline);
                }
                Touched::Touched
            }
        }))
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        Ok(self.with(now, |records| match records.remove(&handle) {
            Some(_) => Deleted::Deleted,
            None => Deleted::Gone,
        }))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
