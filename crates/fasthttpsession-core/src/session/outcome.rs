//! What became of a commit.

/// What became of a commit that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was nothing to write.
    Unchanged,
    /// It is in the store.
    Committed,
    /// Values, label and lifetimes are in the store, but no rotation, re-authentication or credential stamp that was to go with
    /// them: another request gave the session a new secret after it was loaded. Who did not get that signs in again.
    Overtaken,
    /// Somebody signed in to the session after it was loaded; nothing was written.
    Superseded,
    /// The session ended after it was loaded; nothing was written.
    Gone,
}
