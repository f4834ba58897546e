//! `axum_session` on the databases of sqlx 0.9.

use std::str::FromStr as _;

use axum::Router;
use axum_session_sqlx::{SessionMySqlPool, SessionPgPool, SessionSqlitePool};
use contestants::{Library, Store, axum_session};
use sqlx::mysql::MySqlPool;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};

const OPENS: &str = "the store opens";

/// All routes, with sessions in the database at `url`.
pub async fn router(library: Library, store: Store, url: &str) -> Router {
    match store {
        Store::Sqlite => {
            axum_session::on(library, SessionSqlitePool::from(sqlite(url).await)).await
        }
        Store::Postgres => {
            let pool = PgPool::connect(url).await.expect(OPENS);
            axum_session::on(library, SessionPgPool::from(pool)).await
        }
        Store::Mariadb => {
            let pool = MySqlPool::connect(url).await.expect(OPENS);
            axum_session::on(library, SessionMySqlPool::from(pool)).await
        }
        _ => panic!("not a database of sqlx"),
    }
}

/// As durable as this library's default.
async fn sqlite(url: &str) -> SqlitePool {
    let options = SqliteConnectOptions::from_str(url)
        .expect(OPENS)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    SqlitePool::connect_with(options).await.expect(OPENS)
}
