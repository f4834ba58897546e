//! The store that the guide shows keeps every promise of a store.

#[allow(
    unreachable_pub,
    reason = "it is written as a crate of its own would have it"
)]
#[path = "../guide/map_store.rs"]
mod map_store;

use fasthttpsession_conformance::store::Subject;
use map_store::MapStore;

fasthttpsession_conformance::store_tests!(async || {
    let store = MapStore::default();
    Subject::new(store.clone())
        .second_client(store)
        .no_raw("a map of records holds nothing that is no record")
        .no_body_limit("memory is the limit")
        .expires_when_told()
});
