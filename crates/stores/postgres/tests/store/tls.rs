//! Encrypted connections, and whom they trust.

use std::path::{Path, PathBuf};
use std::process::Command;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_postgres::{PostgresConfig, SslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Place, create, load, record};

/// An authority that signed nothing.
fn another_authority(folder: &Path) -> PathBuf {
    let file = folder.join("ca.pem");
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-nodes",
            "-subj",
            "/CN=another authority",
        ])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout"])
        .arg(folder.join("ca.key"))
        .arg("-out")
        .arg(&file)
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "{output:?}");
    file
}

/// How many of the store's connections are encrypted.
async fn encrypted(place: &Place) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'fasthttpsession' AND datname = current_database()";
    place.number(sql).await
}

#[tokio::test]
async fn connections_are_encrypted_with_a_server_that_a_trusted_authority_vouches_for() {
    let place = Place::new().await;
    let config = place
        .config()
        .sslmode(SslMode::VerifyFull)
        .sslrootcert(place.database.server().ca_certificate());
    let store = config.open().await.expect("the store opens");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    assert!(encrypted(&place).await > 0);
}

#[tokio::test]
async fn a_server_that_no_trusted_authority_vouches_for_is_refused() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = place
        .config()
        .sslmode(SslMode::VerifyFull)
        .sslrootcert(another_authority(folder.path()));
    let error = config.open().await.expect_err("it is a stranger");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let place = Place::new().await;
    let server = place.database.server();
    let socket = place.database.socket_url();
    let wanted = format!(
        "{socket}?sslmode=verify-full&sslrootcert={}",
        server.ca_certificate().display()
    );
    let config = PostgresConfig::from_url(&wanted).expect("a URL");
    let error = config
        .open()
        .await
        .expect_err("a socket has no certificate");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
}

/// The error about a server that gives `answer` to the request for encryption, and goes.
async fn error_after(answer: &[u8; 1]) -> StoreError {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        stream.read_exact(&mut [0; 8]).await.expect("a request");
        stream.write_all(answer).await.expect("it is answered");
    };
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=require");
    let config = PostgresConfig::from_url(&url).expect("a URL");
    let (opened, ()) = tokio::join!(config.open(), answering);
    opened.expect_err("it has gone")
}

#[tokio::test]
async fn a_server_that_goes_while_encryption_is_agreed_on_may_come_back() {
    let error = error_after(b"S").await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable() && !error.may_have_applied());
}

#[tokio::test]
async fn a_server_that_refuses_encryption_is_a_matter_of_settings() {
    let error = error_after(b"N").await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("not support TLS"), "{error}");
}

#[tokio::test]
async fn without_verifying_connections_are_encrypted_all_the_same() {
    let place = Place::new().await;
    for sslmode in [SslMode::Require, SslMode::Prefer] {
        let store = place.config().sslmode(sslmode).open().await;
        let store = store.expect("the store opens");
        assert!(encrypted(&place).await > 0, "{sslmode:?}");
        drop(store);
    }
    let place = Place::new().await;
    let store = place.config().sslmode(SslMode::Disable).open().await;
    let store = store.expect("the store opens");
    create(&store, [1]).await;
    assert_eq!(encrypted(&place).await, 0);
}

/// Passed over, it would be missed at the server that it stands for, which would be taken for a stranger.
#[tokio::test]
async fn a_file_with_a_certificate_that_can_not_be_read_is_refused() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let good = std::fs::read_to_string(place.database.server().ca_certificate());
    let good = good.expect("the authority has a certificate");
    let broken =
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let file = folder.path().join("both.pem");
    std::fs::write(&file, good + broken).expect("a file can be made");
    let config = place.config().sslmode(SslMode::VerifyFull);
    let error = config.sslrootcert(&file).open().await;
    let error = error.expect_err("one of them is no certificate");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("both.pem"), "{error}");
}

#[tokio::test]
async fn a_file_without_certificates_is_refused() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("a file can be made");
    for file in [empty, folder.path().join("missing.pem")] {
        let config = place.config().sslmode(SslMode::VerifyFull);
        let error = config.sslrootcert(file).open().await;
        let error = error.expect_err("it trusts nobody");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    }
}
