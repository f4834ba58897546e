//! The contestants that this program can serve itself.

use axum::Router;
use axum_session_redispool::SessionRedisPool;
use contestants::{Contestant, Library, Store, axum_session, ours, tower_sessions};
use fasthttpsession::connect;
use redis_pool::SingleRedisPool;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

use crate::limit;
use crate::records::with_tables;

const OPENS: &str = "the store opens";

/// All routes, with the library's layer around those that have one and its sessions at `url`, which is empty.
///
/// # Panics
/// When the store doesn't open, or the library has another program to serve it.
pub async fn router(contestant: Contestant, url: &str) -> Router {
    match (contestant.library, contestant.store) {
        (Library::Ours | Library::OursPerThread, _) => {
            ours::on(connect(&with_tables(url)).await.expect(OPENS))
        }
        (Library::TowerSessions, Store::Memory) => {
            tower_sessions::on(tower_sessions::MemoryStore::default())
        }
        (Library::TowerSessions, Store::Redis) => tower_sessions::on(redis(url).await),
        (Library::AxumSession, Store::Memory) => axum_session::in_memory().await,
        (library @ (Library::AxumSession | Library::AxumSessionCached), Store::Redis) => {
            axum_session::on(library, redis_pool(url)).await
        }
        (Library::BareDriver, store) => limit::router(store, url).await.expect(OPENS),
        (Library::OnDriver, store) => limit::sessions::router(store, url).await.expect(OPENS),
        (Library::ByHand, Store::Memory) => limit::by_hand::router(),
        _ => panic!("this program can't serve {contestant:?}"),
    }
}

/// With the pool's own size.
fn redis_pool(url: &str) -> SessionRedisPool {
    let client = redis::Client::open(url).expect(OPENS);
    SingleRedisPool::from(client).into()
}

/// As its page has it.
async fn redis(url: &str) -> RedisStore<Pool> {
    let config = Config::from_url(url).expect(OPENS);
    let pool = Pool::new(config, None, None, None, 6).expect(OPENS);
    pool.init().await.expect(OPENS);
    RedisStore::new(pool)
}
