//! What a proxy has done so far, for tests to wait for.

/// What a proxy has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections that were accepted.
    pub connections: u64,
    /// Those of them that are open now.
    pub open: u64,
    /// Connections that [`Fault::Cut`](crate::Fault::Cut) closed.
    pub cut: u64,
    /// Connections that [`Fault::Reset`](crate::Fault::Reset) ended.
    pub reset: u64,
    /// How often a client spoke that had not spoken since the server last did, or at all.
    pub round_trips: u64,
    /// What went from clients to the server.
    pub requests: OneWay,
    /// What went from the server to clients.
    pub answers: OneWay,
}

/// What was done in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneWay {
    /// Bytes that were passed on.
    pub bytes: u64,
    /// How many pieces they were.
    pub pieces: u64,
    /// Bytes that were swallowed.
    pub swallowed: u64,
}
