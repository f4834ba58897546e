//! An application's own stores are opened by URLs, beside those that were compiled in.

use std::error::Error as _;

use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{AnyStore, ConnectError, Store, StoreError, StoreErrorKind, Stores};

fn stores() -> Stores {
    Stores::new()
        .register("mine", async |url: String| {
            assert_eq!(url, "mine://anything?at=all");
            Ok::<_, StoreError>(AnyStore::new(MemoryStore::new()))
        })
        .register("broken", async |_| {
            let error = StoreError::new(StoreErrorKind::Unavailable, "nobody home");
            Err(error.with_source("the bell is broken"))
        })
}

#[tokio::test]
async fn a_store_of_ones_own_is_opened_by_its_scheme() {
    let store = stores().connect("mine://anything?at=all").await.unwrap();
    assert_eq!(store.name(), "memory");
}

#[tokio::test]
async fn what_it_fails_with_is_told() {
    let error = stores().connect("broken:").await.unwrap_err();
    assert!(matches!(&error, ConnectError::Own { scheme, .. } if scheme == "broken"));
    let sentence = error.to_string();
    assert_eq!(
        sentence,
        "the store broken: could not be opened: nobody home"
    );
    assert_eq!(format!("{error:?}"), sentence);
    let beneath = error.source().expect("the store said why");
    assert_eq!(beneath.to_string(), "the bell is broken");
}

#[tokio::test]
async fn those_that_were_compiled_in_stay() {
    assert!(stores().connect("memory:").await.is_ok());
    let error = stores().connect("yours:").await.unwrap_err();
    assert!(
        matches!(error, ConnectError::UnknownScheme { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_scheme_that_nobody_registered_is_told_with_those_that_somebody_did() {
    let error = stores().connect("mime:").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no store has the scheme \"mime\"; there are broken:, mine:, memory:, sqlite:, file:, postgres:, mysql:, redis: \
         and memcached:"
    );
}

#[test]
fn what_is_no_scheme_is_not_registered() {
    for scheme in ["redb:", "REDB", "", "re db", "4db", "rédb", "redb://"] {
        let registering = || {
            Stores::new().register(scheme, async |_| {
                Ok::<_, StoreError>(AnyStore::new(MemoryStore::new()))
            })
        };
        assert!(std::panic::catch_unwind(registering).is_err(), "{scheme:?}");
    }
    for scheme in ["redb", "redb+tls", "x-4.db"] {
        let opens = async |_| Ok::<_, StoreError>(AnyStore::new(MemoryStore::new()));
        let _ = Stores::new().register(scheme, opens);
    }
}
