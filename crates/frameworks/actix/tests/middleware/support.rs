//! Requests with a session's cookie, what answers them, and what is behind it.

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::middleware::Next;
use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
use actix_web::{App, FromRequest, Handler, HttpResponse, Responder, ResponseError, web};
use fasthttpsession_actix::{Session, SessionFailed, SessionMiddleware};
use fasthttpsession_core::{Cookie, Error, Sessions, Store};
use fasthttpsession_test_stores::Fragile;

/// Sessions whose cookie has this name.
pub(crate) fn sessions_named(cookie: &str, store: impl Store) -> Sessions {
    let builder = Sessions::builder(store).cookie(Cookie::new(cookie));
    builder.build().unwrap()
}

/// Sessions on a store that can be broken.
pub(crate) fn fragile() -> (Fragile, Sessions) {
    let store = Fragile::default();
    (store.clone(), Sessions::new(store))
}

/// Sessions on a store that has broken, and the token of one of them.
pub(crate) async fn broken() -> (Sessions, String) {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    (sessions, token)
}

/// Middleware whose error function says what went wrong, which a real one would not.
pub(crate) fn apologetic(sessions: Sessions) -> SessionMiddleware {
    SessionMiddleware::new(sessions).on_error(|error| {
        let reason = error.to_string();
        let reason = reason.split(':').next().unwrap();
        HttpResponse::ImATeapot().body(format!("sorry: {reason}"))
    })
}

/// What actix makes of an error that comes out of all middleware.
pub(crate) fn answer_to(error: actix_web::Error) -> ServiceResponse {
    TestRequest::get().to_srv_request().error_response(error)
}

pub(crate) async fn apologises(response: ServiceResponse<impl MessageBody>, sentence: &str) {
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(caching(&response), ["no-store"]);
    assert_eq!(read_body(response).await, sentence.as_bytes());
}

pub(crate) fn caching(response: &ServiceResponse<impl MessageBody>) -> Vec<&str> {
    let lines = response.headers().get_all(CACHE_CONTROL);
    lines.map(|line| line.to_str().unwrap()).collect()
}

/// A service of one route, under one middleware.
pub(crate) async fn served<H, Args>(
    sessions: &Sessions,
    handler: H,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error>
where
    H: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .route("/", web::get().to(handler));
    init_service(app).await
}

/// What comes out of all middleware of `app`.
pub(crate) async fn ask<T, B>(
    app: App<T>,
    request: Request,
) -> Result<ServiceResponse<B>, actix_web::Error>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
            Future: 'static,
        > + 'static,
    B: MessageBody + 'static,
{
    try_call_service(&init_service(app).await, request).await
}

pub(crate) fn request(token: &str) -> Request {
    TestRequest::get()
        .insert_header(("cookie", format!("__Host-id={token}")))
        .to_request()
}

/// The token of a new session in which `a` is 1.
pub(crate) async fn token_of_a_session(sessions: &Sessions) -> String {
    let handler = async |session: Session| {
        session.set("a", &1).unwrap();
        HttpResponse::Ok().finish()
    };
    let response = call_service(&served(sessions, handler).await, request("x")).await;
    token_in(&response)
}

pub(crate) fn token_in(response: &ServiceResponse<impl MessageBody>) -> String {
    let cookie = response
        .headers()
        .get(SET_COOKIE)
        .unwrap()
        .to_str()
        .unwrap();
    let value = cookie.strip_prefix("__Host-id=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

pub(crate) async fn value(sessions: &Sessions, token: &str) -> Option<u64> {
    let exchange = sessions.begin([("cookie", format!("__Host-id={token}"))], None);
    exchange.session().await.unwrap().get("a").unwrap()
}

pub(crate) async fn notes_seen(
    session: Session,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    session.set("seen", &true).unwrap();
    next.call(request).await
}

pub(crate) async fn has_seen(session: Session) -> HttpResponse {
    assert_eq!(session.get("seen").unwrap(), Some(true));
    HttpResponse::Ok().finish()
}

pub(crate) async fn writes_and_fails(session: Session) -> Result<HttpResponse, SessionFailed> {
    session.set("a", &2)?;
    Err(Error::Finished.into())
}

/// An error of the application's own that holds one of a session.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) SessionFailed);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Failed {
    fn error_response(&self) -> HttpResponse {
        self.0.error_response()
    }
}
