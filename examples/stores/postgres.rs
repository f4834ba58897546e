//! Sessions in a table of the PostgreSQL database that `STORE` names.

use std::error::Error;

use fasthttpsession::postgres::PostgresConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = setting("STORE", "postgres://postgres:secret@127.0.0.1/postgres");
    // `migrate` makes the table.
    let config = PostgresConfig::from_url(&url)?.migrate(true);
    serve(config.open().await?).await
}
