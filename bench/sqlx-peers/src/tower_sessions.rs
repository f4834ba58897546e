//! tower-sessions on the databases of sqlx 0.8.

use std::str::FromStr as _;

use axum::Router;
use contestants::{Store, tower_sessions};
use tower_sessions_sqlx_store::sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use tower_sessions_sqlx_store::sqlx::postgres::PgPool;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

const OPENS: &str = "the store opens";

/// All routes, with sessions in the database at `url`.
pub async fn router(store: Store, url: &str) -> Router {
    match store {
        Store::Sqlite => tower_sessions::on(sqlite(url).await),
        Store::Postgres => tower_sessions::on(postgres(url).await),
        Store::Mariadb => tower_sessions::on(mariadb(url).await),
        _ => panic!("not a database of sqlx"),
    }
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
