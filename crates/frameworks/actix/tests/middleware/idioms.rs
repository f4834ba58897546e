//! Session errors in types of others, as handlers return them that were not written for this library.

use std::error::Error as StdError;
use std::future::ready;

use actix_web::body::{BodyStream, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{
    ErrorConflict, ErrorForbidden, ErrorInternalServerError, ErrorUnauthorized, InternalError,
};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::middleware::{ErrorHandlerResponse, ErrorHandlers, Next, from_fn};
use actix_web::test::{call_service, read_body};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse};
use fasthttpsession_actix::{NotSignedIn, Session, SessionFailed, SessionMiddleware, SignedIn};
use fasthttpsession_core::{Error, Sessions, TransactError};
use fasthttpsession_memory::MemoryStore;
use futures_util::stream;

use crate::support::{
    answer_to, apologetic, apologises, ask, broken, caching, request, served, token_in,
    token_of_a_session, value,
};

#[actix_web::test]
async fn a_session_error_under_a_status_of_actix_commits_nothing_and_says_nothing_to_the_client() {
    async fn fails_to_read(session: Session) -> Result<String, actix_web::Error> {
        session.set("a", &2).map_err(ErrorInternalServerError)?;
        let text: Option<String> = session.get("a").map_err(ErrorInternalServerError)?;
        Ok(text.unwrap())
    }
    async fn fails_to_transact(session: Session) -> Result<String, actix_web::Error> {
        session.set("a", &2).map_err(ErrorForbidden)?;
        let transact = session.transact(|values| values.take::<String>("a"));
        Ok(transact.await.map_err(ErrorForbidden)?.unwrap())
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .service(
            web::resource("/")
                .get(fails_to_read)
                .post(fails_to_transact),
        );
    let app = actix_web::test::init_service(app).await;
    for (method, status) in [
        (
            actix_web::http::Method::GET,
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        (actix_web::http::Method::POST, StatusCode::FORBIDDEN),
    ] {
        let mut request = request(&token);
        request.head_mut().method = method;
        let response = call_service(&app, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(caching(&response), ["no-store"]);
        assert!(!response.headers().contains_key(CONTENT_TYPE));
        let kept = response.response().error().unwrap().to_string();
        assert!(kept.contains("can't be decoded"), "{kept}");
        assert_eq!(read_body(response).await, "");
        assert_eq!(value(&sessions, &token).await, Some(1));
    }
}

#[actix_web::test]
async fn a_marked_session_error_under_a_status_of_actix_commits_nothing_and_says_nothing_to_the_client()
 {
    enum Admin {}
    async fn fails(session: Session<Admin>) -> Result<String, actix_web::Error> {
        session.set("a", &2).unwrap();
        let failed = SessionFailed::<Admin>::from(Error::Finished);
        Err(ErrorForbidden(failed))
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()).marked::<Admin>())
        .route("/", web::get().to(fails));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(caching(&response), ["no-store"]);
    assert_eq!(read_body(response).await, "");
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn who_is_not_signed_in_under_a_status_of_actix_learns_nothing_of_a_store_that_is_down() {
    enum Admin {}
    async fn greet<M: 'static>(
        user: Result<SignedIn<M>, NotSignedIn<M>>,
    ) -> actix_web::Result<String> {
        Ok(user.map_err(ErrorUnauthorized)?.to_string())
    }
    let (sessions, token) = broken().await;
    let users = SessionMiddleware::new(sessions);
    let admins = users.clone().marked::<Admin>();
    let users = App::new()
        .wrap(users)
        .route("/", web::get().to(greet::<()>));
    let admins = App::new()
        .wrap(admins)
        .route("/", web::get().to(greet::<Admin>));
    let users = ask(users, request(&token)).await.unwrap();
    let admins = ask(admins, request(&token)).await.unwrap();
    for response in [users.map_into_boxed_body(), admins.map_into_boxed_body()] {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(caching(&response), ["no-store"]);
        let kept = response.response().error().unwrap().to_string();
        assert!(kept.contains("could not load"), "{kept}");
        assert_eq!(read_body(response).await, "");
    }
}

#[actix_web::test]
async fn what_was_written_for_a_visitor_under_a_status_of_actix_is_committed() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session, user: Result<SignedIn, NotSignedIn>| {
        session.set("a", &2).unwrap();
        user.map(|user| user.to_string()).map_err(ErrorUnauthorized)
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(read_body(response).await, "nobody is signed in");
    assert_eq!(value(&sessions, &token).await, Some(2));
}

#[actix_web::test]
async fn a_session_error_of_transact_under_a_status_of_actix_is_told_from_what_the_closure_says() {
    let sessions = Sessions::new(MemoryStore::new());
    let answers: [(Failing, &str, u64); 4] = [
        (
            || ErrorConflict(TransactError::<&str>::Session(Error::Finished)),
            "",
            1,
        ),
        (
            || ErrorConflict(TransactError::<String>::Session(Error::Finished)),
            "",
            1,
        ),
        (
            || ErrorConflict(TransactError::Aborted("sold out")),
            "sold out",
            2,
        ),
        (
            || ErrorConflict(TransactError::Aborted("sold out".to_owned())),
            "sold out",
            2,
        ),
    ];
    for (error, body, committed) in answers {
        let token = token_of_a_session(&sessions).await;
        let handler = move |session: Session| {
            session.set("a", &2).unwrap();
            ready(Err::<String, _>(error()))
        };
        let response = call_service(&served(&sessions, handler).await, request(&token)).await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(read_body(response).await, body);
        assert_eq!(value(&sessions, &token).await, Some(committed));
    }
}

#[actix_web::test]
async fn a_page_of_the_applications_in_place_of_a_session_error_under_a_status_of_actix_is_sent() {
    let pages: [(Page, &str); 3] = [
        (
            |error| error.set_body(BoxBody::new("Please sign in.")),
            "text/plain; charset=utf-8",
        ),
        (
            |error| of_kind("text/html", error).set_body(BoxBody::new("Please sign in.")),
            "text/html",
        ),
        (
            |error| of_kind("text/html", error).set_body(streamed("Please sign in.")),
            "text/html",
        ),
    ];
    for (page, kind) in pages {
        let (sent_as, page) = sent(page).await;
        assert_eq!(sent_as.unwrap(), kind);
        assert_eq!(page, "Please sign in.");
    }
}

#[actix_web::test]
async fn a_page_that_quotes_a_session_error_under_a_status_of_actix_is_not_sent() {
    fn told(response: &HttpResponse) -> String {
        let told = response.error().unwrap().to_string();
        assert!(
            told.starts_with("the value of \"a\" can't be decoded"),
            "{told}"
        );
        told
    }
    let pages: [Page; 4] = [
        |error| {
            let page = format!("Sorry: {}", told(&error));
            error.set_body(BoxBody::new(page))
        },
        |error| {
            let page = format!("{{\"error\":{:?}}}", told(&error));
            of_kind("application/json", error).set_body(BoxBody::new(page))
        },
        |error| {
            let page = streamed(told(&error));
            error.set_body(page)
        },
        |mut error| {
            let coding = HeaderValue::from_static("rot13");
            error.headers_mut().insert(CONTENT_ENCODING, coding);
            error.set_body(BoxBody::new("gur inyhr bs \"n\""))
        },
    ];
    for page in pages {
        assert_eq!(sent(page).await, (None, Bytes::new()));
    }
}

#[actix_web::test]
async fn what_was_saved_before_a_session_error_under_a_status_of_actix_reaches_the_browser() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<String, actix_web::Error> {
        session.rotate().unwrap();
        session.save().await.unwrap();
        Err(ErrorInternalServerError(Error::Finished))
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[actix_web::test]
async fn a_response_that_was_given_to_a_session_error_is_sent_and_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<String, actix_web::Error> {
        session.set("a", &2).unwrap();
        let page = HttpResponse::ImATeapot().body("no coffee");
        Err(InternalError::from_response(Error::Finished, page).into())
    };
    let response = call_service(&served(&sessions, handler).await, request(&token)).await;
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(read_body(response).await, "no coffee");
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn other_middleware_with_a_session_error_under_a_status_of_actix_says_nothing_to_the_client()
{
    async fn fails(
        _: ServiceRequest,
        _: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse, actix_web::Error> {
        Err(ErrorForbidden(Error::Finished))
    }
    let app = App::new()
        .wrap(from_fn(fails))
        .wrap(SessionMiddleware::new(Sessions::new(MemoryStore::new())));
    let error = ask(app, request("x")).await.unwrap_err();
    assert_eq!(error.to_string(), Error::Finished.to_string());
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(caching(&response), ["no-store"]);
    assert_eq!(read_body(response).await, "");
}

#[actix_web::test]
async fn other_middleware_for_those_who_are_signed_in_tells_nothing_of_a_store_that_is_down() {
    async fn members_only(
        user: Result<SignedIn, NotSignedIn>,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        user.map_err(ErrorUnauthorized)?;
        next.call(request).await
    }
    let (sessions, token) = broken().await;
    let app = App::new()
        .wrap(from_fn(members_only))
        .wrap(SessionMiddleware::new(sessions));
    let error = ask(app, request(&token)).await.err().unwrap();
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(caching(&response), ["no-store"]);
    assert_eq!(read_body(response).await, "");
}

#[actix_web::test]
async fn the_error_function_answers_a_session_error_in_a_box_and_nothing_is_committed() {
    async fn fails_to_read(session: Session) -> Result<String, Box<dyn StdError>> {
        session.set("a", &2)?;
        Ok(session.get::<String>("a")?.unwrap())
    }
    async fn fails_to_transact(session: Session) -> Result<String, Box<dyn StdError>> {
        session.set("a", &2)?;
        let transact = session.transact(|values| values.take::<String>("a"));
        Ok(transact.await?.unwrap())
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    for resource in [
        web::resource("/").get(fails_to_read),
        web::resource("/").get(fails_to_transact),
    ] {
        let app = App::new()
            .wrap(apologetic(sessions.clone()))
            .service(resource);
        let response = ask(app, request(&token)).await.unwrap();
        let said = "sorry: the value of \"a\" can't be decoded as alloc";
        apologises(response, said).await;
        assert_eq!(value(&sessions, &token).await, Some(1));
    }
}

/// What a handler fails with.
type Failing = fn() -> actix_web::Error;

/// Made of the answer to a session error, as a handler of `ErrorHandlers` does.
type Page = fn(HttpResponse) -> HttpResponse;

/// The type of the page that the client gets, and the page.
async fn sent(page: Page) -> (Option<HeaderValue>, Bytes) {
    async fn fails(session: Session) -> actix_web::Result<String> {
        let text: Option<String> = session.get("a").map_err(ErrorUnauthorized)?;
        Ok(text.unwrap())
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let pages = ErrorHandlers::new().handler(StatusCode::UNAUTHORIZED, move |response| {
        let (request, response) = response.into_parts();
        let response = ServiceResponse::new(request, page(response));
        Ok(ErrorHandlerResponse::Response(
            response.map_into_right_body(),
        ))
    });
    let app = App::new()
        .wrap(pages)
        .wrap(SessionMiddleware::new(sessions))
        .route("/", web::get().to(fails));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    (kind, read_body(response).await)
}

fn of_kind(kind: &'static str, mut response: HttpResponse) -> HttpResponse {
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn streamed(chunk: impl Into<Bytes>) -> BoxBody {
    let chunk = Ok::<_, actix_web::Error>(chunk.into());
    BoxBody::new(BodyStream::new(stream::iter([chunk])))
}
