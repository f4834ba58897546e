//! One HTTP exchange: begin it from the request, finish it into headers for the response. What every framework
//! adapter is made of, without the types of any.

use crate::error::Error;
use crate::session::Session;

/// One request and its response. Made by [`Sessions::begin`](crate::Sessions::begin); clones share it.
///
/// Nothing is read from the store until [`session`](Self::session) is awaited, and a request that never does costs no
/// store call.
#[derive(Clone)]
pub struct Exchange(());

impl Exchange {
    /// The session of this request, loaded at the first call. A visitor without one gets an empty session that becomes
    /// a record only if something is written to it.
    pub async fn session(&self) -> Result<Session, Error> { todo!() }

    /// Whether [`session`](Self::session) was asked for.
    pub fn is_loaded(&self) -> bool { todo!() }

    /// Whether this exchange was begun by `sessions` (or a clone of it).
    pub fn belongs_to(&self, sessions: &crate::Sessions) -> bool { todo!() }

    /// Commits, and says which headers the response needs. To be called once, when the handler has made its
    /// response and before the response's headers leave.
    ///
    /// On an error, the response is to be replaced by an error response (see [`Error::status`]).
    pub async fn finish(&self) -> Result<Vec<HeaderEdit>, Error> { todo!() }
}

/// A change to a response's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Append `Set-Cookie: {value}`, in place of any other that the response has for the cookie `name`.
    SetCookie {
        /// The cookie's name.
        name: String,
        /// The whole header value.
        value: String,
    },
    /// Append this header.
    Append {
        /// Lower-case name.
        name: &'static str,
        /// Value.
        value: &'static str,
    },
    /// Set this header unless the response has one of that name.
    Default {
        /// Lower-case name.
        name: &'static str,
        /// Value.
        value: &'static str,
    },
}
