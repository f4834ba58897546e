//! What handlers are promised that take one value of the session, or somebody who is signed in.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::time::Duration;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, HOST, LOCATION, ORIGIN, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpRequest};
use fasthttpsession_actix::{
    NotSignedIn, Session, SessionFailed, SessionMiddleware, SignInAt, SignedIn, Typed,
};
use fasthttpsession_core::{Cookie, Key, OldValue, SessionValue, Sessions, Transport};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;
use futures_util::future::join;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

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

#[actix_web::test]
async fn requests_that_change_different_fields_at_once_both_count() {
    async fn darken(turn: Data<Turn>, mut settings: Typed<Settings>) -> &'static str {
        settings
            .update(|settings| settings.theme = "dark".to_owned())
            .unwrap();
        turn.here.notify_one();
        turn.over.notified().await;
        ""
    }
    async fn translate(mut settings: Typed<Settings>) -> &'static str {
        settings
            .update(|settings| settings.language = "nl".to_owned())
            .unwrap();
        ""
    }
    let turn = Data::new(Turn::default());
    let app = App::new()
        .wrap(middleware())
        .app_data(Data::clone(&turn))
        .route("/darken", web::get().to(darken))
        .route("/translate", web::get().to(translate))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/login").await;
    let other = async {
        turn.here.notified().await;
        ask(&app, "/translate", &cookie).await;
        turn.over.notify_one();
    };
    timeout(PATIENCE, join(ask(&app, "/darken", &cookie), other))
        .await
        .unwrap();
    assert_eq!(
        read_body(ask(&app, "/settings", &cookie).await).await,
        "dark in nl"
    );
}

/// One handler tells another where it is, and waits.
#[derive(Default)]
struct Turn {
    here: Notify,
    over: Notify,
}

#[actix_web::test]
async fn a_value_of_an_older_program_is_migrated() {
    async fn old(session: Session) -> &'static str {
        session.set("settings", "dark").unwrap();
        ""
    }
    let app = App::new()
        .wrap(middleware())
        .route("/old", web::get().to(old))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/old").await;
    assert_eq!(
        read_body(ask(&app, "/settings", &cookie).await).await,
        "dark in en"
    );
}

#[actix_web::test]
async fn a_value_that_no_longer_fits_is_an_error_without_detail_and_stays() {
    async fn broken(session: Session) -> &'static str {
        session.set("settings", &5).unwrap();
        ""
    }
    async fn raw(session: Session) -> String {
        session.get::<u64>("settings").unwrap().unwrap().to_string()
    }
    let app = App::new()
        .wrap(middleware())
        .route("/broken", web::get().to(broken))
        .route("/raw", web::get().to(raw))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/broken").await;
    let response = ask(&app, "/settings", &cookie).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(read_body(response).await, "");
    assert_eq!(read_body(ask(&app, "/raw", &cookie).await).await, "5");
}

#[actix_web::test]
async fn who_is_signed_in_is_known_by_name() {
    let app = init_service(App::new().wrap(middleware()).configure(pages)).await;
    let cookie = cookie(&app, "/login").await;
    assert_eq!(read_body(ask(&app, "/profile", &cookie).await).await, "ada");
}

#[actix_web::test]
async fn visitors_are_answered_with_401() {
    let app = init_service(App::new().wrap(middleware()).configure(pages)).await;
    let response = ask(&app, "/profile", "").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers().get(WWW_AUTHENTICATE).unwrap(), "Session");
    assert_eq!(response.headers().get(VARY).unwrap(), "Cookie");
    assert_eq!(read_body(response).await, "");
}

#[actix_web::test]
async fn visitors_go_where_they_sign_in() {
    let scope = web::scope("/pages")
        .app_data(SignInAt::new("/login?to=profile"))
        .configure(pages);
    let app = init_service(App::new().wrap(middleware()).service(scope)).await;
    let response = ask(&app, "/pages/profile", "").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        response.headers().get(LOCATION).unwrap(),
        "/login?to=profile"
    );
    assert_eq!(response.headers().get(VARY).unwrap(), "Cookie");
}

#[actix_web::test]
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
        let scope = web::scope("/all")
            .app_data(SignInAt::new(page).with_next("next"))
            .route("/profile", web::route().to(profile));
        let app = init_service(App::new().wrap(middleware()).service(scope)).await;
        for (method, location) in [
            (Method::GET, location),
            (Method::HEAD, location),
            (Method::POST, page),
        ] {
            let request = TestRequest::with_uri(path).method(method);
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            assert_eq!(response.headers().get(LOCATION).unwrap(), location);
            assert!(!format!("{:?}", response.headers()).contains("tab"));
        }
    }
}

#[actix_web::test]
async fn where_a_visitor_wanted_to_go_is_told_without_the_token_in_the_url() {
    let sessions = Sessions::builder(MemoryStore::new()).transports([Transport::query("s")]);
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.build().unwrap()))
        .app_data(SignInAt::new("/login").with_next("next"))
        .configure(pages);
    let app = init_service(app).await;
    for (path, location) in [
        ("/profile?s=a.b", "/login?next=/profile"),
        ("/profile?s=a.b&ss=1&s=c", "/login?next=/profile%3Fss%3D1"),
    ] {
        let response = ask(&app, path, "").await;
        assert_eq!(response.headers().get(LOCATION).unwrap(), location);
    }
}

#[actix_web::test]
async fn after_a_logout_nobody_is_signed_in() {
    async fn logout(session: Session) -> &'static str {
        session.logout().unwrap();
        ""
    }
    let app = App::new()
        .wrap(middleware())
        .route("/logout", web::get().to(logout))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/login").await;
    ask(&app, "/logout", &cookie).await;
    let response = ask(&app, "/profile", &cookie).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_handler_may_answer_visitors_itself() {
    async fn greet(user: Result<SignedIn, NotSignedIn>) -> String {
        match user {
            Ok(user) => user.to_string(),
            Err(NotSignedIn::Visitor(_)) => "stranger".to_owned(),
            Err(NotSignedIn::Failed(failed)) => panic!("{failed}"),
        }
    }
    let app = App::new()
        .wrap(middleware())
        .route("/", web::get().to(greet));
    let response = ask(&init_service(app).await, "/", "").await;
    assert_eq!(read_body(response).await, "stranger");
}

#[actix_web::test]
async fn for_a_handler_for_everybody_a_session_that_cannot_be_loaded_is_no_visitor() {
    async fn greet(user: Result<SignedIn, NotSignedIn>) -> Result<String, SessionFailed> {
        match user {
            Ok(user) => Ok(user.to_string()),
            Err(NotSignedIn::Visitor(_)) => Ok("stranger".to_owned()),
            Err(NotSignedIn::Failed(failed)) => Err(failed),
        }
    }
    let store = Fragile::default();
    let app = App::new()
        .wrap(SessionMiddleware::new(Sessions::new(store.clone())))
        .route("/", web::get().to(greet))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/login").await;
    store.breaks();
    let response = ask(&app, "/", &cookie).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(read_body(response).await, "");
}

#[actix_web::test]
async fn a_user_is_no_admin() {
    enum Admin {}
    async fn users(user: SignedIn, admin: Result<SignedIn<Admin>, NotSignedIn<Admin>>) -> String {
        format!("{} {}", user.as_str(), admin.is_ok())
    }
    async fn admins(_: SignedIn<Admin>) -> &'static str {
        ""
    }
    let admin_sessions = Sessions::builder(MemoryStore::new())
        .cookie(Cookie::new("admin"))
        .build()
        .unwrap();
    let app = App::new()
        .wrap(SessionMiddleware::new(admin_sessions).marked::<Admin>())
        .wrap(middleware())
        .app_data(SignInAt::new("/login"))
        .app_data(SignInAt::new("/admin/login").marked::<Admin>())
        .route("/users", web::get().to(users))
        .route("/admins", web::get().to(admins))
        .configure(pages);
    let app = init_service(app).await;
    let cookie = cookie(&app, "/login").await;
    assert_eq!(
        read_body(ask(&app, "/users", &cookie).await).await,
        "ada false"
    );
    let response = ask(&app, "/admins", &cookie).await;
    assert_eq!(response.headers().get(LOCATION).unwrap(), "/admin/login");
}

#[actix_web::test]
async fn a_session_that_cannot_be_loaded_is_an_error_and_no_visitor() {
    let store = Fragile::default();
    let middleware = SessionMiddleware::new(Sessions::new(store.clone()));
    let app = init_service(App::new().wrap(middleware).configure(pages)).await;
    let cookie = cookie(&app, "/login").await;
    store.breaks();
    let response = ask(&app, "/profile", &cookie).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(read_body(response).await, "");
}

#[actix_web::test]
async fn without_a_middleware_they_say_so() {
    let app = init_service(App::new().configure(pages)).await;
    for path in ["/profile", "/settings"] {
        let response = ask(&app, path, "").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            read_body(response).await,
            "no SessionMiddleware with the marker () is around this route, or around the middleware that asks for \
             the session: such middleware is wrapped before it"
        );
    }
}

/// Over HTTP/2 the host is that of the URI, and of no header.
#[actix_web::test]
async fn a_form_of_this_site_is_known_by_its_origin_whatever_the_version_of_http() {
    async fn change(session: Session, request: HttpRequest) -> Result<String, SessionFailed> {
        session.check_csrf(&request, None)?;
        Ok(String::new())
    }
    let app = App::new()
        .wrap(middleware())
        .route("/", web::post().to(change));
    let app = init_service(app).await;
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
        let mut request = TestRequest::post().uri(uri).insert_header((ORIGIN, origin));
        if let Some(host) = host {
            request = request.insert_header((HOST, host));
        }
        let response = call_service(&app, request.to_request()).await;
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

fn pages(config: &mut ServiceConfig) {
    config
        .route("/login", web::get().to(login))
        .route("/profile", web::get().to(profile))
        .route("/settings", web::get().to(show));
}

async fn login(session: Session) -> Result<&'static str, SessionFailed> {
    session.login("ada")?;
    Ok("")
}

async fn profile(user: SignedIn) -> String {
    user.as_str().to_owned()
}

async fn show(settings: Typed<Settings>) -> String {
    format!("{} in {}", settings.theme, settings.language)
}

fn middleware() -> SessionMiddleware {
    SessionMiddleware::new(Sessions::new(MemoryStore::new()))
}

/// The cookie that a first request to `path` is answered with.
async fn cookie<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    path: &str,
) -> String {
    let response = ask(app, path, "").await;
    let cookie = response
        .headers()
        .get(SET_COOKIE)
        .unwrap()
        .to_str()
        .unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn ask<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    path: &str,
    cookie: &str,
) -> ServiceResponse<B> {
    let request = TestRequest::get()
        .uri(path)
        .insert_header(("cookie", cookie));
    call_service(app, request.to_request()).await
}
