//! The client: one method a command, each sent to the server that holds the key.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::address::Address;
use crate::choice;
use crate::config::ClientConfig;
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::link::Link;
use crate::reply::Code;
use crate::request::{Answer, Command, Item, Request};
use crate::stream::Connector;
use crate::tls::Tls;

/// A client of one or several servers. Clones are the same client; with the last one its connections are closed.
///
/// See the [crate's page](crate). Every method answers within the [timeout](ClientConfig::timeout), unless it waits for
/// [another runtime](Self::again) that does not run; may be called by many tasks at once; and may be dropped half-way:
/// the command was then carried out or not, and nobody gets its answer.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    addresses: Vec<Address>,
    /// The servers' names, as keys are shared out by them.
    names: Vec<Box<str>>,
    /// For each server its connections.
    links: Vec<Vec<Link>>,
}

/// What [`Client::add`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The value was written, and has this `cas`.
    Added(u64),
    /// There is a value already; it stays.
    Exists,
}

/// What [`Client::swap`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The value was written, and has this `cas`.
    Swapped(u64),
    /// The value there is another one; it stays.
    Changed,
    /// There is no value; none was written.
    Missing,
}

/// What [`Client::delete`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The value was removed.
    Deleted,
    /// The value there is another one; it stays.
    Changed,
    /// There was no value.
    Missing,
}

impl Client {
    /// The longest key that memcached has.
    pub const MAX_KEY_BYTES: usize = 250;

    pub(crate) fn open(config: ClientConfig) -> Result<Self, Error> {
        check(&config)?;
        let limits = config.limits.clamped();
        let tls = config.tls.as_ref().map(Tls::new).transpose()?;
        let links = config.servers.iter().map(|address| {
            let connector = Connector::new(address, &config, tls.clone());
            let link = |_| Link::new(address.clone(), connector.clone(), limits);
            (0..limits.connections).map(link).collect()
        });
        Ok(Self(Arc::new(Inner {
            links: links.collect(),
            names: config.servers.iter().map(choice::name).collect(),
            addresses: config.servers,
        })))
    }

    /// A client of the same servers, with connections of its own. Those of a client are made in the tokio runtime that
    /// first needs them, which drives them, and end with it; then others are made where they are needed next. So a program
    /// that has several runtimes had better have a client for each.
    #[must_use]
    pub fn again(&self) -> Self {
        let again = |links: &Vec<Link>| links.iter().map(Link::again).collect();
        Self(Arc::new(Inner {
            links: self.0.links.iter().map(again).collect(),
            names: self.0.names.clone(),
            addresses: self.0.addresses.clone(),
        }))
    }

    /// Reads the value of `key`; `None` if there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        match self.ask(key, Command::Get).await? {
            Answer::Found(item) => Ok(item),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes a value under a key that has none.
    pub async fn add(&self, key: &str, value: Bytes, expiry: Expiry) -> Result<Added, Error> {
        match self.ask(key, Command::Add(value, expiry)).await? {
            Answer::Code(Code::Done, Some(cas)) => Ok(Added::Added(cas)),
            Answer::Code(Code::NotStored, _) => Ok(Added::Exists),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes `value` in place of the one that has this `cas`.
    pub async fn swap(
        &self,
        key: &str,
        cas: u64,
        value: Bytes,
        expiry: Expiry,
    ) -> Result<Swapped, Error> {
        match self.ask(key, Command::Swap(cas, value, expiry)).await? {
            Answer::Code(Code::Done, Some(cas)) => Ok(Swapped::Swapped(cas)),
            Answer::Code(Code::Changed, _) => Ok(Swapped::Changed),
            Answer::Code(Code::Missing, _) => Ok(Swapped::Missing),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes the value that has this `cas`; without one, whatever is there.
    pub async fn delete(&self, key: &str, cas: Option<u64>) -> Result<Deleted, Error> {
        match self.ask(key, Command::Delete(cas)).await? {
            Answer::Code(Code::Done, _) => Ok(Deleted::Deleted),
            Answer::Code(Code::Changed, _) => Ok(Deleted::Changed),
            Answer::Code(Code::Missing, _) => Ok(Deleted::Missing),
            other => Err(unexpected(&other)),
        }
    }

    /// The servers, in the order in which they were given.
    pub fn servers(&self) -> &[Address] {
        &self.0.addresses
    }

    /// The server that holds `key`.
    pub fn server_of(&self, key: &str) -> &Address {
        &self.0.addresses[choice::choose(&self.0.names, key)]
    }

    /// Whether `server` answers. One that is not in the list is [`Invalid`](ErrorKind::Invalid).
    pub async fn ping(&self, server: &Address) -> Result<(), Error> {
        let place = self.0.addresses.iter().position(|one| one == server);
        let Some(links) = place.map(|place| &self.0.links[place]) else {
            return Err(invalid("it is not one of the servers").at(server));
        };
        match links[0].ask(Request::ping()).await? {
            Answer::Pong => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, key: &str, command: Command) -> Result<Answer, Error> {
        let request = Request::new(key, command)?;
        let links = &self.0.links[choice::choose(&self.0.names, key)];
        links[choice::spread(key, links.len())].ask(request).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("servers", &self.0.addresses)
            .finish_non_exhaustive()
    }
}

fn check(config: &ClientConfig) -> Result<(), Error> {
    let servers = &config.servers;
    if servers.is_empty() {
        return Err(invalid("no server was named"));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = servers.iter().find(|server| !seen.insert(*server)) {
        return Err(invalid("it was named twice").at(twice));
    }
    let sendable = |credentials: &crate::config::Credentials| credentials.are_sendable();
    if !config.credentials.as_ref().is_none_or(sendable) {
        return Err(invalid(
            "a user and a password have 1 to 256 bytes each, without white space and control characters",
        ));
    }
    let has_socket = servers.iter().find(|server| server.is_unix());
    if let (Some(socket), Some(_)) = (has_socket, &config.tls) {
        return Err(invalid("TLS needs the name of a host, and this is a Unix socket").at(socket));
    }
    Ok(())
}

fn invalid(sentence: &str) -> Error {
    Error::new(ErrorKind::Invalid, sentence)
}

/// The code is one that no version of memcached gives to this command.
fn unexpected(answer: &Answer) -> Error {
    let sentence = match answer {
        Answer::Code(code, _) => format!("it answered {code:?}, which makes no sense here"),
        _ => "it answered what makes no sense here".to_owned(),
    };
    Error::new(ErrorKind::Protocol, sentence).sent()
}
