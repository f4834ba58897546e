//! The HTTP suite on the plain pair, `Sessions::begin` and `Exchange::finish`, in a bare hyper server: nothing between.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod answer;
mod mistakes;
mod spawning;
mod stores;

use std::convert::Infallible;

use bytes::Bytes;
use fasthttpsession::{Error, Exchange};
use fasthttpsession_conformance::http::{Adapter, Reply, Served, Site};
use futures_util::TryStreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use answer::{abandoned, finished};

struct Plain;

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Adapter for Plain {
    async fn serve(&self, site: Site) -> Served {
        served(site, connection).await
    }
}

async fn served<F: Future<Output = ()> + Send + 'static>(
    site: Site,
    connection: impl Fn(TcpStream, Site) -> F + Send + 'static,
) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, site.clone()));
        }
    });
    Served::new(address, move || server.abort())
}

async fn connection(stream: TcpStream, site: Site) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(&site, request).await) });
    // Fails when the client goes away, which is one of the things that are checked.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(site: &Site, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/unlayered" {
        return response(site.plain());
    }
    let [users, admins] = [site.users(), site.admins()]
        .map(|all| all.begin(request.headers(), request.uri().query()));
    let both = [&users, &admins];
    match handled(site, both, request).await {
        Ok(response) => finished(&both, response).await,
        Err(error) => abandoned(&both, &error),
    }
}

async fn handled(
    site: &Site,
    [users, admins]: [&Exchange; 2],
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    match request.uri().path() {
        "/act" => act(site, users, request).await,
        "/fails" => fails(site, users, request).await,
        "/stream" => stream(site, users, request).await,
        "/two" => two(site, users, admins, request).await,
        "/twice" => Ok(finished(&[users], act(site, users, request).await?).await),
        _ => Ok(response(site.plain())),
    }
}

async fn act(
    site: &Site,
    exchange: &Exchange,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let session = exchange.session().await?;
    Ok(response(site.act(&session, &body(request).await).await))
}

async fn fails(
    site: &Site,
    exchange: &Exchange,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let session = exchange.session().await?;
    let reply = site.act_or_fail(&session, &body(request).await).await?;
    Ok(response(reply))
}

async fn stream(
    site: &Site,
    exchange: &Exchange,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let session = exchange.session().await?;
    let chunks = site.stream(&session, &body(request).await).await;
    Ok(Response::new(
        StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync(),
    ))
}

async fn two(
    site: &Site,
    users: &Exchange,
    admins: &Exchange,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (user, admin) = (users.session().await?, admins.session().await?);
    let reply = site.act_on_two(&user, &admin, &body(request).await).await;
    Ok(response(reply))
}

async fn body(request: Request<Incoming>) -> Bytes {
    request.into_body().collect().await.unwrap().to_bytes()
}

fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(reply.body).boxed_unsync()).unwrap()
}
