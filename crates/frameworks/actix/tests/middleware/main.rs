//! What is told of the middleware that no HTTP client can see: error functions, other middleware, tasks.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod dropped;
mod errors;
mod errors_of_others;
mod idioms;
mod several;
mod support;

use std::sync::Mutex;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::GuardContext;
use actix_web::http::StatusCode;
use actix_web::http::header::{SET_COOKIE, VARY};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{call_service, read_body};
use actix_web::{App, HttpResponse, rt, web};
use fasthttpsession_actix::{RequestSession, Session, SessionMiddleware};
use fasthttpsession_core::{Error, Sessions};
use fasthttpsession_memory::MemoryStore;

use support::{ask, fragile, has_seen, notes_seen, request, served, token_of_a_session, value};

#[actix_web::test]
async fn a_handler_has_the_session_in_hand_without_loading_it() {
    let (store, sessions) = fragile();
    store.breaks();
    let handler = async |found: RequestSession| {
        assert!(found.loaded().is_none());
        HttpResponse::Ok().finish()
    };
    let app = served(&sessions, handler).await;
    let response = call_service(&app, request("x")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
}

#[actix_web::test]
async fn a_guard_has_the_session_that_middleware_has_loaded() {
    fn is_known(context: &GuardContext<'_>) -> bool {
        let extensions = context.req_data();
        let found = extensions.get::<RequestSession>().unwrap();
        let Some(session) = found.loaded() else {
            return false;
        };
        session.update("a", |a: &mut u64| *a += 1).unwrap();
        !session.is_new()
    }
    async fn loads(
        _: Session,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        next.call(request).await
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let guarded = || {
        let resource = web::resource("/").guard(is_known);
        App::new().service(resource.get(async || ""))
    };
    let app = guarded().wrap(SessionMiddleware::new(sessions.clone()));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    for (token, status) in [
        (token.as_str(), StatusCode::OK),
        ("x", StatusCode::NOT_FOUND),
    ] {
        let app = guarded()
            .wrap(from_fn(loads))
            .wrap(SessionMiddleware::new(sessions.clone()));
        let response = ask(app, request(token)).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(value(&sessions, &token).await, Some(2));
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
    let response = ask(app, request("x")).await.unwrap();
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

/// It reads the first line, extends it, and puts it in place of all lines.
#[actix_web::test]
async fn the_response_varies_by_cookie_under_middleware_that_keeps_one_line_as_actix_cors_does() {
    async fn cors(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        let mut response = next.call(request).await?;
        let headers = response.headers_mut();
        let first = headers.get(VARY).unwrap().to_str().unwrap();
        let extended = format!("{first}, Origin").parse().unwrap();
        headers.insert(VARY, extended);
        Ok(response)
    }
    let handler = async |_: Session| {
        let mut own = HttpResponse::Ok();
        own.insert_header((VARY, "Accept-Language")).finish()
    };
    let app = App::new()
        .wrap(SessionMiddleware::new(Sessions::new(MemoryStore::new())))
        .wrap(from_fn(cors))
        .route("/", web::get().to(handler));
    let response = ask(app, request("x")).await.unwrap();
    let lines: Vec<_> = response.headers().get_all(VARY).collect();
    assert_eq!(lines, ["Accept-Language, Cookie, Origin"]);
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
