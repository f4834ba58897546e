//! What axum handlers are promised that take one value of the session, or somebody who is signed in.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use fasthttpsession_core::{Key, OldValue, SessionValue, Sessions, Transport};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;
use fasthttpsession_tower::{
    NotSignedIn, Session, SessionFailed, SessionLayer, SignInAt, SignedIn, Typed,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tower::ServiceExt;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default, Serialize, Deserialize)]
struct Settings {
    theme: String,
    language: String,
}

/// Until version 2, settings were the theme alone.
impl SessionValue for Settings {
    const KEY: Key<Self> = Key::new("settings");

    fn migrate(old: &OldValue<'_>) -> Option<Self> {
        Some(Self {
            theme: old.read_as()?,
            language: "en".to_owned(),
        })
    }
}

#[tokio::test]
async fn requests_that_change_different_fields_at_once_both_count() {
    async fn darken(State(turn): State<Arc<Turn>>, mut settings: Typed<Settings>) {
        settings
            .update(|settings| settings.theme = "dark".to_owned())
            .unwrap();
        turn.here.notify_one();
        turn.over.notified().await;
    }
    async fn translate(mut settings: Typed<Settings>) {
        settings
            .update(|settings| settings.language = "nl".to_owned())
            .unwrap();
    }
    let turn = Arc::new(Turn::default());
    let app = Router::new()
        .route("/darken", post(darken))
        .route("/translate", post(translate))
        .route("/settings", get(show))
        .route("/start", post(start))
        .with_state(Arc::clone(&turn))
        .layer(layer());
    let cookie = cookie(&app, "/start").await;
    let both = async {
        let slow = tokio::spawn(ask(&app, "POST", "/darken", &cookie));
        turn.here.notified().await;
        ask(&app, "POST", "/translate", &cookie).await;
        turn.over.notify_one();
        slow.await.unwrap();
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    let after = ask(&app, "GET", "/settings", &cookie).await;
    assert_eq!(read(after).await, "dark in nl");
}

/// One handler tells another where it is, and waits.
#[derive(Default)]
struct Turn {
    here: Notify,
    over: Notify,
}

#[tokio::test]
async fn a_value_of_an_older_program_is_migrated() {
    async fn old(session: Session) {
        session.set("settings", "dark").unwrap();
    }
    let app = Router::new()
        .route("/old", post(old))
        .route("/settings", get(show))
        .layer(layer());
    let cookie = cookie(&app, "/old").await;
    assert_eq!(
        read(ask(&app, "GET", "/settings", &cookie).await).await,
        "dark in en"
    );
}

#[tokio::test]
async fn a_value_that_no_longer_fits_is_an_error_without_detail_and_stays() {
    async fn broken(session: Session) {
        session.set("settings", &5).unwrap();
    }
    async fn raw(session: Session) -> String {
        session.get::<u64>("settings").unwrap().unwrap().to_string()
    }
    let app = Router::new()
        .route("/broken", post(broken))
        .route("/raw", get(raw))
        .route("/settings", get(show))
        .layer(layer());
    let cookie = cookie(&app, "/broken").await;
    let response = ask(&app, "GET", "/settings", &cookie).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(read(response).await, "");
    assert_eq!(read(ask(&app, "GET", "/raw", &cookie).await).await, "5");
}

#[tokio::test]
async fn who_is_signed_in_is_known_by_name() {
    let app = pages(layer());
    let cookie = cookie(&app, "/login").await;
    let response = ask(&app, "GET", "/profile", &cookie).await;
    assert_eq!(read(response).await, "ada");
}

#[tokio::test]
async fn visitors_are_answered_with_401() {
    let response = ask(&pages(layer()), "GET", "/profile", "").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Session");
    assert_eq!(response.headers()["vary"], "Cookie");
    assert_eq!(read(response).await, "");
}

#[tokio::test]
async fn visitors_go_where_they_sign_in() {
    let profile = get(profile).post(profile);
    let app = served(
        "/profile",
        profile.layer(Extension(SignInAt::new("/login?to=profile"))),
    );
    for method in ["GET", "POST"] {
        let response = ask(&app, method, "/profile", "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "/login?to=profile");
        assert_eq!(response.headers()["vary"], "Cookie");
    }
}

#[tokio::test]
async fn where_visitors_sign_in_is_told_where_they_wanted_to_go() {
    for (page, path, location) in [
        ("/login", "/all/profile", "/login?next=/all/profile"),
        (
            "/login#form",
            "/all/profile",
            "/login?next=/all/profile#form",
        ),
        (
            "/login?lang=nl",
            "/all/profile?tab=2&a=%2F",
            "/login?lang=nl&next=/all/profile%3Ftab%3D2%26a%3D%252F",
        ),
    ] {
        let profile = get(profile).post(profile);
        let page_told = SignInAt::new(page).with_next("next");
        let profile = Router::new().route("/profile", profile.layer(Extension(page_told)));
        let app = Router::new().nest("/all", profile).layer(layer());
        for method in ["GET", "HEAD"] {
            let response = ask(&app, method, path, "").await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            assert_eq!(response.headers()["location"], location);
            assert!(!format!("{response:?}").contains("tab"));
        }
        let response = ask(&app, "POST", path, "").await;
        assert_eq!(response.headers()["location"], page);
    }
}

#[tokio::test]
async fn where_a_visitor_wanted_to_go_is_told_without_the_token_in_the_url() {
    let sessions = Sessions::builder(MemoryStore::new()).transports([Transport::query("s")]);
    let app = Router::new()
        .route("/profile", get(profile))
        .layer(Extension(SignInAt::new("/login").with_next("next")))
        .layer(SessionLayer::new(sessions.build().unwrap()));
    for (path, location) in [
        ("/profile?s=a.b", "/login?next=/profile"),
        ("/profile?s=a.b&ss=1&s=c", "/login?next=/profile%3Fss%3D1"),
    ] {
        let response = ask(&app, "GET", path, "").await;
        assert_eq!(response.headers()["location"], location);
    }
}

#[tokio::test]
async fn after_a_logout_nobody_is_signed_in() {
    async fn logout(session: Session) {
        session.logout().unwrap();
    }
    let app = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/profile", get(profile))
        .layer(layer());
    let cookie = cookie(&app, "/login").await;
    ask(&app, "POST", "/logout", &cookie).await;
    let response = ask(&app, "GET", "/profile", &cookie).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_handler_may_answer_visitors_itself() {
    async fn greet(user: Result<SignedIn, NotSignedIn>) -> String {
        match user {
            Ok(user) => user.to_string(),
            Err(NotSignedIn::Visitor(_)) => "stranger".to_owned(),
            Err(NotSignedIn::Failed(failed)) => panic!("{failed}"),
        }
    }
    let response = ask(&served("/", get(greet)), "GET", "/", "").await;
    assert_eq!(read(response).await, "stranger");
}

#[tokio::test]
async fn a_handler_for_everybody_tells_visitors_from_who_is_signed_in() {
    let app = for_everybody(layer());
    let cookie = cookie(&app, "/login").await;
    assert_eq!(read(ask(&app, "GET", "/", &cookie).await).await, "ada");
    let response = ask(&app, "GET", "/", "").await;
    assert_eq!(response.headers()["vary"], "Cookie");
    assert_eq!(read(response).await, "stranger");
}

#[tokio::test]
async fn for_a_handler_for_everybody_a_session_that_cannot_be_loaded_is_no_visitor() {
    let store = Fragile::default();
    let app = for_everybody(SessionLayer::new(Sessions::new(store.clone())));
    let cookie = cookie(&app, "/login").await;
    store.breaks();
    let response = ask(&app, "GET", "/", &cookie).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(read(response).await, "");
}

#[tokio::test]
async fn a_user_is_no_admin() {
    enum Admin {}
    async fn users(user: SignedIn, admin: Result<SignedIn<Admin>, NotSignedIn<Admin>>) -> String {
        format!("{} {}", user.as_str(), admin.is_ok())
    }
    async fn admins(_: SignedIn<Admin>) {}
    let elsewhere = SignInAt::new("/admin/login").marked::<Admin>();
    let admins = get(admins).layer((Extension(SignInAt::new("/login")), Extension(elsewhere)));
    let app = Router::new()
        .route("/login", post(login))
        .route("/users", get(users))
        .route("/admins", admins)
        .layer(SessionLayer::new(admin_sessions()).marked::<Admin>())
        .layer(layer());
    let cookie = cookie(&app, "/login").await;
    let response = ask(&app, "GET", "/users", &cookie).await;
    assert_eq!(read(response).await, "ada false");
    let response = ask(&app, "GET", "/admins", &cookie).await;
    assert_eq!(response.headers()["location"], "/admin/login");
}

#[tokio::test]
async fn a_session_that_cannot_be_loaded_is_an_error_and_no_visitor() {
    let store = Fragile::default();
    let layer = SessionLayer::new(Sessions::new(store.clone()));
    let app = pages(layer);
    let cookie = cookie(&app, "/login").await;
    store.breaks();
    let response = ask(&app, "GET", "/profile", &cookie).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(read(response).await, "");
}

#[tokio::test]
async fn without_a_layer_they_say_so() {
    let app = Router::new()
        .route("/", get(home))
        .route("/profile", get(profile))
        .route("/settings", get(show));
    for path in ["/", "/profile", "/settings"] {
        let response = ask(&app, "GET", path, "").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            read(response).await,
            "no SessionLayer with the marker () is around this route, or around the middleware that asks for the \
             session: such middleware is added before the layer, in a ServiceBuilder after it"
        );
    }
}

/// Over HTTP/2 the host is that of the URI, and of no header.
#[tokio::test]
async fn a_form_of_this_site_is_known_by_its_origin_whatever_the_version_of_http() {
    async fn change(session: Session, request: Parts) -> Result<(), SessionFailed> {
        Ok(session.check_csrf(&request, None)?)
    }
    let app = served("/", post(change));
    for (uri, host, origin, status) in [
        ("https://a.org/", None, "https://a.org", StatusCode::OK),
        (
            "https://a.org/",
            None,
            "https://b.org",
            StatusCode::FORBIDDEN,
        ),
        ("/", Some("a.org"), "https://a.org", StatusCode::OK),
        ("/", Some("a.org"), "https://b.org", StatusCode::FORBIDDEN),
        (
            "https://a.org/",
            Some("a.org"),
            "https://a.org",
            StatusCode::OK,
        ),
    ] {
        let mut request = Request::post(uri).header(ORIGIN, origin);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{uri} {host:?} {origin}");
    }
}

#[test]
#[should_panic(expected = "visible ASCII")]
fn a_page_that_no_header_can_carry_is_refused() {
    SignInAt::new("/login\r\nset-cookie: a=b");
}

#[test]
#[should_panic(expected = "visible ASCII")]
fn a_page_that_is_not_encoded_is_refused() {
    SignInAt::new("/é");
}

#[test]
#[should_panic(expected = "letters, digits")]
fn a_parameter_that_would_be_two_is_refused() {
    _ = SignInAt::new("/login").with_next("next=/&more");
}

async fn profile(user: SignedIn) -> String {
    user.as_str().to_owned()
}

async fn home(user: Option<SignedIn>) -> String {
    user.map_or_else(|| "stranger".to_owned(), |user| user.to_string())
}

async fn login(session: Session) -> Result<(), SessionFailed> {
    Ok(session.login("ada")?)
}

async fn start(session: Session) -> Result<(), SessionFailed> {
    Ok(session.set("a", &1)?)
}

async fn show(settings: Typed<Settings>) -> String {
    format!("{} in {}", settings.theme, settings.language)
}

fn pages(layer: SessionLayer) -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/profile", get(profile))
        .layer(layer)
}

fn for_everybody(layer: SessionLayer) -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/", get(home))
        .layer(layer)
}

fn served(path: &str, route: MethodRouter) -> Router {
    Router::new().route(path, route).layer(layer())
}

fn layer() -> SessionLayer {
    SessionLayer::new(Sessions::new(MemoryStore::new()))
}

fn admin_sessions() -> Sessions {
    Sessions::builder(MemoryStore::new())
        .cookie(fasthttpsession_core::Cookie::new("admin"))
        .build()
        .unwrap()
}

/// The cookie that a first request to `path` is answered with.
async fn cookie(app: &Router, path: &str) -> String {
    let response = ask(app, "POST", path, "").await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn ask(
    app: &Router,
    method: &str,
    path: &str,
    cookie: &str,
) -> impl Future<Output = Response<Body>> + use<> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("cookie", cookie)
        .body(Body::empty());
    let app = app.clone();
    async move { app.oneshot(request.unwrap()).await.unwrap() }
}

async fn read(response: Response<Body>) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1000).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}
