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
    /// Reads one value in a layer that has the session's expiry moved by every request.
    Touch,
    /// Mixed load: of 100 requests 90 read, 9 write, and 1 signs in or out.
    Mixed,
    /// A route outside the layer, asked without a cookie.
    PlainVisitor,
    /// Asks for the session without a cookie, finds nothing, writes nothing.
    Visitor,
    /// Signs in without a cookie: makes a session with an identity.
    SignIn,
}

impl Scenario {
    /// All of them; each after its baseline.
    pub const ALL: [Self; 10] = [
        Self::Plain,
        Self::EmptyLayer,
        Self::Layered,
        Self::Read,
        Self::Write,
        Self::Touch,
        Self::Mixed,
        Self::PlainVisitor,
        Self::Visitor,
        Self::SignIn,
    ];

    /// Those that are always the same request: all but the mixed load, which only connections can keep up.
    pub fn simple() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|scenario| *scenario != Self::Mixed)
    }

    /// The path of its route.
    pub fn path(self) -> &'static str {
        match self {
            Self::Plain | Self::PlainVisitor => "/plain",
            Self::EmptyLayer => "/empty-layer",
            Self::Layered => "/layered",
            Self::Read | Self::Mixed => "/read",
            Self::Touch => "/touch",
            Self::SignIn => "/sign-in",
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
            Self::PlainVisitor | Self::Visitor | Self::SignIn => Self::PlainVisitor,
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
            Self::Touch => "touch",
            Self::Mixed => "mixed",
            Self::SignIn => "sign-in",
        }
    }

    /// Its name in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Plain => "outside the layer",
            Self::EmptyLayer => "in a layer that does nothing",
            Self::Layered => "in the layer, not asking",
            Self::Read => "reading a value",
            Self::Write => "reading and adding one",
            Self::Touch => "reading a value, and touching",
            Self::Mixed => "mixed load",
            Self::PlainVisitor => "outside the layer, without a cookie",
            Self::Visitor => "a visitor without a session",
            Self::SignIn => "signing in",
        }
    }
}
