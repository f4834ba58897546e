//! What is answered in place of a handler's response, and by whose function.

use actix_web::error::ErrorImATeapot;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::test::{call_service, read_body};
use actix_web::{App, HttpResponse, web};
use fasthttpsession_actix::{RequestSession, Session, SessionFailed, SessionMiddleware};
use fasthttpsession_core::Sessions;
use fasthttpsession_memory::MemoryStore;

use crate::support::{
    Failed, apologetic, apologises, ask, broken, caching, fragile, has_seen, request, served,
    token_in, token_of_a_session, value, writes_and_fails,
};

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
    let response = ask(app, request("x")).await.unwrap();
    apologises(response, "sorry: could not create the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_a_handler_that_failed() {
    let (sessions, token) = broken().await;
    let handler = async |found: RequestSession| -> Result<String, SessionFailed> {
        found.session().await?;
        Ok("not reached".to_owned())
    };
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(handler));
    let response = ask(app, request(&token)).await.unwrap();
    apologises(response, "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_the_extractors_rejection() {
    let (sessions, token) = broken().await;
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let response = ask(app, request(&token)).await.unwrap();
    apologises(response, "sorry: could not load the session").await;
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

/// `TracingLogger`, say.
#[actix_web::test]
async fn a_logger_around_the_middleware_is_told_the_error_and_the_status_that_is_sent() {
    let (sessions, token) = broken().await;
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let not_loaded = ask(app, request(&token)).await.unwrap();
    let (store, sessions) = fragile();
    let handler = move |session: Session| {
        session.set("a", &1).unwrap();
        store.breaks();
        async { "the handler's" }
    };
    let app = App::new()
        .wrap(apologetic(sessions))
        .route("/", web::get().to(handler));
    let not_made = ask(app, request("x")).await.unwrap();
    for (response, told) in [
        (not_loaded, "could not load"),
        (not_made, "could not create"),
    ] {
        let error = response.response().error().unwrap();
        assert!(error.to_string().starts_with(told), "{error}");
        assert_eq!(error.as_response_error().status_code(), response.status());
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    }
}

#[actix_web::test]
async fn an_error_function_may_decide_about_caching() {
    let (sessions, token) = broken().await;
    let middleware = SessionMiddleware::new(sessions).on_error(|_| {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((CACHE_CONTROL, "max-age=1"))
            .finish()
    });
    let app = App::new()
        .wrap(middleware)
        .route("/", web::get().to(has_seen));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(caching(&response), ["max-age=1"]);
}

#[actix_web::test]
async fn without_a_middleware_the_extractor_rejects_with_500_and_says_so() {
    let app = App::new().route("/", web::get().to(has_seen));
    let response = ask(app, request("x")).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        read_body(response).await,
        "no SessionMiddleware with the marker () is around this route, or around the middleware that asks for \
             the session: such middleware is wrapped before it"
    );
}
