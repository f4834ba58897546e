//! What commits meet on their way, for `tracing` and `metrics`.

use crate::token::Handle;

/// What commits meet on their way, for who watches contention.
#[derive(Clone, Copy)]
pub(crate) enum Met {
    /// A swap landed.
    Committed,
    /// Another commit was first.
    Conflict,
    /// No answer came, and the same swap goes again.
    Resent,
    /// Somebody signed in meanwhile; nothing was written.
    Superseded,
    /// The session ended meanwhile; nothing was written.
    Gone,
}

impl Met {
    /// Notes it, as far as `tracing` and `metrics` are compiled in.
    pub(crate) fn note(self, store: &'static str, handle: Handle) {
        let outcome = match self {
            Self::Committed => "committed",
            Self::Conflict => "conflict",
            Self::Resent => "resent",
            Self::Superseded => "superseded",
            Self::Gone => "gone",
        };
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "fasthttpsession", %handle, outcome, store, "session commit");
        #[cfg(feature = "metrics")]
        metrics::counter!("fasthttpsession_commits_total", "outcome" => outcome, "store" => store)
            .increment(1);
        let _ = (store, outcome, handle);
    }
}
