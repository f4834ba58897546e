//! The values of a session.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::ValueKey;

/// The values of a session, sorted by key.
#[derive(Clone)]
pub struct Values(());

impl Values {
    /// The value of `key`; `None` when there is none. [`Error::Decode`] when there is one of another type.
    pub fn get<T: DeserializeOwned>(&self, key: impl ValueKey<T>) -> Result<Option<T>, Error> { todo!() }
    /// Sets `key` to `value`.
    pub fn set<T: Serialize>(&mut self, key: impl ValueKey<T>, value: &T) -> Result<(), Error> { todo!() }
    /// Takes the value of `key` out; `None` when there is none.
    pub fn take<T: DeserializeOwned>(&mut self, key: impl ValueKey<T>) -> Result<Option<T>, Error> { todo!() }
    /// Removes `key`; whether it was there.
    pub fn remove(&mut self, key: impl AsRef<str>) -> bool { todo!() }
    /// Whether `key` has a value.
    pub fn contains(&self, key: impl AsRef<str>) -> bool { todo!() }
    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> { [].into_iter() }
    /// All values with their keys, sorted by key, each decoded as `T`.
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, Error> { todo!() }
    /// Removes every value.
    pub fn clear(&mut self) { todo!() }
    /// How many values there are.
    pub fn len(&self) -> usize { todo!() }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool { todo!() }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() }
}
