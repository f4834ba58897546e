//! Who is measured. A contestant says how its library does what the routes ask for; the routes are the same for all.
//! A new one is a file beside these, and a line in each place where the compiler asks for it.

mod axum_session;
mod ours;
mod tower_sessions;

use axum::Router;
use axum::extract::FromRequestParts;
use clap::ValueEnum;
use serde::Serialize;

use crate::routes::routes;

/// The libraries that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// This library on its memory store.
    Ours,
    /// tower-sessions on its memory store.
    TowerSessions,
    /// `axum_session` without a database.
    AxumSession,
}

impl Name {
    /// All of them; this library first.
    pub const ALL: [Self; 3] = [Self::Ours, Self::TowerSessions, Self::AxumSession];

    /// Its name on the command line and in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum-session",
        }
    }

    /// The crate, as the lock file names it.
    pub fn package(self) -> &'static str {
        match self {
            Self::Ours => "fasthttpsession",
            Self::TowerSessions => "tower-sessions",
            Self::AxumSession => "axum_session",
        }
    }

    /// What to know about its defaults when reading the figures.
    pub fn note(self) -> &'static str {
        match self {
            Self::Ours => ours::NOTE,
            Self::TowerSessions => tower_sessions::NOTE,
            Self::AxumSession => axum_session::NOTE,
        }
    }

    /// All routes, with this library's layer around those that have one.
    pub async fn router(self) -> Router {
        match self {
            Self::Ours => routes::<ours::Ours>().await,
            Self::TowerSessions => routes::<tower_sessions::TowerSessions>().await,
            Self::AxumSession => routes::<axum_session::AxumSession>().await,
        }
    }
}

/// How a library does what the routes ask for, as its documentation would have it done. Whatever fails panics: a
/// benchmark of errors is worth nothing.
pub trait Contestant: 'static {
    /// What handlers take.
    type Session: FromRequestParts<()> + Send + Sync + 'static;

    /// Puts the library's layer around `routes`, with the library's defaults.
    fn layer(routes: Router) -> impl Future<Output = Router> + Send;

    /// The text under `key`; `None` without one.
    fn text(session: &Self::Session, key: &str) -> impl Future<Output = Option<String>> + Send;

    /// The number under `key`; 0 without one.
    fn number(session: &Self::Session, key: &str) -> impl Future<Output = u64> + Send;

    /// Sets `key` to the text `value`.
    fn set(session: &Self::Session, key: &str, value: &str) -> impl Future<Output = ()> + Send;

    /// Adds one to the number under `key`, with `pause` where a handler would wait for something else.
    fn add_one(
        session: &Self::Session,
        key: &'static str,
        pause: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = ()> + Send;

    /// Ends the session.
    fn logout(session: &Self::Session) -> impl Future<Output = ()> + Send;
}
