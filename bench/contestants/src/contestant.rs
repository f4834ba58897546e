//! Who is measured: a library on a store.

use clap::ValueEnum;
use serde::Serialize;

use crate::scenario::Scenario;
use crate::store::Store;
use crate::{actix_session, axum_session, ours, ours_on_actix, tower_sessions};

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
        self.library.is_peer()
            && matches!(self.store, Store::Sqlite | Store::Postgres | Store::Mariadb)
    }
}

/// What to know about this library in another server.
const PER_THREAD: &str = "this library with the same defaults in axum, by a thread for each processor with a runtime of its own, as \
    actix-web has them, in place of one runtime on all threads; each has its own connections";
/// What to know about what is no library.
const BARE: &str = "what is left of a request if a library takes nothing: the cookie is a handle that is found by its text, the \
    record stays bytes, and writing reads them and puts others in their place by the driver below; no secret is checked, nothing \
    is decoded or applied";
const ON_DRIVER: &str = "this library, if its store took nothing beyond its driver: each call is made by the driver below, and \
    answered from memory";
const BY_HAND: &str = "what any library takes that promises the same: two routes that are written for memory alone, without a layer; \
    the secret is compared with its hash, what has expired is not there, what changed meanwhile is not overwritten, values are JSON";

/// The libraries that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// This library.
    Ours,
    /// This library, with a runtime on each thread.
    OursPerThread,
    /// This library, served by actix-web.
    OursOnActix,
    /// tower-sessions.
    TowerSessions,
    /// `axum_session`.
    AxumSession,
    /// `axum_session` with its defaults where it has a database: from the process's memory.
    AxumSessionCached,
    /// actix-session.
    ActixSession,
    /// None: the driver that this library's store is built on, with nothing around it.
    BareDriver,
    /// This library, but that driver in place of its store.
    OnDriver,
    /// None: this library's promises, written out for the routes that are measured.
    ByHand,
}

impl Library {
    /// All of them; this library first, and what is none for an application last.
    pub const ALL: [Self; 10] = [
        Self::Ours,
        Self::OursPerThread,
        Self::OursOnActix,
        Self::TowerSessions,
        Self::AxumSession,
        Self::AxumSessionCached,
        Self::ActixSession,
        Self::BareDriver,
        Self::OnDriver,
        Self::ByHand,
    ];

    /// Whether it is this one.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursPerThread | Self::OursOnActix)
    }

    /// Whether it is somebody else's.
    pub fn is_peer(self) -> bool {
        !self.is_ours() && !self.is_limit()
    }

    /// Whether it is none for an application, but shows what is in this library's way.
    fn is_limit(self) -> bool {
        matches!(self, Self::BareDriver | Self::OnDriver | Self::ByHand)
    }

    /// Whether it has a router of its own that can be called without a server.
    pub fn has_router(self) -> bool {
        !self.is_on_actix() && self != Self::OursPerThread
    }

    /// Whether it has routes for `scenario`.
    pub fn serves(self, scenario: Scenario) -> bool {
        match scenario {
            Scenario::Plain | Scenario::Read | Scenario::Write => true,
            // A layer is axum's.
            Scenario::EmptyLayer => !self.is_limit() && !self.is_on_actix(),
            _ => !self.is_limit(),
        }
    }

    /// Whether it is served by actix-web.
    fn is_on_actix(self) -> bool {
        matches!(self, Self::OursOnActix | Self::ActixSession)
    }

    /// Its name on the command line and in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursPerThread => "ours-per-thread",
            Self::OursOnActix => "ours-on-actix",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum-session",
            Self::AxumSessionCached => "axum-session-cached",
            Self::ActixSession => "actix-session",
            Self::BareDriver => "bare-driver",
            Self::OnDriver => "on-driver",
            Self::ByHand => "by-hand",
        }
    }

    /// What to know about its defaults when reading the figures.
    pub fn note(self) -> &'static str {
        match self {
            Self::Ours => ours::NOTE,
            Self::OursPerThread => PER_THREAD,
            Self::OursOnActix => ours_on_actix::NOTE,
            Self::TowerSessions => tower_sessions::NOTE,
            Self::AxumSession => axum_session::NOTE,
            Self::AxumSessionCached => axum_session::CACHED,
            Self::ActixSession => actix_session::NOTE,
            Self::BareDriver => BARE,
            Self::OnDriver => ON_DRIVER,
            Self::ByHand => BY_HAND,
        }
    }
}
