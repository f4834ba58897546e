//! A browser, as far as these tests need one: it keeps the cookie and sends it.

use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

pub(crate) struct Browser {
    app: Router,
    cookie: Option<String>,
}

/// An answer that was read to its end.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn of(app: Router) -> Self {
        Self { app, cookie: None }
    }

    /// Another application takes the place of the one that was there, as after a deployment.
    pub(crate) fn meets(&mut self, app: Router) {
        self.app = app;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Page {
        if let Some(cookie) = &self.cookie {
            let cookie = cookie.parse().unwrap();
            request.headers_mut().insert(COOKIE, cookie);
        }
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.keep(&response);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Page { status, text }
    }

    fn keep(&mut self, response: &Response<Body>) {
        let Some(set) = response.headers().get(SET_COOKIE) else {
            return;
        };
        let set = set.to_str().unwrap();
        let pair = set.split(';').next().unwrap().to_owned();
        self.cookie = Some(pair).filter(|_| !set.contains("Max-Age=0"));
    }
}
