//! Where servers are.

use std::net::Ipv6Addr;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::misconfigured;
use serde::{Deserialize, Deserializer, de};
use tokio_postgres::config::Host as Place;

/// One server or several: names, addresses or folders of Unix sockets, each with a port of its own if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<(String, Option<u16>)>);

impl Hosts {
    /// Reads `db1,db2:5433,[::1]:5434,/run/postgresql`.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        // It may be a part of a password, so no message shows it.
        let hosts: Option<Vec<_>> = text.split(',').map(host).collect();
        hosts.map(Self).ok_or_else(|| {
            misconfigured(
                "what is given names no server of postgres: there is one or several with commas between, each like \
                 db1, db1:5433, [::1]:5433 or /run/postgresql",
            )
        })
    }

    /// The servers of `url`, which was read as `config`; `None` if it has none. The driver gives every host a port, so
    /// only the text tells whether it has one of its own.
    pub(crate) fn of(url: &str, config: &tokio_postgres::Config) -> Option<Self> {
        let texts = authority(url).split(',');
        let places = config.get_hosts().iter().zip(config.get_ports());
        let hosts: Vec<_> = places
            .zip(texts)
            .map(|((place, port), text)| (name(place), has_port(text).then_some(*port)))
            .collect();
        (!hosts.is_empty()).then_some(Self(hosts))
    }

    /// Whether each has a port of its own.
    pub(crate) fn have_ports(&self) -> bool {
        self.0.iter().all(|(_, port)| port.is_some())
    }

    /// For each of them `config`, to which it is added.
    pub(crate) fn each(
        &self,
        config: &tokio_postgres::Config,
        port: u16,
    ) -> Vec<tokio_postgres::Config> {
        let with = |(host, own_port): &(String, Option<u16>)| {
            let mut config = config.clone();
            config.host(host).port(own_port.unwrap_or(port));
            config
        };
        self.0.iter().map(with).collect()
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self(vec![("localhost".to_owned(), None)])
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// What stands between user and database.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let hosts = rest.split_once('@').map_or(rest, |(_, hosts)| hosts);
    hosts.split('/').next().unwrap_or(hosts)
}

fn has_port(host: &str) -> bool {
    let behind_address = host.rsplit(']').next().unwrap_or(host);
    behind_address.contains(':')
}

fn name(place: &Place) -> String {
    match place {
        Place::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Place::Unix(folder) => folder.display().to_string(),
    }
}

/// Where the only server of `config` listens.
pub(crate) fn place(config: &tokio_postgres::Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or_default();
    match config.get_hosts().first() {
        Some(Place::Tcp(host)) if host.contains(':') => format!("[{host}]:{port}"),
        Some(Place::Tcp(host)) => format!("{host}:{port}"),
        #[cfg(unix)]
        Some(Place::Unix(folder)) => folder
            .join(format!(".s.PGSQL.{port}"))
            .display()
            .to_string(),
        None => "postgres".to_owned(),
    }
}

fn host(text: &str) -> Option<(String, Option<u16>)> {
    let (name, rest) = if let Some(bracketed) = text.strip_prefix('[') {
        bracketed.split_once(']')?
    } else if text.parse::<Ipv6Addr>().is_ok() {
        (text, "")
    } else {
        text.split_at(text.find(':').unwrap_or(text.len()))
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(port_of(digits)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/?".contains(c);
    let is_folder = name.starts_with('/');
    let is_wrong = name.is_empty() || name.contains('@') || !is_folder && name.contains(is_odd);
    (!is_wrong).then(|| (name.to_owned(), port))
}

/// The port that `digits` write.
fn port_of(digits: &str) -> Option<u16> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| all_digits && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_an_address_or_a_folder_and_may_have_its_own_port() {
        let hosts =
            Hosts::parse("db1,db2:5433,[::1]:5434,::1,/run/postgresql,/run/my db:5435").unwrap();
        let want = [
            ("db1", None),
            ("db2", Some(5433)),
            ("::1", Some(5434)),
            ("::1", None),
            ("/run/postgresql", None),
            ("/run/my db", Some(5435)),
        ];
        assert_eq!(hosts.0, want.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for text in [
            "",
            ",",
            "db1,",
            "db1:port",
            ":5432",
            "[::1",
            "db1:70000",
            "db1:0",
            "db1:+5432",
            "db1: 5432",
            "db1:",
            "db1:5432:5433",
            "db 1",
            " db1",
            "db1, db2",
            "db1\n",
            "db1?",
            "[]:5432",
            "[::1]5432",
            "[::1]:",
            "web@db1",
            "web@/run/postgresql",
            "web/run/postgresql",
        ] {
            assert_eq!(
                Hosts::parse(text).expect_err(text).kind(),
                fasthttpsession_core::StoreErrorKind::Misconfigured
            );
        }
    }
}
