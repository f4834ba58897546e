//! The HTTP suite through plain hyper: the layer around a service, and the session from the request's extensions.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::convert::Infallible;
use std::future::{Future, ready};

use bytes::Bytes;
use fasthttpsession_conformance::http::{Adapter, Reply, Served, Site};
use fasthttpsession_conformance::http_tests;
use fasthttpsession_core::Session;
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::{RequestSession, SessionFailed, SessionLayer};
use futures_util::TryStreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

http_tests!(Hyper, MemoryStore::new());

struct Hyper;

enum Admin {}

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Route = BoxCloneService<Request<Incoming>, Response<Body>, Infallible>;

impl Adapter for Hyper {
    async fn serve(&self, site: Site) -> Served {
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
}

async fn connection(stream: TcpStream, site: Site) {
    let service = service_fn(move |request: Request<Incoming>| {
        route(request.uri().path(), &site).oneshot(request)
    });
    // Fails when the client goes away, which is one of the things that are checked.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

fn route(path: &str, site: &Site) -> Route {
    let users = SessionLayer::new(site.users().clone());
    let admins = SessionLayer::new(site.admins().clone()).marked::<Admin>();
    let site = site.clone();
    match path {
        "/act" => {
            BoxCloneService::new(users.layer(service_fn(move |request| act(site.clone(), request))))
        }
        "/fails" => BoxCloneService::new(
            users.layer(service_fn(move |request| fails(site.clone(), request))),
        ),
        "/stream" => BoxCloneService::new(
            users.layer(service_fn(move |request| stream(site.clone(), request))),
        ),
        "/plain" => BoxCloneService::new(users.layer(service_fn(move |_| plain(&site)))),
        "/two" => BoxCloneService::new(
            users.layer(admins.layer(service_fn(move |request| two(site.clone(), request)))),
        ),
        "/twice" => BoxCloneService::new(
            users.layer(users.layer(service_fn(move |request| act(site.clone(), request)))),
        ),
        _ => BoxCloneService::new(service_fn(move |_| plain(&site))),
    }
}

async fn act(site: Site, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(match session::<()>(&request).await {
        Ok(session) => response(site.act(&session, &body(request).await).await),
        Err(failed) => failed.response(),
    })
}

async fn fails(site: Site, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let reply = async {
        let session = session::<()>(&request).await?;
        Ok(site.act_or_fail(&session, &body(request).await).await?)
    };
    Ok(reply
        .await
        .map_or_else(SessionFailed::<()>::response, response))
}

async fn two(site: Site, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (user, admin) = (
        session::<()>(&request).await,
        session::<Admin>(&request).await,
    );
    Ok(match (user, admin) {
        (Ok(user), Ok(admin)) => {
            response(site.act_on_two(&user, &admin, &body(request).await).await)
        }
        (Err(failed), _) => failed.response(),
        (_, Err(failed)) => failed.response(),
    })
}

async fn stream(site: Site, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(match session::<()>(&request).await {
        Ok(session) => {
            let chunks = site.stream(&session, &body(request).await).await;
            Response::new(StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync())
        }
        Err(failed) => failed.response(),
    })
}

fn plain(site: &Site) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    ready(Ok(response(site.plain())))
}

async fn session<M: 'static>(request: &Request<Incoming>) -> Result<Session, SessionFailed<M>> {
    let found = request.extensions().get::<RequestSession<M>>();
    Ok(found.ok_or_else(SessionFailed::no_layer)?.session().await?)
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
