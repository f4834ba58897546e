//! The suite that every store passes.

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_postgres::PostgresConfig;
use fasthttpsession_servers::Postgres;

fasthttpsession_conformance::store_tests!(async || {
    let database = Postgres::shared().database();
    let config = PostgresConfig::from_url(&database.url()).expect("it is a URL");
    let store = config
        .clone()
        .migrate(true)
        .open()
        .await
        .expect("the server runs");
    let second = config.open().await.expect("the table is there");
    Subject::new(store)
        .second_client(second)
        .keeping(database)
        .no_raw(
            "columns have types, and texts and numbers that no record has are refused by the table",
        )
        .no_body_limit(
            "a row may have a gigabyte; how large a record may be is limited above the store",
        )
        .expires_when_told()
});
