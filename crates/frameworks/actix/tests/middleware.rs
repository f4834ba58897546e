//! What is told of the middleware that no HTTP client can see: error functions, other middleware, tasks.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::future::ready;
use std::sync::Mutex;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorImATeapot, InternalError};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
use actix_web::{App, FromRequest, Handler, HttpResponse, Responder, ResponseError, rt, web};
use fasthttpsession_actix::{RequestSession, Session, SessionFailed, SessionMiddleware, SignedIn};
use fasthttpsession_core::{Cookie, Error, Sessions, Store};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;
use futures_util::FutureExt;

#[actix_web::test]
async fn an_error_of_other_middleware_is_passed_on_and_commits_nothing() {
    async fn fails(
        session: Session,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        session.set("a", &2).unwrap();
        Err(ErrorImATeapot("the middleware failed"))
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(SessionMiddleware::new(sessions.clone()));
    let app = init_service(app).await;
    let error = try_call_service(&app, request(&token)).await.unwrap_err();
    assert_eq!(error.to_string(), "the middleware failed");
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn a_request_that_is_dropped_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| {
        session.set("a", &2).unwrap();
        std::future::pending::<HttpResponse>().await
    };
    let app = served(&sessions, handler).await;
    let mut response = Box::pin(call_service(&app, request(&token)));
    assert!((&mut response).now_or_never().is_none());
    drop(response);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn what_answers_in_place_of_a_handler_that_it_drops_commits_under_the_middleware_but_not_around_it()
 {
    async fn out_of_time(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        let answered = request.request().clone();
        assert!(next.call(request).now_or_never().is_none());
        let answer = HttpResponse::RequestTimeout().finish();
        Ok(ServiceResponse::new(answered, answer))
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let middleware = SessionMiddleware::new(sessions.clone());
    let handler = async |session: Session| {
        session.set("a", &2).unwrap();
        std::future::pending::<HttpResponse>().await
    };
    let around = web::resource("/")
        .wrap(middleware.clone())
        .wrap(from_fn(out_of_time));
    let under = web::resource("/")
        .wrap(from_fn(out_of_time))
        .wrap(middleware);
    let around = init_service(App::new().service(around.get(handler))).await;
    let response = call_service(&around, request(&token)).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(1));
    let under = init_service(App::new().service(under.get(handler))).await;
    let response = call_service(&under, request(&token)).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(2));
}

#[actix_web::test]
async fn a_handler_has_the_session_in_hand_without_loading_it() {
    let (store, sessions) = fragile();
    store.breaks();
    let handler = async |found: RequestSession| {
        assert!(!found.is_loaded());
        HttpResponse::Ok().finish()
    };
    let app = served(&sessions, handler).await;
    let response = call_service(&app, request("x")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
}

#[actix_web::test]
async fn a_session_asked_for_after_the_response_takes_no_writes() {
    static KEPT: Mutex<Option<RequestSession>> = Mutex::new(None);
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |found: RequestSession| {
        *KEPT.lock().unwrap() = Some(found);
        HttpResponse::Ok().finish()
    };
    let app = served(&sessions, handler).await;
    call_service(&app, request(&token)).await;
    let kept = KEPT.lock().unwrap().take().unwrap();
    let session = kept.session().await.unwrap();
    assert_eq!(session.get("a").unwrap(), Some(1));
    assert!(matches!(session.set("a", &2), Err(Error::Finished)));
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn middleware_and_handler_share_one_session() {
    let app = App::new()
        .wrap(from_fn(notes_seen))
        .wrap(SessionMiddleware::new(Sessions::new(MemoryStore::new())))
        .route("/", web::get().to(has_seen));
    let response = call_service(&init_service(app).await, request("x")).await;
    assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1);
}

#[actix_web::test]
async fn middleware_between_the_same_middleware_twice_has_the_handlers_session() {
    let middleware = SessionMiddleware::new(Sessions::new(MemoryStore::new()));
    let app = App::new()
        .wrap(middleware.clone())
        .wrap(from_fn(notes_seen))
        .wrap(middleware)
        .route("/", web::get().to(has_seen));
    let response = call_service(&init_service(app).await, request("x")).await;
    assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1);
}

#[actix_web::test]
async fn a_session_goes_across_awaits_and_into_local_tasks() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| {
        let in_the_task = session.clone();
        let task = rt::spawn(async move {
            rt::task::yield_now().await;
            in_the_task.update("a", |a: &mut u64| *a += 1)
        });
        session.update("a", |a: &mut u64| *a += 1).unwrap();
        task.await.unwrap().unwrap();
        HttpResponse::Ok().finish()
    };
    let app = served(&sessions, handler).await;
    call_service(&app, request(&token)).await;
    assert_eq!(value(&sessions, &token).await, Some(3));
}

/// actix uses the memory of a request again for the next one, extensions included.
#[actix_web::test]
async fn nobody_gets_the_session_of_the_request_before() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = served(&sessions, async |session: Session| session.keys().join(",")).await;
    for (request, keys) in [(request(&token), "a"), (request("x"), "")] {
        assert_eq!(read_body(call_service(&app, request).await).await, keys);
    }
}

#[actix_web::test]
async fn an_upgrade_commits_with_its_head_and_leaves_the_task_what_it_needs() {
    static KEPT: Mutex<Option<Session>> = Mutex::new(None);
    let handler = async |session: Session| {
        session.set("a", &1).unwrap();
        *KEPT.lock().unwrap() = Some(session);
        HttpResponse::SwitchingProtocols().finish()
    };
    let sessions = Sessions::new(MemoryStore::new());
    let app = served(&sessions, handler).await;
    let response = call_service(&app, request("x")).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(response.headers().contains_key(SET_COOKIE));
    let socket = KEPT.lock().unwrap().take().unwrap();
    assert!(matches!(socket.set("a", &2), Err(Error::Finished)));
    assert!(socket.is_alive().await.unwrap());
    let taken = socket.transact(|values| values.take::<u64>("a")).await;
    assert_eq!(taken.unwrap(), Some(1));
}

#[actix_web::test]
async fn an_error_function_answers_a_failed_commit() {
    let (store, sessions) = fragile();
    let handler = move |session: Session| {
        session.set("a", &1).unwrap();
        store.breaks();
        async { "the handler's" }
    };
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(handler));
    let response = call_service(&init_service(app).await, request("x")).await;
    apologises(response, "sorry: could not create the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_a_handler_that_failed() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let handler = async |found: RequestSession| -> Result<String, SessionFailed> {
        found.session().await?;
        Ok("not reached".to_owned())
    };
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(handler));
    let response = call_service(&init_service(app).await, request(&token)).await;
    apologises(response, "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_the_extractors_rejection() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let response = call_service(&init_service(app).await, request(&token)).await;
    apologises(response, "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_that_failed() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let app = App::new()
        .wrap(from_fn(notes_seen))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let app = init_service(app).await;
    let error = try_call_service(&app, request(&token)).await.unwrap_err();
    apologises(answer_to(error), "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_for_those_who_are_signed_in() {
    async fn members_only(
        _: SignedIn,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        next.call(request).await
    }
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let app = App::new()
        .wrap(from_fn(members_only))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let app = init_service(app).await;
    let error = try_call_service(&app, request(&token)).await.unwrap_err();
    apologises(answer_to(error), "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_that_failed_with_an_error_of_its_own() {
    async fn fails(
        _: RequestSession,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        Err(Failed(Error::Finished.into()).into())
    }
    let (_, sessions) = fragile();
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let app = init_service(app).await;
    let error = try_call_service(&app, request("x")).await.unwrap_err();
    assert_eq!(error.to_string(), Error::Finished.to_string());
    apologises(answer_to(error), &format!("sorry: {}", Error::Finished)).await;
}

#[actix_web::test]
async fn an_answer_that_other_middleware_made_for_its_error_is_passed_on() {
    async fn fails(
        _: Session,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        let answer = HttpResponse::ImATeapot().body("no coffee");
        Err(InternalError::from_response("it failed", answer).into())
    }
    let (_, sessions) = fragile();
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let app = init_service(app).await;
    let error = try_call_service(&app, request("x")).await.unwrap_err();
    assert_eq!(error.to_string(), "it failed");
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(read_body(response).await, "no coffee");
}

#[actix_web::test]
async fn what_other_middleware_saved_before_it_failed_reaches_the_browser_whoever_looks_at_the_error()
 {
    async fn saves_and_fails(
        session: Session,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        session.rotate().unwrap();
        session.save().await.unwrap();
        Err(ErrorImATeapot("no coffee"))
    }
    async fn looks(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        let answer = next.call(request).await;
        if let Err(error) = &answer {
            assert_eq!(error.error_response().status(), StatusCode::IM_A_TEAPOT);
        }
        answer
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = App::new()
        .wrap(from_fn(saves_and_fails))
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(from_fn(looks));
    let app = init_service(app).await;
    let error = try_call_service(&app, request(&token)).await.err().unwrap();
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
    assert_eq!(read_body(response).await, "no coffee");
}

#[actix_web::test]
async fn a_handler_that_failed_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = served(&sessions, writes_and_fails).await;
    let response = call_service(&app, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn a_handler_that_failed_under_the_same_middleware_twice_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let middleware = SessionMiddleware::new(sessions.clone());
    let app = App::new()
        .wrap(middleware.clone())
        .wrap(middleware)
        .route("/", web::get().to(writes_and_fails));
    let response = call_service(&init_service(app).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn a_failure_inside_an_error_of_the_applications_own_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<HttpResponse, Failed> {
        Err(Failed(writes_and_fails(session).await.unwrap_err()))
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn another_error_of_the_handler_commits_like_any_answer() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<HttpResponse, actix_web::Error> {
        session.set("a", &2).unwrap();
        Err(ErrorImATeapot("no coffee"))
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(value(&sessions, &token).await, Some(2));
}

#[actix_web::test]
async fn what_a_handler_saved_before_it_failed_reaches_the_browser() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<HttpResponse, SessionFailed> {
        session.rotate()?;
        session.save().await?;
        writes_and_fails(session).await
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[actix_web::test]
async fn an_error_function_may_decide_about_caching() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let middleware = SessionMiddleware::new(sessions).on_error(|_| {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((CACHE_CONTROL, "max-age=1"))
            .finish()
    });
    let app = App::new()
        .wrap(middleware)
        .route("/", web::get().to(has_seen));
    let response = call_service(&init_service(app).await, request(&token)).await;
    assert_eq!(caching(&response), ["max-age=1"]);
}

#[actix_web::test]
async fn without_a_middleware_the_extractor_rejects_with_500_and_says_so() {
    let app = App::new().route("/", web::get().to(has_seen));
    let response = call_service(&init_service(app).await, request("x")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        read_body(response).await,
        "no SessionMiddleware with the marker () is around this route"
    );
}

#[actix_web::test]
async fn a_failure_of_one_middleware_is_answered_by_that_one() {
    enum Admin {}
    let handler = async || Err::<HttpResponse, _>(SessionFailed::<Admin>::from(Error::Ended));
    let sessions = Sessions::new(MemoryStore::new());
    let named = |name: &'static str| move |_: &Error| HttpResponse::Ok().body(name);
    let users = SessionMiddleware::new(sessions.clone()).on_error(named("users"));
    let admins = SessionMiddleware::new(sessions)
        .on_error(named("admins"))
        .marked::<Admin>();
    let inside = App::new().wrap(admins.clone()).wrap(users.clone());
    let outside = App::new().wrap(users).wrap(admins);
    let inside = init_service(inside.route("/", web::get().to(handler))).await;
    let outside = init_service(outside.route("/", web::get().to(handler))).await;
    for response in [
        read_body(call_service(&inside, request("x")).await).await,
        read_body(call_service(&outside, request("x")).await).await,
    ] {
        assert_eq!(response, "admins");
    }
}

#[actix_web::test]
async fn what_an_inner_one_committed_reaches_the_browser_though_the_handler_failed_for_the_outer() {
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<HttpResponse, SessionFailed<Admin>> {
        session.rotate()?;
        Err(Error::Finished.into())
    };
    let admins = sessions_named("admin", MemoryStore::new());
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(SessionMiddleware::new(admins).marked::<Admin>())
        .route("/", web::get().to(handler));
    let response = call_service(&init_service(app).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[actix_web::test]
async fn what_an_inner_one_committed_reaches_the_browser_though_two_around_it_can_not_commit() {
    enum Admin {}
    enum Owner {}
    let store = Fragile::default();
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let admins = sessions_named("admin", store.clone());
    let owners = sessions_named("owner", store.clone());
    let handler = move |user: Session, admin: Session<Admin>, owner: Session<Owner>| {
        user.rotate().unwrap();
        admin.set("a", &1).unwrap();
        owner.set("a", &1).unwrap();
        store.breaks();
        let mut own = HttpResponse::Ok();
        ready(own.insert_header((SET_COOKIE, "theme=dark")).finish())
    };
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(SessionMiddleware::new(admins).marked::<Admin>())
        .wrap(SessionMiddleware::new(owners).marked::<Owner>())
        .route("/", web::get().to(handler));
    let response = call_service(&init_service(app).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[actix_web::test]
async fn what_was_saved_reaches_the_browser_though_other_middleware_failed_for_an_outer_one() {
    enum Admin {}
    async fn saves_and_fails(
        session: Session,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        session.rotate().unwrap();
        session.save().await.unwrap();
        Err(SessionFailed::<Admin>::from(Error::Finished).into())
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let admins = sessions_named("admin", MemoryStore::new());
    let app = App::new()
        .wrap(from_fn(saves_and_fails))
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(SessionMiddleware::new(admins).marked::<Admin>());
    let app = init_service(app).await;
    let error = try_call_service(&app, request(&token)).await.err().unwrap();
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[actix_web::test]
async fn a_cookie_is_not_printed() {
    let handler = async |session: Session| {
        session.set("a", &1).unwrap();
        HttpResponse::Ok().finish()
    };
    let sessions = Sessions::new(MemoryStore::new());
    let app = served(&sessions, handler).await;
    let response = call_service(&app, request("x")).await;
    assert!(format!("{:?}", response.headers()).contains("Sensitive"));
}

async fn notes_seen(
    session: Session,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    session.set("seen", &true).unwrap();
    next.call(request).await
}

async fn has_seen(session: Session) -> HttpResponse {
    assert_eq!(session.get("seen").unwrap(), Some(true));
    HttpResponse::Ok().finish()
}

async fn writes_and_fails(session: Session) -> Result<HttpResponse, SessionFailed> {
    session.set("a", &2)?;
    Err(Error::Finished.into())
}

/// An error of the application's own that holds one of a session.
#[derive(Debug)]
struct Failed(SessionFailed);

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

/// Sessions whose cookie has this name.
fn sessions_named(cookie: &str, store: impl Store) -> Sessions {
    let builder = Sessions::builder(store).cookie(Cookie::new(cookie));
    builder.build().unwrap()
}

/// Sessions on a store that can be broken.
fn fragile() -> (Fragile, Sessions) {
    let store = Fragile::default();
    (store.clone(), Sessions::new(store))
}

/// Middleware whose error function says what went wrong, which a real one would not.
fn apologetic(sessions: Sessions) -> SessionMiddleware {
    SessionMiddleware::new(sessions).on_error(|error| {
        let reason = error.to_string();
        let reason = reason.split(':').next().unwrap();
        HttpResponse::ImATeapot().body(format!("sorry: {reason}"))
    })
}

/// What actix makes of an error that comes out of all middleware.
fn answer_to(error: actix_web::Error) -> ServiceResponse {
    TestRequest::get().to_srv_request().error_response(error)
}

async fn apologises(response: ServiceResponse<impl MessageBody>, sentence: &str) {
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(caching(&response), ["no-store"]);
    assert_eq!(read_body(response).await, sentence.as_bytes());
}

fn caching(response: &ServiceResponse<impl MessageBody>) -> Vec<&str> {
    let lines = response.headers().get_all(CACHE_CONTROL);
    lines.map(|line| line.to_str().unwrap()).collect()
}

/// A service of one route, under one middleware.
async fn served<H, Args>(
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

fn request(token: &str) -> Request {
    TestRequest::get()
        .insert_header(("cookie", format!("__Host-id={token}")))
        .to_request()
}

/// The token of a new session in which `a` is 1.
async fn token_of_a_session(sessions: &Sessions) -> String {
    let handler = async |session: Session| {
        session.set("a", &1).unwrap();
        HttpResponse::Ok().finish()
    };
    let response = call_service(&served(sessions, handler).await, request("x")).await;
    token_in(&response)
}

fn token_in(response: &ServiceResponse<impl MessageBody>) -> String {
    let cookie = response
        .headers()
        .get(SET_COOKIE)
        .unwrap()
        .to_str()
        .unwrap();
    let value = cookie.strip_prefix("__Host-id=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

async fn value(sessions: &Sessions, token: &str) -> Option<u64> {
    let exchange = sessions.begin([("cookie", format!("__Host-id={token}"))], None);
    exchange.session().await.unwrap().get("a").unwrap()
}
