//! Where the servers are: what stands in a URL before its settings.

use std::fmt;
use std::path::PathBuf;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{Hidden, misconfigured};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de};

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// Reads `host`, `host:port` or `[address]:port`.
    pub(crate) fn parse(text: &str, default_port: u16) -> Result<Self, StoreError> {
        // It may be a part of a password that was not encoded, so no message shows it.
        let wrong = || {
            misconfigured(
                "a server of a Redis URL is written host, host:port or [address]:port, with a port from 1 to 65535",
            )
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => port_of(digits).ok_or_else(wrong)?,
            None if port.is_empty() => default_port,
            None => return Err(wrong()),
        };
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/@?,".contains(c);
        if host.is_empty() || host.contains(is_odd) {
            return Err(wrong());
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How the servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    One(Address),
    Cluster(Vec<Address>),
    Sentinels(Vec<Address>, String),
}

/// A name and a password; both may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<Hidden>,
    pub(crate) password: Option<Hidden>,
}

/// What a URL says before its `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) servers: Servers,
    pub(crate) tls: bool,
    pub(crate) login: Login,
    pub(crate) database: Option<u32>,
}

impl Place {
    /// Reads `scheme://user:password@servers/path`.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(no_scheme)?;
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Login::parse(login)?, rest),
            None => (Login::default(), rest),
        };
        let (servers, database) = match scheme {
            "redis" | "rediss" => one(rest)?,
            "redis+unix" => (Servers::One(socket(rest)?), None),
            "redis+cluster" | "rediss+cluster" => cluster(rest)?,
            "redis+sentinel" | "rediss+sentinel" => sentinels(rest)?,
            _ => return Err(no_scheme()),
        };
        Ok(Self {
            servers,
            tls: scheme.starts_with("rediss"),
            login,
            database,
        })
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, StoreError> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (text, None),
        };
        let user = (!user.is_empty()).then(|| decoded(user)).transpose()?;
        Ok(Self {
            user: user.map(Hidden::new),
            password: password.map(Hidden::new),
        })
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let url = String::deserialize(from)?;
        if url.contains('?') {
            return Err(de::Error::custom(
                "the settings stand beside the URL, not behind a `?` in it",
            ));
        }
        Self::parse(&url).map_err(de::Error::custom)
    }
}

fn one(rest: &str) -> Result<(Servers, Option<u32>), StoreError> {
    let (server, database) = split_path(rest);
    let address = Address::parse(server, 6379)?;
    Ok((Servers::One(address), number(database)?))
}

/// What is no path may be a password without the `@` behind it, so it is not shown.
fn socket(rest: &str) -> Result<Address, StoreError> {
    let path = decoded(rest)?;
    if !path.starts_with('/') {
        return Err(misconfigured(
            "the path of a socket in a Redis URL begins with a slash: redis+unix://user:password@/run/redis.sock",
        ));
    }
    Ok(Address::Unix(path.into()))
}

fn cluster(rest: &str) -> Result<(Servers, Option<u32>), StoreError> {
    let (nodes, path) = split_path(rest);
    if !path.is_empty() {
        return Err(misconfigured(
            "a Redis cluster has no databases: its URL ends after its nodes",
        ));
    }
    Ok((Servers::Cluster(addresses(nodes, 6379)?), None))
}

fn sentinels(rest: &str) -> Result<(Servers, Option<u32>), StoreError> {
    let (sentinels, path) = split_path(rest);
    let (name, database) = split_path(path);
    if name.is_empty() {
        return Err(misconfigured(
            "a URL of sentinels ends with the name of the primary: redis+sentinel://a,b,c/name",
        ));
    }
    let servers = Servers::Sentinels(addresses(sentinels, 26_379)?, decoded(name)?);
    Ok((servers, number(database)?))
}

fn addresses(list: &str, default_port: u16) -> Result<Vec<Address>, StoreError> {
    list.split(',')
        .map(|server| Address::parse(server, default_port))
        .collect()
}

fn split_path(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or((text, ""))
}

/// The port that `digits` write.
fn port_of(digits: &str) -> Option<u16> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| all_digits && *port > 0)
}

fn number(database: &str) -> Result<Option<u32>, StoreError> {
    if database.is_empty() {
        return Ok(None);
    }
    let number = database.parse().map_err(|_| {
        misconfigured("the path of a Redis URL is the number of a database: redis://host/0")
    })?;
    Ok(Some(number))
}

fn decoded(text: &str) -> Result<String, StoreError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| {
        misconfigured("a part of a Redis URL is not UTF-8 once it is percent-decoded")
    })?;
    Ok(text.into_owned())
}

fn no_scheme() -> StoreError {
    misconfigured(
        "a Redis URL begins with redis://, rediss://, redis+unix://, redis+cluster:// or redis+sentinel://",
    )
}
