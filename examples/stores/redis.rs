//! Sessions in the Redis or Valkey server, Cluster or Sentinel that `STORE` names.

use std::error::Error;

use fasthttpsession::redis::RedisConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = setting("STORE", "redis://127.0.0.1");
    // Keeps its keys apart from those of other applications.
    let config = RedisConfig::from_url(&url)?.prefix("example:");
    serve(config.open().await?).await
}
