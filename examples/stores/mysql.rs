//! Sessions in a table of the MySQL or MariaDB database that `STORE` names.

use std::error::Error;

use fasthttpsession::mysql::MysqlConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = setting("STORE", "mysql://root:secret@127.0.0.1/test");
    // `migrate` makes the table.
    let config = MysqlConfig::from_url(&url)?.migrate(true);
    serve(config.open().await?).await
}
