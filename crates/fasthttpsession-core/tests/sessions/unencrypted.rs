//! A program that was built without encryption: what another one encrypted is never an empty session, and settings that ask
//! for encryption are refused.

use fasthttpsession_core::{BuildError, Error, Settings, Unreadable};

use crate::support::{Client, World, opens};

/// As a program with encryption writes it: head, id of the key, nonce, text and tag.
fn encrypted_body() -> Vec<u8> {
    [&[1, 1, 7][..], b"2026-11", &[5; 24], &[6; 80], &[7; 16]].concat()
}

#[tokio::test]
async fn an_encrypted_record_says_which_feature_reads_it_and_stays() {
    let world = World::new();
    let sessions = world.sessions();
    for body in [encrypted_body(), vec![1, 1]] {
        let client = Client::with(&sessions, "n", 1).await;
        let open = client.request(&sessions).await;
        let handle = client.handle();
        world.store.overwrite(handle, body, world.now()).await;
        let before = world.record(&client).await;
        open.set("n", &2).unwrap();
        for error in [
            client.begin(&sessions).session().await.unwrap_err(),
            sessions.read(handle).await.unwrap_err(),
            open.finish().await.err().unwrap(),
        ] {
            assert_eq!(error.status(), 500);
            let sentence = error.to_string();
            assert!(sentence.contains("the feature `encryption`"), "{sentence}");
            let Error::Unreadable { reason, .. } = error else {
                panic!("{error:?}")
            };
            assert!(matches!(reason, Unreadable::EncryptionOff), "{reason:?}");
        }
        assert_eq!(world.record(&client).await, before);
    }
}

/// As any other token that this program can't read: whoever sends one is a visitor.
#[tokio::test]
async fn an_encrypted_token_opens_nothing() {
    let world = World::new();
    let token = format!("2026-11.{}", "A".repeat(96));
    assert!(!opens(&world.sessions(), &token).await);
    assert_eq!(world.records().await, 0);
}

#[test]
fn settings_that_ask_for_encryption_name_themselves_and_the_feature() {
    for (toml, name) in [
        ("token_codec = \"encrypted\"", "token_codec"),
        ("also_accept = [\"plain\", \"encrypted\"]", "also_accept"),
        ("encrypt_records = true", "encrypt_records"),
        ("also_read_encrypted = true", "also_read_encrypted"),
        ("also_read_unencrypted = true", "also_read_unencrypted"),
    ] {
        let settings: Settings = toml::from_str(toml).unwrap();
        let error = settings.builder(World::new().store).err().expect(toml);
        assert!(matches!(error, BuildError::Setting { .. }), "{error:?}");
        let sentence =
            format!("{name}: encryption was not compiled in; turn on the feature `encryption`");
        assert_eq!(error.to_string(), sentence);
    }
}
