//! The suite that every store passes.

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_sqlite::SqliteConfig;

fasthttpsession_conformance::store_tests!(async || {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let config = SqliteConfig::new(folder.path().join("sessions.db")).migrate(true);
    Subject::new(config.clone().open().await.expect("the store opens"))
        .second_client(config.open().await.expect("the store opens twice"))
        .no_raw("columns have types, and what is in a body is the application's; see tests/damage.rs for rows that are no record")
        .body_limit((16 << 20) - 600, 16 << 20)
        .expires_when_told()
        .keeping(folder)
});
