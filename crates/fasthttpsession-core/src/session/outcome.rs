//! What became of a commit.

/// What became of a commit that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// What happened.
    pub outcome: Outcome,
    /// How often another commit was first and this one was applied to what it left.
    pub conflicts: u32,
}

/// What happened to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was nothing to write.
    Unchanged,
    /// It is in the store.
    Committed,
    /// Somebody signed in to the session after it was loaded; nothing was written.
    Superseded,
    /// The session ended after it was loaded; nothing was written.
    Gone,
}
