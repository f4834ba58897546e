//! The suite that every store passes, on one server and on three.

mod support;

use fasthttpsession_servers::Memcached;

mod on_one_server {
    use super::*;

    fasthttpsession_conformance::store_tests!(async || {
        support::subject(&[Memcached::shared()]).await
    });
}

mod on_three_servers {
    use super::*;

    fasthttpsession_conformance::store_tests!(async || {
        support::subject(&Memcached::shared_three()).await
    });
}
