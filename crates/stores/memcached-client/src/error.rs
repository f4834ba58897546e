//! How a request fails.

use std::error::Error as StdError;
use std::fmt;

use crate::address::Address;

/// A request that failed: what kind of failure, at which server, while doing what, and why. Never shows a password or a
/// value.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    server: Option<Address>,
    doing: &'static str,
    detail: Box<str>,
    may_have_applied: bool,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made. Nothing was sent.
    Unreachable,
    /// The connection ended before the answer came.
    Disconnected,
    /// The answer did not come in time.
    Timeout,
    /// As many requests or bytes wait for the server as may. Nothing was sent.
    Overloaded,
    /// The value is larger than the server keeps, or than this client reads.
    TooLarge,
    /// The server has no memory for the value. What it held under the key is gone.
    OutOfMemory,
    /// The server wants a name and a password, or others than it was given.
    Authentication,
    /// The server refused the request; or somebody between, who may have passed it on.
    Refused,
    /// The server answered what it may not. The connection was closed.
    Protocol,
    /// A key that memcached can't have, or settings that can't work. Nothing was sent.
    Invalid,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            server: None,
            doing: "",
            detail: detail.into(),
            may_have_applied: false,
        }
    }

    /// The request may have reached the server, or may yet.
    pub(crate) fn sent(mut self) -> Self {
        self.may_have_applied = true;
        self
    }

    pub(crate) fn at(mut self, server: &Address) -> Self {
        self.server = Some(server.clone());
        self
    }

    pub(crate) fn doing(mut self, doing: &'static str) -> Self {
        self.doing = doing;
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the request may have taken effect, or may yet. `false`: it certainly had none, and never will. Only a server
    /// that is [`OutOfMemory`](ErrorKind::OutOfMemory) has removed what it held under the key.
    pub fn may_have_applied(&self) -> bool {
        self.may_have_applied
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.doing.is_empty() {
            write!(f, "{}: ", self.doing)?;
        }
        match &self.server {
            Some(server) => write!(f, "memcached at {server}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl StdError for Error {}
