//! A database of a test on a running server.

use crate::server::Server;

/// A database that only its test uses. Clones are the same one. The server lives as long as this value.
#[derive(Clone, Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    pub(crate) fn new(server: Server, name: String) -> Self {
        Self { server, name }
    }

    /// Its URL with user and password, through TCP.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL with user and password, through the Unix socket.
    pub fn socket_url(&self) -> String {
        self.server.socket_url(&self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Runs statements with the server's own client, and returns the rows that it prints.
    ///
    /// # Panics
    ///
    /// With the server's message, when a statement fails.
    pub fn run_sql(&self, sql: &str) -> String {
        self.server.run_sql(Some(&self.name), sql)
    }
}
