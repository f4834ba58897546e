//! Serves a library that keeps its sessions in a database through sqlx. The benchmark builds and starts it.

mod axum_session;
mod tower_sessions;

use clap::Parser;
use contestants::{Library, Store, serve};

/// Serves a library until the standard input is closed; prints the port.
#[derive(Parser)]
struct Cli {
    /// Which.
    #[arg(long, value_enum)]
    library: Library,
    /// Where it keeps sessions.
    #[arg(long, value_enum)]
    store: Store,
    /// An empty database.
    #[arg(long)]
    url: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Cli {
        library,
        store,
        url,
    } = Cli::parse();
    serve(match library {
        Library::TowerSessions => tower_sessions::router(store, &url).await,
        Library::AxumSession | Library::AxumSessionCached => {
            axum_session::router(library, store, &url).await
        }
        _ => panic!("not a library on sqlx"),
    })
    .await
}
