//! The HTTP suite through actix, the middleware and the extractor.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod stores;

use std::future::{Future, ready};
use std::net::TcpListener;
use std::thread;

use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use fasthttpsession_actix::{Session, SessionFailed, SessionMiddleware};
use fasthttpsession_conformance::http::{Adapter, Reply, Served, Site};

struct Actix;

enum Admin {}

impl Adapter for Actix {
    fn serve(&self, site: Site) -> impl Future<Output = Served> + Send {
        ready(serve(site))
    }
}

/// In a thread of its own, for actix brings its own runtime. It serves when it has said how it is stopped.
fn serve(site: Site) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (says, hears) = std::sync::mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let server = HttpServer::new(move || App::new().configure(routes(&site)))
                .workers(2)
                .disable_signals()
                // A client that goes away is one of the things that are checked.
                .h1_allow_half_closed(false)
                .listen(listener)
                .unwrap()
                .run();
            says.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    let handle = hears.recv().unwrap();
    Served::new(address, move || drop(handle.stop(false)))
}

fn routes(site: &Site) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let users = SessionMiddleware::new(site.users().clone());
    let admins = SessionMiddleware::new(site.admins().clone()).marked::<Admin>();
    let site = Data::new(site.clone());
    move |config| {
        let layered = web::scope("")
            .wrap(users.clone())
            .route("/act", web::to(act))
            .route("/fails", web::post().to(fails))
            .route("/stream", web::post().to(stream))
            .route("/plain", web::post().to(plain))
            .service(web::resource("/two").wrap(admins).post(two))
            .service(web::resource("/twice").wrap(users).post(act));
        config
            .app_data(site)
            .route("/unlayered", web::post().to(plain))
            .service(layered);
    }
}

async fn act(site: Data<Site>, session: Session, body: Bytes) -> HttpResponse {
    response(site.act(&session, &body).await)
}

async fn fails(
    site: Data<Site>,
    session: Session,
    body: Bytes,
) -> Result<HttpResponse, SessionFailed> {
    Ok(response(site.act_or_fail(&session, &body).await?))
}

async fn stream(site: Data<Site>, session: Session, body: Bytes) -> HttpResponse {
    HttpResponse::Ok().streaming(site.stream(&session, &body).await)
}

async fn two(site: Data<Site>, user: Session, admin: Session<Admin>, body: Bytes) -> HttpResponse {
    response(site.act_on_two(&user, &admin, &body).await)
}

async fn plain(site: Data<Site>) -> HttpResponse {
    response(site.plain())
}

fn response(reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response.append_header((name, value));
    }
    response.body(reply.body)
}
