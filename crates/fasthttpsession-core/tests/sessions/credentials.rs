//! A session that was signed in to under an old password is recognised once the password has changed.

use fasthttpsession_core::Session;

use crate::support::{Client, World};

#[tokio::test]
async fn a_sign_in_under_an_old_password_is_recognised() {
    let world = World::new();
    let sessions = world.sessions();
    let (mut here, mut elsewhere) = (Client::new(), Client::new());
    for client in [&mut here, &mut elsewhere] {
        client
            .visit(&sessions, |s| {
                s.login("ada")
                    .and(s.set_credential_stamp("hash of hunter2"))
            })
            .await;
    }
    assert!(
        here.request(&sessions)
            .await
            .has_credential_stamp("hash of hunter2")
    );
    // The password changes here.
    here.visit(&sessions, |s| s.set_credential_stamp("hash of tr0ub4dor"))
        .await;
    assert!(
        here.request(&sessions)
            .await
            .has_credential_stamp("hash of tr0ub4dor")
    );
    let other = elsewhere.request(&sessions).await;
    assert!(!other.has_credential_stamp("hash of tr0ub4dor"));
    assert!(other.has_credential_stamp("hash of hunter2"));
}

#[tokio::test]
async fn a_sign_in_forgets_the_stamp_of_the_one_before() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    assert!(!client.request(&sessions).await.has_credential_stamp(""));
    client
        .visit(&sessions, |s| s.set_credential_stamp("one"))
        .await;
    let request = client.request(&sessions).await;
    request.login("ada").unwrap();
    assert!(!request.has_credential_stamp("one"));
    client.receive(&request.respond().await);
    assert!(!client.request(&sessions).await.has_credential_stamp("one"));
}

#[tokio::test]
async fn a_request_sees_the_stamp_it_set_and_keeps_it_when_values_are_cleared() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    let request = client.request(&sessions).await;
    request.login("ada").unwrap();
    request.set_credential_stamp("one").unwrap();
    assert!(request.has_credential_stamp("one"));
    client.receive(&request.respond().await);
    client
        .visit(&sessions, |s| s.set("n", &1).and(s.clear()))
        .await;
    assert!(client.request(&sessions).await.has_credential_stamp("one"));
}

#[tokio::test]
async fn no_credential_is_in_the_record() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| {
            s.login("ada").and(s.set_credential_stamp("hunter2"))
        })
        .await;
    let body = world.record(&client).await.unwrap().body;
    assert!(!body.windows(7).any(|part| part == b"hunter2"));
}

/// Who lost the right to rotate has lost the right to vouch.
#[tokio::test]
async fn a_request_whose_secret_was_rotated_away_sets_no_stamp() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let early = client.request(&sessions).await;
    early.set_credential_stamp("early").unwrap();
    early.set("n", &1).unwrap();
    client.visit(&sessions, Session::rotate).await;
    early.respond().await;
    let now = client.request(&sessions).await;
    assert!(!now.has_credential_stamp("early"));
    assert_eq!(now.get("n").unwrap(), Some(1));
}
