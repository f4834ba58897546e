//! The token in `Authorization`.

use fasthttpsession_core::{Session, Transport};

use super::brings::{Brings, token, with};
use crate::support::World;

#[tokio::test]
async fn a_bearer_token_comes_and_goes_in_authorization() {
    let world = World::new();
    let sessions = with(&world, [Transport::cookie(), Transport::bearer()]);
    let token = token(&sessions).await;
    let bearing = |text: String| Brings {
        header: Some(("Authorization", text)),
        ..Brings::nothing()
    };
    for text in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token} "),
    ] {
        assert!(bearing(text.clone()).opens(&sessions).await, "{text}");
    }
    for text in [
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer{token}"),
        format!("Bearer token={token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ] {
        assert!(!bearing(text.clone()).opens(&sessions).await, "{text}");
    }
    let response = bearing(format!("Bearer {token}"))
        .does(&sessions, Session::rotate)
        .await;
    let renewed = response.header("authorization").unwrap();
    assert!(renewed.starts_with("Bearer "));
    let response = bearing(renewed.to_owned())
        .does(&sessions, Session::logout)
        .await;
    assert_eq!(response.header("authorization"), Some(""));
}
