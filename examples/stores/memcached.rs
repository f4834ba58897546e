//! Sessions in the memcached servers that `STORE` names: gone when these restart, or need the room.

use std::error::Error;

use fasthttpsession::memcached::MemcachedConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = setting("STORE", "memcached://127.0.0.1");
    // Keeps its keys apart from those of other applications.
    let config = MemcachedConfig::from_url(&url)?.prefix("example:");
    serve(config.open().await?).await
}
