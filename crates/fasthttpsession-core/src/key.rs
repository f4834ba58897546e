//! Names of values: plain strings, or constants that carry the value's type.

use std::marker::PhantomData;

/// The name of a value together with its type, declared once and used everywhere.
///
/// ```
/// use fasthttpsession_core::Key;
///
/// const VISITS: Key<u64> = Key::new("visits");
/// assert_eq!(VISITS.name(), "visits");
/// ```
pub struct Key<T> {
    name: &'static str,
    // A key neither owns nor borrows a value, so it is Send and Sync whatever T is.
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// A key of this name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            value: PhantomData,
        }
    }

    /// The name as it stands in the record.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.name)
    }
}

/// What names a value of type `T`: a [`Key<T>`], or a string, which names values of every type.
pub trait ValueKey<T: ?Sized> {
    /// The name as it stands in the record.
    fn name(&self) -> &str;
}

impl<T> ValueKey<T> for Key<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> ValueKey<T> for str {
    fn name(&self) -> &str {
        self
    }
}

impl<T: ?Sized> ValueKey<T> for String {
    fn name(&self) -> &str {
        self
    }
}

impl<T: ?Sized, K: ValueKey<T> + ?Sized> ValueKey<T> for &K {
    fn name(&self) -> &str {
        (**self).name()
    }
}
