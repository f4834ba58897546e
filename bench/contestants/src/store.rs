//! Where sessions are kept while libraries are measured: the kinds of store, and who can use them.

use clap::ValueEnum;
use serde::Serialize;

use crate::contestant::{Contestant, Library};

/// A kind of store. Libraries are compared on the same kind, never across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// The memory of the server process.
    Memory,
    /// An SQLite file.
    Sqlite,
    /// A folder.
    File,
    /// A private PostgreSQL.
    Postgres,
    /// A private MariaDB.
    Mariadb,
    /// A private Redis.
    Redis,
    /// A private memcached.
    Memcached,
    /// The client: the session is the cookie. This library keeps none there.
    Cookie,
}

impl Store {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Memory,
        Self::Sqlite,
        Self::File,
        Self::Postgres,
        Self::Mariadb,
        Self::Redis,
        Self::Memcached,
        Self::Cookie,
    ];

    /// Its name on the command line.
    pub fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::File => "file",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Cookie => "cookie",
        }
    }

    /// Its name in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Memory => "Memory",
            Self::Sqlite => "SQLite",
            Self::File => "Files",
            Self::Postgres => "PostgreSQL",
            Self::Mariadb => "MariaDB",
            Self::Redis => "Redis",
            Self::Memcached => "memcached",
            Self::Cookie => "Cookie",
        }
    }

    /// Whether it is a program of its own.
    pub fn has_processes(self) -> bool {
        !matches!(
            self,
            Self::Memory | Self::Sqlite | Self::File | Self::Cookie
        )
    }

    /// Whether this library can keep sessions there.
    pub fn is_ours(self) -> bool {
        self != Self::Cookie
    }

    /// The libraries that can keep sessions there; this library first.
    pub fn contestants(self) -> Vec<Contestant> {
        use Library::{ActixSession, AxumSession, Ours, OursOnActix, OursPerThread, TowerSessions};
        let libraries: &[Library] = match self {
            Self::File | Self::Memcached => &[Ours, OursPerThread, OursOnActix],
            Self::Redis => &[
                Ours,
                OursPerThread,
                OursOnActix,
                TowerSessions,
                AxumSession,
                ActixSession,
            ],
            Self::Cookie => &[ActixSession],
            _ => &[Ours, OursPerThread, OursOnActix, TowerSessions, AxumSession],
        };
        let on_this = |library: &Library| Contestant {
            library: *library,
            store: self,
        };
        libraries.iter().map(on_this).collect()
    }

    /// The same, and `axum_session` by default where it has a database: what it loses compares with others, and what it costs
    /// does not, for it answers from memory.
    pub fn tried(self) -> Vec<Contestant> {
        let by_default = Contestant {
            library: Library::AxumSessionCached,
            store: self,
        };
        let has_database = matches!(
            self,
            Self::Sqlite | Self::Postgres | Self::Mariadb | Self::Redis
        );
        let by_default = has_database.then_some(by_default);
        self.contestants().into_iter().chain(by_default).collect()
    }

    /// The libraries, and the driver that this library's store is built on: with nothing around it, and with this library's
    /// sessions; in memory, where they are already on little else, with its promises by hand.
    pub fn served(self) -> Vec<Contestant> {
        let limits: &[Library] = match self {
            Self::Cookie => &[],
            Self::Memory => &[Library::BareDriver, Library::ByHand],
            _ => &[Library::BareDriver, Library::OnDriver],
        };
        let of = |library: &Library| Contestant {
            library: *library,
            store: self,
        };
        let limits = limits.iter().map(of);
        self.contestants().into_iter().chain(limits).collect()
    }
}
