//! A type of the application that sessions hold one value of: read as what it is today, whatever stands in the record,
//! and changed by closures only, so that no change is lost when two requests meet.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Session, TransactError, UpdateResult};
use crate::codec::Format;
use crate::error::Error;
use crate::key::Key;
use crate::values::{Encoded, decode};

/// A type of which a session holds one value, under a key of its own. [`Session::typed`] reads it, as does the
/// extractor `Typed` of each framework.
///
/// A session without the value has `Self::default()`.
///
/// # What no longer fits
///
/// A deploy that changes the type meets sessions in which the value stands in its old form. Fields that are new need
/// `#[serde(default)]` and no more. For what serde can't read even so, [`migrate`](Self::migrate) decides:
///
/// ```
/// use fasthttpsession_core::{Key, OldValue, SessionValue};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Basket { items: Vec<Item>, coupon: Option<String> }
///
/// #[derive(Serialize, Deserialize)]
/// struct Item { number: u32, count: u32 }
///
/// /// Until version 2, when items got their count.
/// #[derive(Deserialize)]
/// struct OldBasket { items: Vec<u32> }
///
/// impl SessionValue for Basket {
///     const KEY: Key<Self> = Key::new("basket");
///
///     fn migrate(old: &OldValue<'_>) -> Option<Self> {
///         let OldBasket { items } = old.read_as()?;
///         let items = items.into_iter().map(|number| Item { number, count: 1 }).collect();
///         Some(Self { items, coupon: None })
///     }
/// }
/// ```
///
/// *An error* (`None`, the default) answers the request with 500 and leaves the value as it is: for what must not be
/// lost. *The default* (`Some(Self::default())`) begins anew: for what can be made again. Reading alone writes nothing:
/// the old value stays in the record until an update replaces it.
///
/// While old and new programs run side by side, the old one meets the new form too, and its `migrate` decides.
///
/// # What may not be
///
/// `#[serde(try_from = "…")]` checks a value when it is read: one that is refused no longer fits.
pub trait SessionValue: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Where it stands in the session.
    const KEY: Key<Self>;

    /// What a stored value becomes that can't be read as `Self`; `None` for [`Error::Decode`].
    ///
    /// It is called whenever the value is read, also when a change is applied anew at the commit; so it must do nothing
    /// but make a value.
    fn migrate(old: &OldValue<'_>) -> Option<Self> {
        let _ = old;
        None
    }
}

/// A stored value that can't be read as the type of today.
pub struct OldValue<'a> {
    format: Format,
    bytes: &'a [u8],
}

impl OldValue<'_> {
    /// The value as another type; `None` if it can't be read as that either.
    pub fn read_as<T: DeserializeOwned>(&self) -> Option<T> {
        self.format.decode(self.bytes).ok()
    }
}

impl fmt::Debug for OldValue<'_> {
    /// Without the value, which may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldValue")
            .field("format", &self.format)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl Session {
    /// The session's `T`, or `T::default()`.
    ///
    /// # Errors
    /// [`Error::Decode`] when what is stored is no `T`, and [`SessionValue::migrate`] makes none of it.
    pub fn typed<T: SessionValue>(&self) -> Result<Typed<T>, Error> {
        Ok(Typed {
            value: self.read_typed()?,
            session: self.clone(),
        })
    }

    fn read_typed<T: SessionValue>(&self) -> Result<T, Error> {
        let key = T::KEY;
        let stored = self.state().values().encoded(key.name());
        read(key.name(), stored.as_ref())
    }
}

/// The `T` of a session: a [`SessionValue`] that was read, and the way to change it.
///
/// It derefs to the value as this request sees it: as it was read, or as the last [`update`](Self::update) or
/// [`transact`](Self::transact) through it left it.
///
/// There is no way to the value but closures, and nothing is written back when it is dropped: two requests that each
/// write back what they read would lose one's change, even where they change different fields. A closure is run again
/// on the value that the other request left.
///
/// ```
/// # use fasthttpsession_core::{Error, Key, Session, SessionValue};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Settings { theme: String, language: String }
/// # impl SessionValue for Settings {
/// #     const KEY: Key<Self> = Key::new("settings");
/// # }
/// fn darken(session: &Session) -> Result<String, Error> {
///     let mut settings = session.typed::<Settings>()?;
///     settings.update(|settings| settings.theme = "dark".to_owned())?;
///     Ok(format!("{} in {}", settings.theme, settings.language))
/// }
/// ```
///
/// A request that changes the `language` at the same time keeps its change.
pub struct Typed<T> {
    value: T,
    session: Session,
}

impl<T: SessionValue> Typed<T> {
    /// Changes the value in place, as [`Session::update`] does: the closure runs now and, if another request committed
    /// meanwhile, *again at the commit*, on the value that is stored then.
    ///
    /// What it changes is thus safe. What it computed for the response may be wrong after a rebase; that goes through
    /// [`transact`](Self::transact). An update is a write even when it leaves the value as it was, for on another value
    /// it might not.
    ///
    /// # Errors
    /// As [`Session::update`]; and [`Error::Decode`], here or at the commit, as [`Session::typed`].
    pub fn update<F, R>(&mut self, change: F) -> Result<(), Error>
    where
        F: FnMut(&mut T) -> R + Send + 'static,
        R: UpdateResult,
    {
        self.session.update_read(T::KEY.name(), read, change)?;
        self.value = self.session.read_typed()?;
        Ok(())
    }

    /// Reads and changes the value in one atomic step, committed when this returns, as [`Session::transact`] does. For
    /// what may be used once, or is shown: of N requests that take the coupon out, exactly one gets it.
    ///
    /// # Errors
    /// As [`Session::transact`]; and [`Error::Decode`], as [`Session::typed`].
    pub async fn transact<R, E, F>(&mut self, mut change: F) -> Result<R, TransactError<E>>
    where
        F: FnMut(&mut T) -> Result<R, E> + Send,
        R: Send,
        E: Send,
    {
        let key = T::KEY;
        let transacted = self
            .session
            .transact(|values| {
                let stored = values.encoded(key.name());
                let mut value =
                    read(key.name(), stored.as_ref()).map_err(TransactError::Session)?;
                let before = values.encode(key, &value).map_err(TransactError::Session)?;
                let result = change(&mut value).map_err(TransactError::Aborted)?;
                let after = values.encode(key, &value).map_err(TransactError::Session)?;
                if after != before {
                    values
                        .put(key.name(), after)
                        .map_err(TransactError::Session)?;
                }
                Ok((result, value))
            })
            .await;
        match transacted {
            Ok((result, value)) => {
                self.value = value;
                Ok(result)
            }
            Err(TransactError::Aborted(inner)) => Err(inner),
            Err(TransactError::Session(error)) => Err(TransactError::Session(error)),
        }
    }
}

impl<T> Deref for Typed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.value).finish()
    }
}

fn read<T: SessionValue>(key: &str, stored: Option<&Encoded>) -> Result<T, Error> {
    let Some(Encoded { format, bytes }) = stored else {
        return Ok(T::default());
    };
    decode(key, *format, bytes).or_else(|error| {
        let old = OldValue {
            format: *format,
            bytes,
        };
        // What this program can't read at all may be perfectly good.
        let migrated = format.is_on().then(|| T::migrate(&old)).flatten();
        migrated.ok_or(error)
    })
}

#[cfg(all(test, not(feature = "cbor")))]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    struct Basket {
        items: Vec<u32>,
    }

    impl SessionValue for Basket {
        const KEY: Key<Self> = Key::new("basket");

        fn migrate(_: &OldValue<'_>) -> Option<Self> {
            Some(Self::default())
        }
    }

    #[test]
    fn a_format_that_was_not_compiled_in_is_an_error_and_no_old_form() {
        let stored = Encoded {
            format: Format::Cbor,
            bytes: b"\xa1\x65items\x80".as_slice().into(),
        };
        let refused = read::<Basket>("basket", Some(&stored));
        assert!(matches!(refused, Err(Error::Decode { .. })));
    }
}
