//! Sessions in the SQLite file that `STORE` names.

use std::error::Error;

use fasthttpsession::sqlite::SqliteConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `migrate` makes the file and its table.
    let config = SqliteConfig::new(setting("STORE", "sessions.db")).migrate(true);
    serve(config.open().await?).await
}
