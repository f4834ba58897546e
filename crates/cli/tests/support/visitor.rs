//! A client that keeps one cookie, as a browser would, and shows what it was sent.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Somebody with a cookie jar for one cookie. Requests through `&self` may be under way at once.
pub(crate) struct Visitor {
    address: SocketAddr,
    cookie: Mutex<Option<String>>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Visitor {
    /// Nobody yet: without a cookie.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self::with_cookie(address, None)
    }

    fn with_cookie(address: SocketAddr, cookie: Option<String>) -> Self {
        Self {
            address,
            cookie: Mutex::new(cookie),
        }
    }

    /// Another client with the cookie that this one has now: what a thief, or a request sent earlier, holds.
    pub(crate) fn copy(&self) -> Self {
        Self::with_cookie(self.address, self.cookie())
    }

    /// The same client at another address.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self::with_cookie(address, self.cookie())
    }

    /// `name=value`, as it is sent; `None` without one.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.jar().clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path), "").await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(request(Method::POST, path), "").await
    }

    /// Sends `body` as JSON.
    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send(request(Method::PUT, path), body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path), "").await
    }

    pub(crate) async fn login(&self, user: &str) -> Answer {
        let body = serde_json::json!({ "user": user }).to_string();
        self.send(request(Method::POST, "/api/login"), &body).await
    }

    /// `GET /api/session`.
    pub(crate) async fn session(&self) -> Value {
        self.get("/api/session").await.json()
    }

    /// Sends what `request` says with `body`, over a connection of its own, and keeps the cookie that comes back.
    pub(crate) async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let mut request = request.header(header::HOST, self.address.to_string());
        if let Some(cookie) = self.cookie() {
            request = request.header(header::COOKIE, cookie);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let request = request.body(body).expect("the test's request is one");
        let answer = Answer::read(exchange(self.address, request).await).await;
        if let Some(line) = answer.set_cookie() {
            *self.jar() = kept(line);
        }
        answer
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    async fn read(response: http::Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body comes to its end");
        Self {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        }
    }

    /// The `Set-Cookie` line; `None` without one.
    pub(crate) fn set_cookie(&self) -> Option<&str> {
        self.headers
            .get(header::SET_COOKIE)
            .map(|line| line.to_str().expect("a cookie is ASCII"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a header is ASCII"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body, which must be JSON and say so.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// A request for [`Visitor::send`]; add headers to it.
pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> http::Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("the demo listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("the demo speaks HTTP/1.1");
    tokio::spawn(connection);
    sender
        .send_request(request)
        .await
        .expect("the demo answers")
}

/// What a browser keeps of a `Set-Cookie` line: nothing, when the line removes the cookie.
fn kept(line: &str) -> Option<String> {
    let pair = line.split(';').next().unwrap_or_default().trim();
    let removes = line.to_ascii_lowercase().contains("max-age=0");
    (!removes && !pair.ends_with('=')).then(|| pair.to_owned())
}
