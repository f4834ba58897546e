//! What became of a commit.

/// What became of a commit that met no error.
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
