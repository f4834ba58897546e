//! Where the servers are: what stands in a URL before its settings.

use std::fmt;

use fasthttpsession_core::StoreError;
use fasthttpsession_memcached_client::Address;
use fasthttpsession_store_common::{Hidden, misconfigured};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de};

/// What a URL says before its `?`.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) servers: Servers,
    pub(crate) tls: bool,
    pub(crate) username: Option<Hidden>,
    pub(crate) password: Option<Hidden>,
}

/// The servers, in any order.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Servers(pub(crate) Vec<Address>);

impl Place {
    /// Reads `scheme://user:password@servers`.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(no_scheme)?;
        if !["memcached", "memcached+tls", "memcached+unix"].contains(&scheme) {
            return Err(no_scheme());
        }
        let (login, servers) = match rest.rsplit_once('@') {
            Some((login, servers)) => (login, servers),
            None => ("", rest),
        };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let servers = if scheme == "memcached+unix" {
            Servers::parse(&decoded(servers)?)?
        } else {
            Servers::parse(servers.strip_suffix('/').unwrap_or(servers))?
        };
        if (scheme == "memcached+unix") != servers.are_sockets() {
            return Err(misconfigured(
                "a URL of memcached names hosts after memcached:// and memcached+tls://, and paths of sockets after \
                 memcached+unix://",
            ));
        }
        Ok(Self {
            servers,
            tls: scheme == "memcached+tls",
            username: hidden(user)?,
            password: hidden(password)?,
        })
    }
}

impl Servers {
    /// Reads `host:port,host,/path/of/a/socket`.
    pub(crate) fn parse(list: &str) -> Result<Self, StoreError> {
        let read = |server: &str| {
            let read = server.trim().parse();
            read.map_err(|error| misconfigured(format!("the list of servers: {error}")))
        };
        list.split(',')
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn are_sockets(&self) -> bool {
        let is_socket = |server: &Address| server.to_string().starts_with('/');
        self.0.iter().all(is_socket)
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Servers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

fn hidden(text: &str) -> Result<Option<Hidden>, StoreError> {
    let given = !text.is_empty();
    let text = given.then(|| decoded(text)).transpose()?;
    Ok(text.map(Hidden::new))
}

fn decoded(text: &str) -> Result<String, StoreError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| {
        misconfigured("a part of a memcached URL is not UTF-8 once it is percent-decoded")
    })?;
    Ok(text.into_owned())
}

fn no_scheme() -> StoreError {
    misconfigured("a memcached URL begins with memcached://, memcached+tls:// or memcached+unix://")
}
