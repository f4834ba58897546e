//! Where a server listens.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// Where a server listens: `host:port`, `host` (port 11211), `[::1]:port`, or the absolute path of a Unix socket.
///
/// Its text is also the server's name when keys are [shared out](crate#several-servers): the same server under another
/// spelling is another server.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Arc<Place>);

#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// The port of a host that is given without one.
const DEFAULT_PORT: u16 = 11211;

impl Address {
    /// A host by name or number.
    pub fn tcp(host: &str, port: u16) -> Self {
        Self(Arc::new(Place::Tcp {
            host: host.to_owned(),
            port,
        }))
    }

    /// A Unix socket.
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self(Arc::new(Place::Unix(path.as_ref().to_owned())))
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(*self.0, Place::Unix(_))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads what `Display` writes; the port may be left out.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.starts_with('/') {
            return Ok(Self::unix(text));
        }
        let (host, port) = split_port(text).ok_or_else(invalid)?;
        if host.is_empty()
            || host
                .chars()
                .any(|c| c.is_whitespace() || "/@?,".contains(c))
        {
            return Err(invalid());
        }
        Ok(Self::tcp(host, port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn split_port(text: &str) -> Option<(&str, u16)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        return Some((host, port(rest)?));
    }
    match text.find(':') {
        Some(colon) => Some((&text[..colon], port(&text[colon..])?)),
        None => Some((text, DEFAULT_PORT)),
    }
}

/// Reads `:port`, or nothing.
fn port(text: &str) -> Option<u16> {
    if text.is_empty() {
        return Some(DEFAULT_PORT);
    }
    let digits = text.strip_prefix(':')?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| all_digits && *port > 0)
}

/// Does not show what was read: it may be a part of a password that was not encoded.
fn invalid() -> Error {
    let sentence =
        "an address of a memcached server is host:port, [address]:port or the path of a socket";
    Error::new(ErrorKind::Invalid, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let read = [
            ("cache-1", "cache-1:11211"),
            ("cache-1:1", "cache-1:1"),
            ("10.0.0.1:65535", "10.0.0.1:65535"),
            ("[::1]", "[::1]:11211"),
            ("[fe80::1]:7", "[fe80::1]:7"),
            ("/run/memcached.sock", "/run/memcached.sock"),
        ];
        for (text, written) in read {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse::<Address>().expect(written), address);
        }
    }

    #[test]
    fn an_error_shows_nothing_that_may_be_a_password() {
        for text in ["web:s3cret@cache-1", "web:s3cret", "s3cret@cache-1"] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong = [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "::1",
            "[::1",
            "[::1]x",
            "a b",
            "a,b",
            "u@h",
            "relative/path",
        ];
        for text in wrong {
            let error = text.parse::<Address>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
        }
    }
}
