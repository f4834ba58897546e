//! Ways in: sockets, users and passwords, TLS.

mod support;

use fasthttpsession_memcached_client::{Address, Client, ClientConfig, Error, ErrorKind};
use fasthttpsession_servers::{Memcached, MemcachedServer};
use support::{LONG, add, config, value};

const PASSWORD: &str = "p@ss:word/1";

fn with_credentials(server: &MemcachedServer, user: &str, password: &str) -> Client {
    let config = config(&[server.address()]).credentials(user, password);
    config.open().expect("nothing is wrong with it")
}

async fn refused(client: &Client) -> Error {
    client.get("key").await.expect_err("it is refused")
}

#[tokio::test]
async fn a_socket_is_as_good_as_a_port() {
    let server = Memcached::start_on_socket();
    let client = ClientConfig::new([Address::unix(server.socket())]).open();
    let client = client.expect("nothing is wrong with it");
    add(&client, "key", "value").await;
    assert!(value(&client, "key").await.is_some());
}

#[tokio::test]
async fn a_user_with_the_right_password_is_let_in() {
    let server = Memcached::start_with_users();
    let client = with_credentials(&server, "tester", PASSWORD);
    add(&client, "key", "value").await;
    assert!(value(&client, "key").await.is_some());
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_does_not_show_it() {
    let server = Memcached::start_with_users();
    let client = with_credentials(&server, "tester", "wr0ng");
    let error = refused(&client).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(!error.may_have_applied());
    assert!(!format!("{error} {error:?} {client:?}").contains("wr0ng"));
}

#[tokio::test]
async fn a_missing_password_is_an_error_that_says_so() {
    let server = Memcached::start_with_users();
    let error = refused(&support::client(&server)).await;
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("none are set"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_no_password_takes_any_and_keeps_none() {
    let server = Memcached::start();
    let client = with_credentials(&server, "tester", PASSWORD);
    assert_eq!(value(&client, "credentials").await, None);
}

#[test]
fn settings_that_can_not_work_are_refused() {
    let address: Address = "127.0.0.1:1".parse().expect("an address");
    let socket = Address::unix("/run/memcached.sock");
    let one = || ClientConfig::new([address.clone()]);
    let wrong = [
        ClientConfig::new([]),
        ClientConfig::new([address.clone(), address.clone()]),
        one().credentials("a b", "c"),
        one().credentials("a", ""),
        one().credentials("a", "b\r\nflush_all"),
        ClientConfig::new([socket]).tls(fasthttpsession_memcached_client::TlsConfig::default()),
    ];
    for config in wrong {
        let shown = format!("{config:?}");
        assert!(!shown.contains("flush_all"), "{shown}");
        let error = config.open().expect_err(&shown);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{shown}");
    }
}

#[tokio::test]
async fn what_is_no_memcached_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client comes");
        let hello = b"SSH-2.0-OpenSSH_9.2\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, hello)
            .await
            .expect("it is there");
        stream
    });
    let client = config(&[address]).open().expect("nothing is wrong with it");
    let error = refused(&client).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    drop(server.await);
}

#[cfg(feature = "tls")]
mod tls {
    use std::path::PathBuf;

    use fasthttpsession_memcached_client::TlsConfig;

    use super::*;

    fn encrypted(server: &MemcachedServer, host: &str, authorities: Option<PathBuf>) -> Client {
        let config = ClientConfig::new([Address::tcp(host, server.port())]).timeout(LONG);
        let config = config.connect_timeout(LONG).tls(TlsConfig { authorities });
        config.open().expect("nothing is wrong with it")
    }

    #[tokio::test]
    async fn a_server_that_proves_who_it_is_is_trusted() {
        let server = Memcached::start_tls();
        for host in ["localhost", "127.0.0.1"] {
            let client = encrypted(&server, host, Some(server.ca_certificate()));
            add(&client, host, &"value".repeat(100_000)).await;
            assert_eq!(
                value(&client, host).await.map(|value| value.len()),
                Some(500_000)
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_requests_are_pipelined_over_tls() {
        let server = Memcached::start_tls();
        let client = encrypted(&server, "localhost", Some(server.ca_certificate()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..500 {
            let client = client.clone();
            tasks.spawn(async move {
                let key = number.to_string();
                add(&client, &key, &key.repeat(1_000)).await;
                let found = value(&client, &key).await.expect("it was added");
                assert_eq!(found, key.repeat(1_000));
            });
        }
        tasks.join_all().await;
    }

    #[tokio::test]
    async fn a_server_that_can_not_prove_who_it_is_is_not_trusted() {
        let (server, other) = (Memcached::start_tls(), Memcached::start_with_users());
        let mut authorities = vec![other.ca_certificate()];
        authorities.push(server.ca_certificate());
        let client = encrypted(&server, "localhost", Some(authorities.remove(0)));
        let error = refused(&client).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let elsewhere = encrypted(&server, "127.0.0.2", Some(authorities.remove(0)));
        elsewhere
            .get("key")
            .await
            .expect_err("the certificate is for 127.0.0.1");
    }

    #[tokio::test]
    async fn a_client_without_tls_is_not_answered() {
        let server = Memcached::start_tls();
        refused(&support::client(&server)).await;
    }

    #[test]
    fn authorities_that_can_not_be_read_are_an_error() {
        let config = ClientConfig::new([Address::tcp("localhost", 1)]).tls(TlsConfig {
            authorities: Some("/no/such/file".into()),
        });
        let error = config.open().expect_err("there is no such file");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_that_was_not_built_in_is_an_error() {
    let config = ClientConfig::new([Address::tcp("localhost", 1)]);
    let config = config
        .timeout(LONG)
        .tls(fasthttpsession_memcached_client::TlsConfig::default());
    let error = config.open().expect_err("it was not built in");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
