//! Writes to a server once what many tasks have to say.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose writes wait for the tasks that are ready while several calls are under way.
///
/// A driver that sends the commands of many tasks over one connection is woken by the first of them, and writes it at
/// once; each of the others then costs a system call of its own. This stream has the driver wait, before it writes,
/// until the tasks have run that are ready by then on its thread: what they have to say goes out in the same call. A call
/// that is alone is written at once.
///
/// Needs a writer that collects in a buffer of its own and flushes, as all of [`tokio_util::codec`] does.
///
/// [`tokio_util::codec`]: https://docs.rs/tokio-util/latest/tokio_util/codec/
#[derive(Debug)]
pub(crate) struct Gathering<S> {
    stream: S,
    calls: Calls,
    /// Whether it has waited since the last flush.
    has_waited: bool,
}

/// How many calls are under way on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

impl<S> Gathering<S> {
    /// Writes to `stream`, for `calls`.
    pub(crate) fn new(stream: S, calls: Calls) -> Self {
        Self {
            stream,
            calls,
            has_waited: false,
        }
    }
}

impl Calls {
    /// One more. It has to last until whoever made it goes on: those that were just answered are about to call again.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.0)
    }

    fn are_several(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.has_waited && self.calls.are_several() {
            self.has_waited = true;
            // Behind the tasks that are ready. What they say meanwhile does not wake it once more.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.has_waited = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}
