//! How long a store takes, and how it fails, told to `tracing` and `metrics` as far as they are compiled in. Without them,
//! an operation is what it was.

use super::StoreError;

/// Runs one `operation` of the store named `store`; nothing is told without a name.
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
pub(super) fn timed<T, F>(_: Option<&'static str>, _: &'static str, running: F) -> F
where
    F: Future<Output = Result<T, StoreError>>,
{
    running
}

/// Runs one `operation` of the store named `store`; nothing is told without a name.
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(super) async fn timed<T, F>(
    store: Option<&'static str>,
    operation: &'static str,
    running: F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let Some(store) = store else {
        return running.await;
    };
    let start = std::time::Instant::now();
    #[cfg(feature = "tracing")]
    let running = tracing::Instrument::instrument(
        running,
        tracing::debug_span!(target: "fasthttpsession", "session store", operation, store),
    );
    let answer = running.await;
    note(store, operation, start.elapsed(), answer.as_ref().err());
    answer
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
fn note(
    store: &'static str,
    operation: &'static str,
    took: std::time::Duration,
    error: Option<&StoreError>,
) {
    #[cfg(feature = "metrics")]
    metrics::histogram!("fasthttpsession_store_seconds", "operation" => operation, "store" => store)
        .record(took);
    let Some(error) = error else { return };
    #[cfg(feature = "metrics")]
    metrics::counter!(
        "fasthttpsession_store_errors_total",
        "operation" => operation, "store" => store, "kind" => error.kind().name()
    )
    .increment(1);
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "fasthttpsession", operation, store, took = ?took, %error, "the session store failed");
    let _ = (took, error);
}
