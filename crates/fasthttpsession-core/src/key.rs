//! Names of values: plain strings, or constants that carry the value's type.

use std::marker::PhantomData;

/// The name of a value together with its type, declared once and used wherever a value is named.
///
/// ```
/// use fasthttpsession_core::{Error, Key, Session};
///
/// const VISITS: Key<u64> = Key::new("visits");
///
/// fn visit(session: &Session) -> Result<Option<u64>, Error> {
///     session.update(VISITS, |visits| *visits += 1)?;
///     session.get(VISITS)
/// }
///
/// fn forget(session: &Session) -> Result<(), Error> {
///     session.remove(VISITS)
/// }
/// #
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let sessions = fasthttpsession_core::Sessions::new(fasthttpsession_memory::MemoryStore::new());
/// # let exchange = sessions.begin([("", "")], None);
/// # let session = exchange.session().await?;
/// # session.set_all([(VISITS, 1_u64)])?;
/// # assert!(session.contains(VISITS));
/// # assert_eq!(visit(&session)?, Some(2));
/// # forget(&session)?;
/// # assert!(!session.contains(VISITS));
/// # session.set(VISITS, &1)?;
/// # let removed = session.transact(|values| Ok::<_, Error>(values.remove(VISITS) && !values.contains(VISITS))).await;
/// # assert!(removed.is_ok_and(|removed| removed));
/// # Ok(()) }
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

/// For what takes names of values without their types: `remove`, `contains`, `set_all`.
impl<T> AsRef<str> for Key<T> {
    fn as_ref(&self) -> &str {
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
