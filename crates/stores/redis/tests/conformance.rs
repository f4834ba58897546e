//! The suite that every store passes, on one server.

mod support;

use fasthttpsession_servers::Redis;
use redis::Client;

fasthttpsession_conformance::store_tests!(async || {
    let server = Redis::shared();
    let url = server.url();
    let client = Client::open(&url[..]).expect("the URL is one");
    let raw = client.get_multiplexed_async_connection().await;
    let subject = support::subject(&url, raw.expect("the server answers")).await;
    subject.keeping(server)
});
