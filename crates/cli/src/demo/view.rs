//! What the demo shows of a session: the same for the page and the API.

use fasthttpsession::{Error, Session, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

/// A session as it was loaded. Times are milliseconds since 1970.
#[derive(Serialize)]
pub(super) struct View {
    /// `None` for a visitor without a session; so are the times.
    pub(super) handle: Option<String>,
    pub(super) new: bool,
    pub(super) principal: Option<String>,
    pub(super) created_at: Option<u64>,
    pub(super) idle_deadline: Option<u64>,
    pub(super) absolute_deadline: Option<u64>,
    pub(super) values: Map<String, Value>,
}

impl View {
    pub(super) fn of(session: &Session) -> Result<Self, Error> {
        Ok(Self {
            handle: session.handle().map(|handle| handle.to_string()),
            new: session.is_new(),
            principal: session
                .principal()
                .map(|principal| principal.as_str().to_owned()),
            created_at: session.created_at().map(Timestamp::as_millis),
            idle_deadline: session.idle_deadline().map(Timestamp::as_millis),
            absolute_deadline: session.absolute_deadline().map(Timestamp::as_millis),
            values: session.entries()?.into_iter().collect(),
        })
    }
}
