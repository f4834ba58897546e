//! The suite that every store passes.

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_memory::MemoryStore;

fasthttpsession_conformance::store_tests!(async || {
    let store = MemoryStore::new();
    Subject::new(store.clone())
        .second_client(store)
        .no_raw("records are kept as values of this process, not as bytes that could be damaged")
        .no_body_limit("how large a record may be is limited above the store")
        .expires_when_told()
});
