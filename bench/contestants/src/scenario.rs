//! What is measured of a server, and against what.

use serde::Serialize;

/// What is measured: a route, asked with a session's cookie or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A route outside the layer.
    Plain,
    /// A route inside a layer that does nothing: what axum takes for any layer.
    EmptyLayer,
    /// A route inside the layer that does not ask for its session.
    Layered,
    /// Reads one value.
    Read,
    /// Reads a number and adds one.
    Write,
    /// A route outside the layer, asked without a cookie.
    PlainVisitor,
    /// Asks for the session without a cookie, finds nothing, writes nothing.
    Visitor,
}

impl Scenario {
    /// All of them; each after its baseline.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::EmptyLayer,
        Self::Layered,
        Self::Read,
        Self::Write,
        Self::PlainVisitor,
        Self::Visitor,
    ];

    /// The path of its route.
    pub fn path(self) -> &'static str {
        match self {
            Self::Plain | Self::PlainVisitor => "/plain",
            Self::EmptyLayer => "/empty-layer",
            Self::Layered => "/layered",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Visitor => "/visitor",
        }
    }

    /// Whether its requests bring a session's cookie.
    pub fn has_cookie(self) -> bool {
        self.baseline() == Self::Plain
    }

    /// The same request to a route outside the layer.
    #[must_use]
    pub fn baseline(self) -> Self {
        match self {
            Self::PlainVisitor | Self::Visitor => Self::PlainVisitor,
            _ => Self::Plain,
        }
    }

    /// Its name on the command line and in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::EmptyLayer => "empty-layer",
            Self::Layered => "layered",
            Self::Read => "read",
            Self::Write => "write",
            Self::PlainVisitor => "plain-visitor",
            Self::Visitor => "visitor",
        }
    }
}
