//! An empty store of each kind, for one test. A store that lies on a disk has a folder to itself, one on a server a
//! database or a prefix.
//!
//! # Panics
//!
//! All of them, when the store can't be opened.

use fasthttpsession::connect;
use fasthttpsession::memory::MemoryStore;
use fasthttpsession_conformance::http::Opened;
use fasthttpsession_servers::{
    Mariadb, Memcached, MemcachedServer, Postgres, Redis, RedisServer, Server,
};
use tempfile::TempDir;

/// Of this process.
pub fn memory() -> Opened {
    MemoryStore::new().into()
}

/// In a file.
pub async fn sqlite() -> Opened {
    in_a_folder("sqlite", "sessions.db").await
}

/// In files.
pub async fn file() -> Opened {
    in_a_folder("file", "sessions").await
}

/// In a database of a server that this process shares.
pub async fn postgres() -> Opened {
    in_a_database(Postgres::shared()).await
}

/// In a database of a server that this process shares.
pub async fn mariadb() -> Opened {
    in_a_database(Mariadb::shared()).await
}

/// Under a prefix on a server that this process shares.
pub async fn redis() -> Opened {
    under_a_prefix(Redis::shared(), RedisServer::url).await
}

/// Under a prefix on a server that this process shares.
pub async fn memcached() -> Opened {
    under_a_prefix(Memcached::shared(), MemcachedServer::url).await
}

/// Under a prefix on servers that this process shares.
pub async fn three_memcached() -> Opened {
    under_a_prefix(Memcached::shared_three(), url_of_all).await
}

fn url_of_all(servers: &[MemcachedServer; 3]) -> String {
    let places = servers.each_ref().map(|server| {
        let url = server.url();
        url.trim_start_matches("memcached://").to_owned()
    });
    format!("memcached://{}", places.join(","))
}

/// One that no other store has, also of a former process of this number. What tests leave on the servers expires by itself.
async fn under_a_prefix<S: Send + Sync + 'static>(servers: S, url: fn(&S) -> String) -> Opened {
    let prefix = format!("test-{:016x}:", fastrand::u64(..));
    opened(&format!("{}?prefix={prefix}", url(&servers)), servers).await
}

async fn in_a_database(server: Server) -> Opened {
    let database = server.database();
    opened(&format!("{}?migrate=true", database.url()), database).await
}

async fn in_a_folder(scheme: &str, name: &str) -> Opened {
    let folder = TempDir::new().expect("there is room for temporary files");
    let path = folder.path().join(name);
    opened(&format!("{scheme}:{}?migrate=true", path.display()), folder).await
}

async fn opened(url: &str, kept: impl Send + 'static) -> Opened {
    let store = connect(url)
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    Opened::keeping(store, kept)
}
