//! The HTTP suite through axum, the layer and the extractor, on every store: what a handler promises must hold whatever
//! the session lives in.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod stores;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::routing::post;
use fasthttpsession_conformance::http::{Adapter, Reply, Served, Site};
use fasthttpsession_tower::{Session, SessionFailed, SessionLayer};
use tokio::net::TcpListener;

struct Axum;

enum Admin {}

impl Adapter for Axum {
    async fn serve(&self, site: Site) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router(site)).await });
        Served::new(address, move || server.abort())
    }
}

fn router(site: Site) -> Router {
    let users = SessionLayer::new(site.users().clone());
    let admins = SessionLayer::new(site.admins().clone()).marked::<Admin>();
    let two = Router::new().route("/two", post(two)).layer(admins);
    let twice = Router::new()
        .route("/twice", post(act))
        .layer(users.clone());
    Router::new()
        .route("/act", post(act).get(act))
        .route("/fails", post(fails))
        .route("/stream", post(stream))
        .route("/plain", post(plain))
        .merge(two)
        .merge(twice)
        .layer(users)
        .route("/unlayered", post(plain))
        .with_state(site)
}

async fn act(State(site): State<Site>, session: Session, body: Bytes) -> Response<Body> {
    response(site.act(&session, &body).await)
}

async fn fails(
    State(site): State<Site>,
    session: Session,
    body: Bytes,
) -> Result<Response<Body>, SessionFailed> {
    Ok(response(site.act_or_fail(&session, &body).await?))
}

async fn stream(State(site): State<Site>, session: Session, body: Bytes) -> Response<Body> {
    Response::new(Body::from_stream(site.stream(&session, &body).await))
}

async fn two(
    State(site): State<Site>,
    user: Session,
    admin: Session<Admin>,
    body: Bytes,
) -> Response<Body> {
    response(site.act_on_two(&user, &admin, &body).await)
}

async fn plain(State(site): State<Site>) -> Response<Body> {
    response(site.plain())
}

fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        let name = HeaderName::try_from(name).unwrap();
        response = response.header(name, HeaderValue::try_from(value).unwrap());
    }
    response.body(Body::from(reply.body)).unwrap()
}
