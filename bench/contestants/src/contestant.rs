//! Who is measured: a library on a store.

use clap::ValueEnum;
use serde::Serialize;

use crate::store::Store;
use crate::{actix_session, axum_session, ours, tower_sessions};

/// A library that keeps its sessions in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Contestant {
    /// The library.
    pub library: Library,
    /// Where it keeps sessions.
    pub store: Store,
}

impl Contestant {
    /// Whether it needs sqlx, and with that a program of its own.
    pub fn is_on_sqlx(self) -> bool {
        self.library != Library::Ours
            && matches!(self.store, Store::Sqlite | Store::Postgres | Store::Mariadb)
    }
}

/// The libraries that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// This library.
    Ours,
    /// tower-sessions.
    TowerSessions,
    /// `axum_session`.
    AxumSession,
    /// actix-session.
    ActixSession,
}

impl Library {
    /// All of them; this library first.
    pub const ALL: [Self; 4] = [
        Self::Ours,
        Self::TowerSessions,
        Self::AxumSession,
        Self::ActixSession,
    ];

    /// Its name on the command line and in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum-session",
            Self::ActixSession => "actix-session",
        }
    }

    /// What to know about its defaults when reading the figures.
    pub fn note(self) -> &'static str {
        match self {
            Self::Ours => ours::NOTE,
            Self::TowerSessions => tower_sessions::NOTE,
            Self::AxumSession => axum_session::NOTE,
            Self::ActixSession => actix_session::NOTE,
        }
    }
}
