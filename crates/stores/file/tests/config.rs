//! Settings: from programs, URLs and files, and those that are refused.

use std::time::Duration;

use fasthttpsession_core::StoreErrorKind;
use fasthttpsession_file::{FileConfig, SyncPolicy};

#[test]
fn every_setting_can_be_written_in_a_url_and_in_a_file() {
    let config = FileConfig::new("/var/lib/sessions")
        .migrate(true)
        .sync(SyncPolicy::Full)
        .lock_timeout(Duration::from_millis(1))
        .timeout(Duration::from_millis(2))
        .threads(3)
        .purge_every(Duration::from_millis(4))
        .purge_batch(5);
    let url = "file:/var/lib/sessions?migrate=true&sync=full&lock_timeout_ms=1&timeout_ms=2&threads=3&\
               purge_every_ms=4&purge_batch=5";
    assert_eq!(FileConfig::from_url(url).unwrap(), config);
    let file = r#"{"folder": "/var/lib/sessions", "migrate": true, "sync": "full", "lock_timeout_ms": 1,
        "timeout_ms": 2, "threads": 3, "purge_every_ms": 4, "purge_batch": 5}"#;
    assert_eq!(serde_json::from_str::<FileConfig>(file).unwrap(), config);
}

#[test]
fn settings_have_defaults() {
    let config = FileConfig::new("sessions");
    assert_eq!(FileConfig::from_url("file:sessions").unwrap(), config);
    let file = r#"{"folder": "sessions"}"#;
    assert_eq!(serde_json::from_str::<FileConfig>(file).unwrap(), config);
}

#[test]
fn a_folder_may_be_written_as_a_url_with_slashes() {
    let config = FileConfig::new("/var/lib/sessions");
    assert_eq!(
        FileConfig::from_url("file:///var/lib/sessions").unwrap(),
        config
    );
}

#[test]
fn a_url_that_names_no_folder_or_knows_another_setting_is_refused() {
    let wrong = [
        "file:",
        "file:?migrate=true",
        "file://host/folder",
        "file:folder?folder=another",
        "file:folder?suffix=.session",
        "file:folder?sync=sometimes",
        "file:folder?threads=many",
        "file:folder?migrate=perhaps",
    ];
    for url in wrong {
        let error = FileConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
    }
    assert!(serde_json::from_str::<FileConfig>(r#"{"folder": "a", "suffix": "b"}"#).is_err());
}

#[tokio::test]
async fn no_folder_is_refused_when_opening() {
    let error = FileConfig::default().open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}
