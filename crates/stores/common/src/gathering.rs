//! Writes to a server once what many tasks have to say.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

/// A connection whose writes wait for one turn of the runtime while several calls are under way.
///
/// A driver that sends the commands of many tasks over one connection is woken by the first of them, and writes it at
/// once; each of the others then costs a system call of its own. This stream has the driver wait, before it writes,
/// until the tasks that are ready by then have run: what they have to say goes out in the same call. A call that is alone
/// is written at once.
///
/// Needs a writer that collects in a buffer of its own and flushes, as all of [`tokio_util::codec`] does.
///
/// [`tokio_util::codec`]: https://docs.rs/tokio-util/latest/tokio_util/codec/
#[derive(Debug)]
pub struct Gathering<S> {
    stream: S,
    calls: Calls,
    /// The turn that is waited for, or has been waited for since the last flush.
    turn: Option<Arc<Turn>>,
}

/// How many calls are under way on a connection.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicUsize>);

/// One turn of the runtime. Each command that comes meanwhile wakes the driver too, so that being woken does not tell that it
/// is over.
#[derive(Debug, Default)]
struct Turn {
    is_over: AtomicBool,
    driver: AtomicWaker,
}

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a AtomicUsize);

impl<S> Gathering<S> {
    /// Writes to `stream`, for `calls`.
    pub fn new(stream: S, calls: Calls) -> Self {
        Self {
            stream,
            calls,
            turn: None,
        }
    }
}

impl Calls {
    /// One more. It has to last until whoever made it goes on: those that were just answered are about to call again.
    pub fn begin(&self) -> UnderWay<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.0)
    }

    fn are_several(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

impl Turn {
    fn begin() -> Arc<Self> {
        let turn = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&turn));
        if pin!(yield_now())
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            turn.wake_by_ref();
        }
        turn
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.driver.register(context.waker());
        if self.is_over.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.driver.wake();
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
        if self.turn.is_none() && self.calls.are_several() {
            self.turn = Some(Turn::begin());
        }
        if let Some(turn) = &self.turn {
            ready!(turn.poll(context));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.turn = None;
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
