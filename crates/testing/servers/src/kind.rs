//! What kinds of servers differ in.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a server is reached.
pub(crate) struct Place {
    /// The server's folder; its Unix socket is in it.
    pub(crate) folder: PathBuf,
    /// On 127.0.0.1.
    pub(crate) port: u16,
}

impl Place {
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn tls(&self, file: &str) -> String {
        self.folder.join("tls").join(file).display().to_string()
    }
}

/// One kind of server.
pub(crate) trait Kind: Sync {
    fn name(&self) -> &'static str;

    /// Whose name the server runs under when the tests run as root.
    fn user(&self) -> &'static str;

    fn program(&self) -> PathBuf;

    /// Everything but the place: what the data folder and the behaviour of a server depend on.
    fn settings(&self, durable: bool) -> &'static [&'static str];

    /// The arguments that tell the server its place.
    fn placed(&self, place: &Place) -> Vec<String>;

    /// The commands that make an empty data folder.
    fn install(&self, data: &Path) -> Command;

    /// Whether the server answers at its Unix socket.
    fn answers(&self, place: &Place) -> bool;

    /// The signal that ends a server whose data nobody needs, without leaving anything in the kernel.
    fn end_signal(&self) -> &'static str;

    /// The client program, told to run `sql` in `database` through the Unix socket.
    fn client(&self, place: &Place, database: Option<&str>, sql: &str) -> Command;

    fn url(&self, place: &Place, database: &str) -> String;

    fn socket_url(&self, place: &Place, database: &str) -> String;
}

/// The user of all servers, and may do everything.
pub(crate) const USER: &str = "tester";

pub(crate) const PASSWORD: &str = "p@ss:word/1";

/// [`PASSWORD`] as URLs spell it.
pub(crate) const PASSWORD_IN_URLS: &str = "p%40ss%3Aword%2F1";
