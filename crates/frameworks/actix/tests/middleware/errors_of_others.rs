//! Errors of other middleware, and who answers them.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorImATeapot, InternalError};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::read_body;
use actix_web::{App, HttpResponse, ResponseError, web};
use fasthttpsession_actix::{Session, SessionFailed, SessionMiddleware, SignedIn};
use fasthttpsession_core::{Error, Sessions};
use fasthttpsession_memory::MemoryStore;

use crate::support::{
    Failed, answer_to, apologetic, apologises, ask, broken, fragile, has_seen, notes_seen, request,
    token_in, token_of_a_session, value,
};

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
    let error = ask(app, request(&token)).await.unwrap_err();
    assert_eq!(error.to_string(), "the middleware failed");
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_that_failed() {
    let (sessions, token) = broken().await;
    let app = App::new()
        .wrap(from_fn(notes_seen))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let error = ask(app, request(&token)).await.unwrap_err();
    let status = error.as_response_error().status_code();
    assert_eq!(status, StatusCode::IM_A_TEAPOT);
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
    let (sessions, token) = broken().await;
    let app = App::new()
        .wrap(from_fn(members_only))
        .wrap(apologetic(sessions))
        .route("/", web::get().to(has_seen));
    let error = ask(app, request(&token)).await.unwrap_err();
    apologises(answer_to(error), "sorry: could not load the session").await;
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_that_failed_with_an_error_of_its_own() {
    async fn fails(
        _: Session,
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
    let error = ask(app, request("x")).await.unwrap_err();
    assert_eq!(error.to_string(), Error::Finished.to_string());
    apologises(answer_to(error), &format!("sorry: {}", Error::Finished)).await;
}

#[actix_web::test]
async fn the_same_error_function_answers_other_middleware_that_failed_and_asked_for_no_session() {
    async fn fails(
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        Err(SessionFailed::<()>::from(Error::Finished).into())
    }
    let (_, sessions) = fragile();
    let app = App::new().wrap(from_fn(fails)).wrap(apologetic(sessions));
    let error = ask(app, request("x")).await.unwrap_err();
    apologises(answer_to(error), &format!("sorry: {}", Error::Finished)).await;
}

#[actix_web::test]
async fn an_error_of_other_middleware_keeps_its_type_if_nobody_asked_for_the_session() {
    #[derive(Debug)]
    struct Mine;
    impl std::fmt::Display for Mine {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("mine")
        }
    }
    impl ResponseError for Mine {}
    async fn fails(
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        Err(Mine.into())
    }
    let (_, sessions) = fragile();
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(SessionMiddleware::new(sessions));
    let error = ask(app, request("x")).await.unwrap_err();
    assert!(error.as_error::<Mine>().is_some());
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
    let error = ask(app, request("x")).await.unwrap_err();
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
    let error = ask(app, request(&token)).await.err().unwrap();
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
    assert_eq!(read_body(response).await, "no coffee");
}
