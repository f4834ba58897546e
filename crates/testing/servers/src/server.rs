//! A running server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use crate::database::Database;
use crate::home::Home;
use crate::instance::{self, Instance};
use crate::kind::{Kind, Place};
use crate::processes::{self, server_in};
use crate::program::run;

/// A running server. Clones are the same server; it is there as long as one of them, or a [`Database`] of it, is.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    kind: &'static dyn Kind,
    place: Place,
    instance: Instance,
    ownership: Ownership,
}

enum Ownership {
    Shared,
    /// The process, unless it was killed.
    Private(Mutex<Option<Child>>),
}

impl Server {
    #[expect(
        clippy::zombie_processes,
        reason = "a shared server outlives the process that started it"
    )]
    pub(crate) fn shared(kind: &'static dyn Kind) -> Self {
        let home = Home::lock(kind);
        let instance = home.current().unwrap_or_else(|| {
            let instance = home.create(true);
            instance.start(false);
            home.set_current(&instance);
            instance
        });
        Self::of(kind, instance, Ownership::Shared)
    }

    pub(crate) fn start(kind: &'static dyn Kind) -> Self {
        let instance = Home::lock(kind).create(false);
        let child = instance.start(true);
        Self::of(kind, instance, Ownership::Private(Mutex::new(Some(child))))
    }

    fn of(kind: &'static dyn Kind, instance: Instance, ownership: Ownership) -> Self {
        Self(Arc::new(Inner {
            kind,
            place: instance.place(),
            instance,
            ownership,
        }))
    }

    /// Makes an empty database, which nobody else uses.
    ///
    /// # Panics
    ///
    /// When the server refuses to.
    pub fn database(&self) -> Database {
        let name = format!("test_{:016x}", fastrand::u64(..));
        self.run_sql(None, &format!("CREATE DATABASE {name}"));
        Database::new(self.clone(), name)
    }

    /// Where its data, log and socket are, as long as it is there.
    pub fn folder(&self) -> &Path {
        &self.0.place.folder
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.place.port
    }

    /// The certificate of the authority that signed the server's certificate, in PEM. The server's is for `localhost`
    /// and `127.0.0.1`.
    pub fn ca_certificate(&self) -> PathBuf {
        self.0.place.folder.join("tls/ca.pem")
    }

    /// Kills all processes of the server, and returns when they are gone. Does nothing if they are.
    ///
    /// # Panics
    ///
    /// When the server is shared.
    pub fn kill(&self) {
        let mut child = self
            .private()
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = server_in(&self.0.place.folder) {
            processes::kill(server);
        }
        if let Some(mut child) = child.take() {
            child.wait().expect("it is our child");
        }
    }

    /// Kills the server unless that was done, starts it again on the same data, sockets and port, and returns when it
    /// answers.
    ///
    /// # Panics
    ///
    /// When the server is shared, or does not start.
    pub fn restart(&self) {
        self.kill();
        let child = self
            .0
            .instance
            .start_again(true)
            .unwrap_or_else(|complaint| panic!("{complaint}"));
        *self
            .private()
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Stops all processes of the server where they are: it keeps its connections and answers nothing.
    ///
    /// # Panics
    ///
    /// When the server is shared or was killed.
    pub fn pause(&self) {
        self.private();
        processes::pause(server_in(&self.0.place.folder).expect("the server runs"));
    }

    /// Lets a paused server go on.
    ///
    /// # Panics
    ///
    /// When the server is shared or was killed.
    pub fn resume(&self) {
        self.private();
        processes::resume(server_in(&self.0.place.folder).expect("the server runs"));
    }

    pub(crate) fn run_sql(&self, database: Option<&str>, sql: &str) -> String {
        run(self.0.kind.client(&self.0.place, database, sql))
    }

    pub(crate) fn url(&self, database: &str) -> String {
        self.0.kind.url(&self.0.place, database)
    }

    pub(crate) fn socket_url(&self, database: &str) -> String {
        self.0.kind.socket_url(&self.0.place, database)
    }

    fn private(&self) -> &Mutex<Option<Child>> {
        match &self.0.ownership {
            Ownership::Private(child) => child,
            Ownership::Shared => {
                panic!("other tests use this server; start one for this test alone")
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("kind", &self.0.kind.name())
            .field("folder", &self.0.place.folder)
            .field("port", &self.0.place.port)
            .finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Ownership::Private(child) = &mut self.ownership {
            instance::end(self.kind, &self.place.folder);
            if let Some(child) = child.get_mut().unwrap_or_else(PoisonError::into_inner) {
                let _ = child.wait();
            }
        }
    }
}
