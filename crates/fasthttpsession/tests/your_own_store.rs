//! The stores that the guide shows keep every promise of a store.

#[allow(
    unreachable_pub,
    reason = "it is written as a crate of its own would have it"
)]
#[path = "../guide/map_store.rs"]
mod map_store;

#[allow(
    unreachable_pub,
    dead_code,
    reason = "it is written as a crate of its own would have it"
)]
#[path = "../guide/wrapper.rs"]
mod wrapper;

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

#[cfg(feature = "memory")]
mod around_another {
    use fasthttpsession::memory::MemoryStore;
    use fasthttpsession_conformance::store::Subject;

    use super::wrapper::Counting;

    fasthttpsession_conformance::store_tests!(async || {
        Subject::new(Counting::new(MemoryStore::new()))
            .no_second_client("it is alone")
            .no_raw("its records are values")
            .no_body_limit("memory is the limit")
            .expires_when_told()
    });
}
