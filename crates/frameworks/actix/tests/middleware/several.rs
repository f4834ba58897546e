//! The same middleware twice, and middleware with markers.

use std::future::ready;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorForbidden;
use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, read_body};
use actix_web::{App, FromRequest, HttpResponse, web};
use fasthttpsession_actix::{Session, SessionFailed, SessionMiddleware};
use fasthttpsession_core::{Error, Sessions, Transport};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;

use crate::support::{
    answer_to, ask, has_seen, notes_seen, request, sessions_named, token_in, token_of_a_session,
    value, writes_and_fails,
};

#[actix_web::test]
async fn middleware_between_the_same_middleware_twice_has_the_handlers_session() {
    let middleware = SessionMiddleware::new(Sessions::new(MemoryStore::new()));
    let app = App::new()
        .wrap(middleware.clone())
        .wrap(from_fn(notes_seen))
        .wrap(middleware)
        .route("/", web::get().to(has_seen));
    let response = ask(app, request("x")).await.unwrap();
    assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1);
}

/// Middleware around takes the request out of the answer, and sends it again.
#[actix_web::test]
async fn a_request_that_passes_the_middleware_again_after_its_response_begins_anew() {
    async fn asks_twice(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        let (request, _) = next.call(request).await?.into_parts();
        let mut again = ServiceRequest::from_request(request);
        again.match_info_mut().reset();
        next.call(again).await
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| {
        session.update("a", |a: &mut u64| *a += 1).unwrap();
        HttpResponse::Ok().finish()
    };
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(from_fn(asks_twice))
        .route("/", web::get().to(handler));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(value(&sessions, &token).await, Some(3));
}

#[actix_web::test]
async fn middleware_between_two_without_markers_has_the_outer_ones_session_before_and_after() {
    async fn between(
        session: Session,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
        let response = next.call(request).await?;
        let after = Session::<()>::extract(response.request()).await.unwrap();
        assert_eq!(after.handle(), session.handle());
        after.set("a", &2).unwrap();
        Ok(response)
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| {
        session.set("a", &3).unwrap();
        HttpResponse::Ok().finish()
    };
    let inner = SessionMiddleware::new(sessions_named("inner", MemoryStore::new()));
    let app = App::new()
        .wrap(from_fn(between))
        .wrap(SessionMiddleware::new(sessions.clone()))
        .service(web::resource("/").wrap(inner).get(handler));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(value(&sessions, &token).await, Some(2));
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
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
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
    let inside = inside.route("/", web::get().to(handler));
    let outside = outside.route("/", web::get().to(handler));
    for response in [
        read_body(ask(inside, request("x")).await.unwrap()).await,
        read_body(ask(outside, request("x")).await.unwrap()).await,
    ] {
        assert_eq!(response, "admins");
    }
}

#[actix_web::test]
async fn a_handler_that_failed_for_one_commits_nothing_under_another() {
    enum Admin {}
    async fn fails(session: Session) -> Result<HttpResponse, SessionFailed<Admin>> {
        session.set("a", &2)?;
        Err(Error::Finished.into())
    }
    async fn misses(session: Session) -> Result<HttpResponse, SessionFailed<Admin>> {
        session.set("a", &2)?;
        Err(SessionFailed::no_middleware())
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let users = SessionMiddleware::new(sessions.clone());
    let admins = sessions_named("admin", MemoryStore::new());
    let admins = SessionMiddleware::new(admins).marked::<Admin>();
    let inside = App::new().wrap(admins.clone()).wrap(users.clone());
    let inside = inside.route("/", web::get().to(fails));
    let outside = App::new().wrap(users.clone()).wrap(admins);
    let outside = outside.route("/", web::get().to(fails));
    let alone = App::new().wrap(users);
    let alone = alone.route("/", web::get().to(misses));
    for answer in [
        ask(inside, request(&token))
            .await
            .unwrap()
            .map_into_boxed_body(),
        ask(outside, request(&token))
            .await
            .unwrap()
            .map_into_boxed_body(),
        ask(alone, request(&token))
            .await
            .unwrap()
            .map_into_boxed_body(),
    ] {
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(value(&sessions, &token).await, Some(1));
    }
}

#[actix_web::test]
async fn a_handler_that_failed_for_the_inner_one_under_a_status_of_actix_commits_nothing_under_the_outer()
 {
    enum Admin {}
    let handler = async |session: Session| -> Result<String, actix_web::Error> {
        session.set("a", &2).unwrap();
        let failed = SessionFailed::<Admin>::from(Error::Finished);
        Err(ErrorForbidden(failed))
    };
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let admins = sessions_named("admin", MemoryStore::new());
    let app = App::new()
        .wrap(SessionMiddleware::new(admins).marked::<Admin>())
        .wrap(SessionMiddleware::new(sessions.clone()))
        .route("/", web::get().to(handler));
    let response = ask(app, request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(read_body(response).await, "");
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[actix_web::test]
async fn what_was_saved_under_an_inner_one_reaches_the_browser_though_the_handler_failed_for_the_outer()
 {
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: Session| -> Result<HttpResponse, SessionFailed<Admin>> {
        session.rotate()?;
        session.save().await?;
        Err(Error::Finished.into())
    };
    let admins = sessions_named("admin", MemoryStore::new());
    let app = App::new()
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(SessionMiddleware::new(admins).marked::<Admin>())
        .route("/", web::get().to(handler));
    let response = ask(app, request(&token)).await.unwrap();
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
    let response = ask(app, request(&token)).await.unwrap();
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
    let admins = SessionMiddleware::new(admins).on_error(|_| HttpResponse::ImATeapot().finish());
    let app = App::new()
        .wrap(from_fn(saves_and_fails))
        .wrap(SessionMiddleware::new(sessions.clone()))
        .wrap(admins.marked::<Admin>());
    let error = ask(app, request(&token)).await.err().unwrap();
    let response = answer_to(error);
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

/// The page with the error has the token in its address, too.
#[actix_web::test]
async fn an_error_for_the_outer_tells_no_other_site_of_the_inner_ones_token_in_the_url() {
    enum Admin {}
    let handler = async || Err::<HttpResponse, _>(SessionFailed::<Admin>::from(Error::Finished));
    let users = Sessions::builder(MemoryStore::new()).transports([Transport::query("s")]);
    let admins = sessions_named("admin", MemoryStore::new());
    let app = App::new()
        .wrap(SessionMiddleware::new(users.build().unwrap()))
        .wrap(SessionMiddleware::new(admins).marked::<Admin>())
        .route("/", web::get().to(handler));
    let token = format!("{}.{}", "A".repeat(22), "A".repeat(43));
    let request = TestRequest::with_uri(&format!("/?s={token}")).to_request();
    let response = ask(app, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        response.headers().get("referrer-policy").unwrap(),
        "same-origin"
    );
}
