//! Serves a library that keeps its sessions in a database through sqlx. The benchmark builds and starts it.

use std::str::FromStr as _;

use clap::Parser;
use contestants::{Store, serve, tower_sessions};
use tower_sessions_sqlx_store::sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use tower_sessions_sqlx_store::sqlx::postgres::PgPool;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

/// Serves tower-sessions until the standard input is closed; prints the port.
#[derive(Parser)]
struct Cli {
    /// Where it keeps sessions.
    #[arg(long, value_enum)]
    store: Store,
    /// An empty database.
    #[arg(long)]
    url: String,
}

const OPENS: &str = "the store opens";

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Cli { store, url } = Cli::parse();
    serve(match store {
        Store::Sqlite => tower_sessions::on(sqlite(&url).await),
        Store::Postgres => tower_sessions::on(postgres(&url).await),
        Store::Mariadb => tower_sessions::on(mariadb(&url).await),
        _ => panic!("not a database of sqlx"),
    })
    .await
}

/// As durable as this library's default.
async fn sqlite(url: &str) -> SqliteStore {
    let options = SqliteConnectOptions::from_str(url)
        .expect(OPENS)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let store = SqliteStore::new(SqlitePool::connect_with(options).await.expect(OPENS));
    store.migrate().await.expect(OPENS);
    store
}

async fn postgres(url: &str) -> PostgresStore {
    let store = PostgresStore::new(PgPool::connect(url).await.expect(OPENS));
    store.migrate().await.expect(OPENS);
    store
}

/// In the URL's database: by default it makes one of its own, the same for all.
async fn mariadb(url: &str) -> MySqlStore {
    let options = MySqlConnectOptions::from_str(url).expect(OPENS);
    let database = options.get_database().expect("the URL names it").to_owned();
    let pool = MySqlPool::connect_with(options).await.expect(OPENS);
    let store = MySqlStore::new(pool)
        .with_schema_name(database)
        .expect(OPENS);
    store.migrate().await.expect(OPENS);
    store
}
