//! What a store keeps for one session: a [`Header`] that it may read, and a body that it must not. What the body
//! says stands in `record/envelope.rs` and concerns no store.

mod bytes;
pub(crate) mod commits;
pub(crate) mod envelope;
#[cfg(feature = "encryption")]
pub(crate) mod protection;
#[cfg(not(feature = "encryption"))]
#[path = "record/unprotected.rs"]
pub(crate) mod protection;
pub(crate) mod secrets;

use std::fmt;

use ::bytes::Bytes;
use thiserror::Error;

use crate::time::Timestamp;

pub use self::bytes::InvalidRecord;

/// What a store keeps for one session.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What stores may read, compare and index.
    pub header: Header,
    /// Hashes of the session's secrets, its values and all else. Opaque to stores: kept and returned byte for byte.
    pub body: Bytes,
}

/// The part of a [`Record`] that stores may read, compare and index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 at creation, one more at each replacement. A touch leaves it alone. At most `i64::MAX`.
    pub version: u64,
    /// When the session was created.
    pub created_at: Timestamp,
    /// When the session ends unless it is used before.
    pub idle_deadline: Timestamp,
    /// When the session ends however much it is used.
    pub absolute_deadline: Timestamp,
    /// Who the session belongs to; `None` before sign-in.
    pub principal: Option<Principal>,
    /// What the application noted about the session (a device, an address).
    pub label: Option<Label>,
}

impl Header {
    /// The earlier of the two deadlines. From that moment on the record counts as absent.
    pub fn expires_at(&self) -> Timestamp {
        self.idle_deadline.min(self.absolute_deadline)
    }

    /// Whether the record still counts at `now`. At its deadline it no longer does.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }
}

impl Record {
    /// The most bytes a principal or a label may have.
    pub const MAX_TEXT_BYTES: usize = 255;

    /// [`Header::is_live`] of this record.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.header.is_live(now)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("header", &self.header)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Declares a text of 1 to 255 bytes without control characters, which every store can keep and index.
macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes `text` if it is 1 to 255 bytes long and has no control characters.
            pub fn new(text: &str) -> Result<Self, InvalidText> {
                check_text($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

short_text! {
    /// Who a session belongs to once signed in: the application's name for a user, 1 to 255 bytes.
    Principal, "principal"
}

short_text! {
    /// What an application notes about a session to show it in a list: 1 to 255 bytes.
    Label, "label"
}

/// A principal or a label that no store could keep.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// It has no characters.
    #[error("a {what} has at least one character")]
    Empty {
        /// "principal" or "label".
        what: &'static str,
    },
    /// It is longer than [`Record::MAX_TEXT_BYTES`].
    #[error("a {what} has at most 255 bytes, this one has {bytes}")]
    TooLong {
        /// "principal" or "label".
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has a control character, which some stores can't keep.
    #[error("a {what} must not have control characters")]
    Control {
        /// "principal" or "label".
        what: &'static str,
    },
}

fn check_text(what: &'static str, text: &str) -> Result<(), InvalidText> {
    if text.is_empty() {
        return Err(InvalidText::Empty { what });
    }
    if text.len() > Record::MAX_TEXT_BYTES {
        return Err(InvalidText::TooLong {
            what,
            bytes: text.len(),
        });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidText::Control { what });
    }
    Ok(())
}
