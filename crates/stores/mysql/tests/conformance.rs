//! The suite that every store passes, on MariaDB or MySQL.

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_mysql::MysqlConfig;
use fasthttpsession_servers::Mariadb;

/// Below the largest message that the server takes, 16 MiB.
const FITS: usize = 16 * 1024 * 1024 - 2048;

fasthttpsession_conformance::store_tests!(async || {
    let database = Mariadb::shared().database();
    let config = MysqlConfig::from_url(&database.socket_url()).expect("it is a URL");
    let store = config.clone().migrate(true).max_connections(4).open().await;
    let second = MysqlConfig::from_url(&database.url()).expect("it is a URL");
    let second = second.max_connections(4).open().await;
    Subject::new(store.expect("the server runs"))
        .second_client(second.expect("the server runs"))
        .no_raw("the columns have types, and the body may be any bytes")
        .body_limit(FITS, FITS + 1)
        .expires_when_told()
        .keeping(database)
});
