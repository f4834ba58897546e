//! Writes to a server once what many tasks have to say.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

/// A connection whose writes wait for one turn of the runtime.
///
/// A driver that sends the commands of many tasks over one connection is woken by the first of them, and writes it at
/// once; each of the others then costs a system call of its own. This stream has the driver wait, before it writes,
/// until the tasks that are ready by then have run: what they have to say goes out in the same call. Where nobody else
/// is ready, it costs one look at an empty queue.
///
/// Needs a writer that collects in a buffer of its own and flushes, as all of [`tokio_util::codec`] does.
///
/// [`tokio_util::codec`]: https://docs.rs/tokio-util/latest/tokio_util/codec/
#[derive(Debug)]
pub struct Gathering<S> {
    stream: S,
    /// Whether the turn has been waited for since the last flush.
    waited: bool,
}

impl<S> Gathering<S> {
    /// Writes to `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            waited: false,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.waited {
            self.waited = true;
            ready!(pin!(yield_now()).poll(context));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.waited = false;
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
