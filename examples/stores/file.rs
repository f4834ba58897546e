//! Sessions in files, one a session, in the folder that `STORE` names.

use std::error::Error;

use fasthttpsession::file::FileConfig;
use fasthttpsession_examples::{serve, setting};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `migrate` makes the folder.
    let config = FileConfig::new(setting("STORE", "sessions")).migrate(true);
    serve(config.open().await?).await
}
