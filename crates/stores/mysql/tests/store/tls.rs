//! Encrypted connections, and whom they trust.

use std::path::{Path, PathBuf};
use std::process::Command;

use fasthttpsession_core::StoreErrorKind;
use fasthttpsession_mysql::{MysqlConfig, Tls};

use crate::support::{Place, create, load, record};

/// An authority that signed nothing.
fn another_authority(folder: &Path) -> PathBuf {
    let file = folder.join("ca.pem");
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes"])
        .args(["-subj", "/CN=another authority"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout"])
        .arg(folder.join("ca.key"))
        .arg("-out")
        .arg(&file)
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "{output:?}");
    file
}

/// Lets the user in by encrypted connections only.
fn only_encrypted(place: &Place) -> (String, String) {
    let user = place.database.name().replace("test", "tls");
    let database = place.database.name();
    place.run(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'of a test' REQUIRE SSL"
    ));
    place.run(&format!("GRANT ALL ON {database}.* TO '{user}'@'%'"));
    (user, "of a test".to_owned())
}

#[tokio::test]
async fn connections_are_encrypted_with_a_server_that_a_trusted_authority_vouches_for() {
    let place = Place::new();
    let (user, password) = only_encrypted(&place);
    let config = place.config().user(&user).password(&password);
    let plain = config.clone().open().await;
    plain.expect_err("the server wants encryption of this user");
    let config = config
        .tls(Tls::Verified)
        .ca_file(place.database.server().ca_certificate());
    let store = config.open().await.expect("the store opens");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
}

#[tokio::test]
async fn a_socket_is_never_encrypted() {
    let place = Place::new();
    let config = MysqlConfig::from_url(&place.database.socket_url()).expect("it is a URL");
    let opened = config.migrate(true).tls(Tls::Verified).open().await;
    opened.expect("the server takes it as it is");
}

#[tokio::test]
async fn authorities_that_can_not_be_read_are_named() {
    let config = MysqlConfig::new("127.0.0.1").tls(Tls::Verified);
    let opened = config.ca_file("/nowhere/ca.pem").open().await;
    let error = opened.expect_err("there is no such file");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_server_that_no_trusted_authority_vouches_for_is_refused() {
    let place = Place::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = place.config().tls(Tls::Verified);
    let strangers = [
        config.clone().ca_file(another_authority(folder.path())),
        config,
    ];
    for config in strangers {
        let error = config.open().await.expect_err("it is a stranger");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(!error.may_have_applied());
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }
}
