//! Any store that was compiled in, from a URL.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use fasthttpsession_core::{AnyStore, StoreError};

/// Opens the store that `url` names by its scheme. Settings stand behind a `?`; each store's page lists its own.
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:`, `memory:?capacity=100000` | the memory of this process | `memory` |
/// | `sqlite:sessions.db?migrate=true` | an SQLite file | `sqlite` |
/// | `file:/var/lib/app/sessions?migrate=true` | a folder, a file a session | `file` |
/// | `postgres://user:password@host/database`, `postgresql://…` | PostgreSQL | `postgres` |
/// | `mysql://user:password@host/database`, `mariadb://…` | MySQL or MariaDB | `mysql` |
/// | `redis://user:password@host` | Redis or Valkey | `redis` |
/// | `rediss://host` | the same over TLS | `redis` |
/// | `redis+unix:///path` | the same by its Unix socket | `redis` |
/// | `redis+cluster://host1,host2` | a Redis Cluster; over TLS `rediss+cluster` | `redis` |
/// | `redis+sentinel://host1,host2/name` | the primary that Sentinel names; over TLS `rediss+sentinel` | `redis` |
/// | `memcached://host1,host2` | memcached, one server or several | `memcached` |
/// | `memcached+tls://host` | the same over TLS | `memcached`, `tls` |
/// | `memcached+unix:///path` | the same by its Unix socket | `memcached` |
///
/// Where sessions need a table or a folder, `migrate=true` makes it, or brings it up to date; without it, what is
/// missing is an error that says how to mend it. All but the memory store need a tokio runtime.
///
/// # Errors
/// [`ConnectError`], which says what is wrong with the URL or with the store, and shows no password.
pub async fn connect(url: &str) -> Result<AnyStore, ConnectError> {
    let (scheme, _) = url
        .split_once(':')
        .filter(|(scheme, _)| is_scheme(scheme))
        .ok_or(ConnectError::NoScheme)?;
    match scheme {
        "memory" => memory(url),
        "sqlite" => sqlite(url).await,
        "file" => file(url).await,
        "postgres" | "postgresql" => postgres(url).await,
        "mysql" | "mariadb" => mysql(url).await,
        "redis" | "rediss" => redis(url).await,
        "memcached" | "memcached+tls" | "memcached+unix" => memcached(url).await,
        family if family.starts_with("redis+") || family.starts_with("rediss+") => redis(url).await,
        _ => Err(ConnectError::UnknownScheme {
            scheme: scheme.to_owned(),
            own: Vec::new(),
        }),
    }
}

/// As RFC 3986 has it, section 3.1. What is none is no part of a URL, and may be a password.
pub(crate) fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Why a URL gave no store. `Debug` is the sentence, too, for that is what `main` prints of the error that it returns. It
/// shows no password.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConnectError {
    /// It does not begin with a scheme and a colon.
    NoScheme,
    /// No store has this scheme.
    UnknownScheme {
        /// What stands before the colon.
        scheme: String,
        /// The schemes of the application's own stores, where the URL was given to [`Stores`](crate::Stores).
        own: Vec<String>,
    },
    /// The store was not compiled in.
    FeatureOff {
        /// The feature of this crate that turns it on, which is named like the store.
        feature: &'static str,
    },
    /// The application's own function did not open the store.
    Own {
        /// Its scheme.
        scheme: String,
        /// What the function returned.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The store has a setting that it can't use, or could not be opened.
    Store(StoreError),
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => {
                f.write_str("a store's URL begins with a scheme, like memory: or sqlite:")
            }
            Self::UnknownScheme { scheme, own } => {
                write!(f, "no store has the scheme {scheme:?}; there are ")?;
                own.iter().try_for_each(|own| write!(f, "{own}:, "))?;
                f.write_str("memory:, sqlite:, file:, postgres:, mysql:, redis: and memcached:")
            }
            Self::FeatureOff { feature } => write!(
                f,
                "the store {feature}: was not compiled in; turn on the feature {feature:?}"
            ),
            Self::Own { scheme, source } => {
                write!(f, "the store {scheme}: could not be opened: {source}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConnectError {
    /// What lies beneath that which the sentence has.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Own { source, .. } => source.source(),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(feature = "memory")]
fn memory(url: &str) -> Result<AnyStore, ConnectError> {
    let config = fasthttpsession_memory::MemoryConfig::from_url(url)?;
    Ok(AnyStore::new(config.build()))
}

#[cfg(not(feature = "memory"))]
fn memory(_: &str) -> Result<AnyStore, ConnectError> {
    Err(ConnectError::FeatureOff { feature: "memory" })
}

/// A function that opens a store by the configuration in its URL, if the store's feature is on.
macro_rules! opened_by_url {
    ($store:ident, $feature:literal, $config:path) => {
        #[cfg(feature = $feature)]
        async fn $store(url: &str) -> Result<AnyStore, ConnectError> {
            Ok(AnyStore::new(<$config>::from_url(url)?.open().await?))
        }

        #[cfg(not(feature = $feature))]
        async fn $store(_: &str) -> Result<AnyStore, ConnectError> {
            Err(ConnectError::FeatureOff { feature: $feature })
        }
    };
}

opened_by_url!(sqlite, "sqlite", fasthttpsession_sqlite::SqliteConfig);
opened_by_url!(file, "file", fasthttpsession_file::FileConfig);
opened_by_url!(
    postgres,
    "postgres",
    fasthttpsession_postgres::PostgresConfig
);
opened_by_url!(mysql, "mysql", fasthttpsession_mysql::MysqlConfig);
opened_by_url!(redis, "redis", fasthttpsession_redis::RedisConfig);
opened_by_url!(
    memcached,
    "memcached",
    fasthttpsession_memcached::MemcachedConfig
);

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: &str) -> ConnectError {
        connect(url).await.expect_err("not a store's URL")
    }

    #[tokio::test]
    async fn a_url_that_names_no_store_is_refused_with_a_sentence_and_without_its_password() {
        assert!(matches!(refusal("memory").await, ConnectError::NoScheme));
        let error = refusal("nosql://ann:secret@host").await;
        assert_eq!(
            error.to_string(),
            "no store has the scheme \"nosql\"; there are memory:, sqlite:, file:, postgres:, mysql:, redis: and memcached:"
        );
    }

    #[tokio::test]
    async fn what_is_no_url_is_not_shown() {
        for text in [
            "user=app password=hunter2 host=fd00::5",
            "Password=hunter2;Server=tcp:db",
            "4hunter2://host",
            "://hunter2",
        ] {
            let error = refusal(text).await;
            assert!(matches!(error, ConnectError::NoScheme), "{error}");
        }
    }

    #[cfg(all(
        feature = "postgres",
        feature = "mysql",
        feature = "redis",
        feature = "memcached"
    ))]
    #[tokio::test]
    async fn a_password_that_was_taken_apart_at_its_ampersand_is_not_shown() {
        for place in [
            "postgres://db?user=web&password=a",
            "mysql://db?user=web&password=a",
            "redis://cache?password=a",
            "redis+unix:///run/redis?password=a",
            "redis+sentinel://a,b/name?sentinel_password=a",
            "memcached+tls://cache?username=web&password=a",
        ] {
            for part in [
                "hunter2",
                "hunter2=1",
                "migrate=hunter2",
                "connections=hunter2",
            ] {
                let error = refusal(&format!("{place}&{part}")).await;
                assert!(error.to_string().contains("is wrong: "), "{error}");
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
            }
        }
    }

    #[cfg(all(
        feature = "postgres",
        feature = "mysql",
        feature = "redis",
        feature = "memcached"
    ))]
    #[test]
    fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        use fasthttpsession_core::StoreErrorKind::Misconfigured;

        let runtime = || tokio::runtime::Builder::new_current_thread();
        for url in [
            "postgres://127.0.0.1:1",
            "mysql://127.0.0.1:1",
            "redis://127.0.0.1:1",
            "memcached://127.0.0.1:1",
        ] {
            let polled = pin!(connect(url)).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Err(error)) = polled else {
                panic!("{url} is opened");
            };
            assert!(error.to_string().contains("tokio"), "{error}");
            for without in [runtime().build(), runtime().enable_time().build()] {
                let opened = without.expect("a runtime starts").block_on(connect(url));
                let error = opened.expect_err("there are no timers, or no sockets");
                assert!(
                    matches!(&error, ConnectError::Store(error) if error.kind() == Misconfigured),
                    "{error}"
                );
                assert!(error.to_string().contains("enable_all"), "{error}");
            }
        }
    }

    #[cfg(feature = "memory")]
    #[tokio::test]
    async fn the_memory_store_is_one_url_away() {
        use fasthttpsession_core::StoreErrorKind;
        let store = connect("memory:").await.expect("memory needs nothing");
        assert_eq!(fasthttpsession_core::Store::name(&store), "memory");
        assert!(matches!(
            refusal("memory:x").await,
            ConnectError::Store(error) if error.kind() == StoreErrorKind::Misconfigured
        ));
    }

    #[cfg(not(feature = "postgres"))]
    #[tokio::test]
    async fn a_store_that_was_not_compiled_in_names_its_feature() {
        let error = refusal("postgres://ann:secret@host/db").await;
        assert_eq!(
            error.to_string(),
            "the store postgres: was not compiled in; turn on the feature \"postgres\""
        );
    }
}
