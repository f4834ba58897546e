//! What a layered route that does not ask for its session costs over one without a layer. `cargo bench -p
//! fasthttpsession-tower` prints nanoseconds a request, the best of several rounds.
#![allow(clippy::unwrap_used, reason = "a benchmark may")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use fasthttpsession_core::Sessions;
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::SessionLayer;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

const ROUNDS: usize = 2_000;
/// So few that most rounds are not interrupted.
const REQUESTS: u32 = 1_000;
/// Of the right form, so that it is parsed to the end.
const TOKEN: &str = "__Host-id=AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA";

fn main() {
    let layer = SessionLayer::new(Sessions::new(MemoryStore::new()));
    for (what, cookie) in [
        ("without a cookie", None),
        ("with a session's cookie", Some(TOKEN)),
    ] {
        let bare = nanoseconds(service_fn(answer), cookie);
        let layered = nanoseconds(layer.layer(service_fn(answer)), cookie);
        println!(
            "{what}: {bare:.0} ns without the layer, {layered:.0} ns under it, {:.0} ns more",
            layered - bare
        );
    }
}

fn answer(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    black_box(request);
    ready(Ok(Response::new(())))
}

fn nanoseconds<S>(mut service: S, cookie: Option<&str>) -> f64
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..REQUESTS {
            serve(&mut service, cookie);
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn serve<S>(service: &mut S, cookie: Option<&str>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let mut request = Request::builder();
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let mut response = pin!(service.call(request.body(()).unwrap()));
    let answer = response
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(black_box(answer), Poll::Ready(Ok(_))));
}
