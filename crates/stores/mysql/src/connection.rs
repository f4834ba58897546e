//! A connection of the store's own.

use std::ops::{Deref, DerefMut};

use futures_util::FutureExt as _;
use mysql_async::Conn;

/// Dropped, it is closed at once, by whatever thread. By itself the driver would leave that to a task, which would first
/// read all that is still to come, and do nothing before the runtime runs that it is of.
pub(crate) struct Connection(Option<Conn>);

impl Connection {
    pub(crate) fn new(conn: Conn) -> Self {
        Self(Some(conn))
    }
}

impl Deref for Connection {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            // However far it gets: a connection that has been told to disconnect is only dropped, and its socket with it.
            let _ = conn.disconnect().now_or_never();
        }
    }
}
