//! A server whose handlers have tasks of their own, and outlive their clients.

use std::convert::Infallible;

use fasthttpsession_conformance::http::{Adapter, Served, Site, lifecycle, run};
use fasthttpsession_test_stores::each;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{answer, served};

struct Spawning;

impl Adapter for Spawning {
    async fn serve(&self, site: Site) -> Served {
        served(site, connection).await
    }

    fn keeps_handlers(&self) -> Option<&'static str> {
        Some("each has a task of its own")
    }
}

async fn connection(stream: TcpStream, site: Site) {
    let service = service_fn(|request| {
        let site = site.clone();
        let handler = tokio::spawn(async move { answer(&site, request).await });
        async { Ok::<_, Infallible>(handler.await.unwrap()) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[test]
fn an_adapter_may_say_that_it_drops_no_handlers() {
    run(
        "http",
        "a_request_that_is_cut_commits_nothing",
        Spawning,
        async || each::memory(),
        async |stage| lifecycle::a_request_that_is_cut_commits_nothing(stage).await,
    );
    run(
        "http",
        "a_task_commits_nothing_of_a_request_that_was_cut",
        Spawning,
        async || each::memory(),
        async |stage| lifecycle::a_task_commits_nothing_of_a_request_that_was_cut(stage).await,
    );
}
