//! Handlers that never answer commit nothing, nor do tasks that outlive them.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorImATeapot;
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::call_service;
use actix_web::{App, HttpResponse, web};
use fasthttpsession_actix::{RequestSession, Session, SessionMiddleware};
use fasthttpsession_core::{Error, Sessions};
use fasthttpsession_memory::MemoryStore;
use futures_util::FutureExt;

use crate::support::{ask, request, served, token_of_a_session, value};

#[actix_web::test]
async fn a_request_that_is_dropped_commits_nothing() {
    static KEPT: Kept = Kept(Mutex::new(None));
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session, found: RequestSession| {
        KEPT.writes(session, found);
        std::future::pending::<HttpResponse>().await
    };
    let app = served(&sessions, handler).await;
    let mut response = Box::pin(call_service(&app, request(&token)));
    assert!((&mut response).now_or_never().is_none());
    drop(response);
    KEPT.commits_its_own_alone(&sessions, &token).await;
}

#[actix_web::test]
async fn a_handler_that_panics_commits_nothing() {
    static KEPT: Kept = Kept(Mutex::new(None));
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session, found: RequestSession| -> HttpResponse {
        KEPT.writes(session, found);
        panic!("the handler panics")
    };
    let app = served(&sessions, handler).await;
    let response = AssertUnwindSafe(call_service(&app, request(&token)));
    assert!(response.catch_unwind().await.is_err());
    KEPT.commits_its_own_alone(&sessions, &token).await;
}

#[actix_web::test]
async fn an_error_of_other_middleware_commits_nothing_later() {
    static KEPT: Kept = Kept(Mutex::new(None));
    async fn fails(
        session: Session,
        found: RequestSession,
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        KEPT.writes(session, found);
        Err(ErrorImATeapot("the middleware failed"))
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(SessionMiddleware::new(sessions.clone()));
    ask(app, request(&token)).await.unwrap_err();
    KEPT.commits_its_own_alone(&sessions, &token).await;
}

/// What a task has that the handler began.
struct Kept(Mutex<Option<(Session, RequestSession)>>);

impl Kept {
    fn writes(&self, session: Session, found: RequestSession) {
        session.set("a", &2).unwrap();
        *self.0.lock().unwrap() = Some((session, found));
    }

    async fn commits_its_own_alone(&self, sessions: &Sessions, token: &str) {
        let (session, _found) = self.0.lock().unwrap().take().unwrap();
        assert!(matches!(session.set("a", &3), Err(Error::Finished)));
        let own = session.transact(|values| values.set("own", &1)).await;
        own.unwrap();
        assert_eq!(value(sessions, token).await, Some(1));
    }
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
    let app = App::new().service(around.get(handler));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(1));
    let app = App::new().service(under.get(handler));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(2));
}
