//! The form for signing in.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use fasthttpsession::Sessions;
use fasthttpsession::memory::MemoryStore;

use crate::browser::{Browser, Page};

#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is written as a program of its own would have it, and its main is for the docs"
)]
#[path = "../../guide/forms.rs"]
mod program;

fn browser() -> Browser {
    Browser::of(program::app(Sessions::new(MemoryStore::new())))
}

async fn sign_in(browser: &mut Browser, origin: Option<&str>, password: &str, token: &str) -> Page {
    let form = format!("name=ada&password={password}&csrf={token}");
    let mut request = Request::post("/login")
        .header(HOST, "example.org")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(origin) = origin {
        request = request.header(ORIGIN, origin);
    }
    browser.send(request.body(Body::from(form)).unwrap()).await
}

fn token_in(page: &Page) -> &str {
    let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn a_visitor_signs_in_from_this_site_and_is_told_so_once() {
    let mut browser = browser();
    let page = browser.get("/login").await;
    assert_eq!(token_in(&page), "");

    let answer = sign_in(&mut browser, Some("https://example.org"), "secret", "").await;
    assert_eq!(answer.status, 303);
    let page = browser.get("/login").await;
    assert!(page.text.contains("You are signed in."));
    assert!(!browser.get("/login").await.text.contains("You are"));
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_and_one_with_the_token_is_not() {
    let mut browser = browser();
    let other_site = Some("https://example.com");
    assert_eq!(
        sign_in(&mut browser, other_site, "secret", "").await.status,
        403
    );

    sign_in(&mut browser, None, "wrong", "").await;
    let page = browser.get("/login").await;
    assert!(page.text.contains("That was not right."));
    assert_eq!(sign_in(&mut browser, None, "secret", "").await.status, 403);
    let token = token_in(&page);
    assert_eq!(
        sign_in(&mut browser, None, "secret", token).await.status,
        303
    );
}
