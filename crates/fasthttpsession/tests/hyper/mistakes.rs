//! Adapters with one mistake each, and a check of the suite that catches it.

use std::convert::Infallible;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

use fasthttpsession::{Error, Exchange};
use fasthttpsession_conformance::http::{Adapter, Served, Site, run};
use fasthttpsession_test_stores::each;
use http::header::{COOKIE, HeaderMap, VARY};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::answer::{abandoned, finished};
use crate::{Body, handled, served};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    AnswersFailuresByItself,
    CommitsBodiesAlone,
    CommitsPostsAlone,
    /// As with a variable of the thread's that is read again when the handler has waited.
    FinishesTheLatest,
    /// As with request objects that are used again and not cleared.
    KeepsOneForTheConnection,
    ReadsAsciiAlone,
    SeesOneLineOfVary,
    TellsWhy,
}

/// Each mistake, and a check that must fail on it; others may, too.
macro_rules! caught_by {
    ($($test:ident: $mistake:ident, $module:ident $check:ident;)*) => {
        $(
            #[test]
            fn $test() {
                let failed = catch_unwind(|| run(
                    "http",
                    stringify!($check),
                    Mistake::$mistake,
                    async || each::memory(),
                    async |stage| fasthttpsession_conformance::http::$module::$check(stage).await,
                ));
                let failure = *failed.expect_err("it is caught").downcast::<String>().unwrap();
                assert!(failure.starts_with(stringify!($check)), "{failure}");
                assert!(!failure.contains("waited"), "{failure}");
            }
        )*
    };
}

caught_by! {
    answers_failures_by_itself: AnswersFailuresByItself, errors an_error_that_a_handler_passes_on_commits_nothing;
    commits_bodies_alone: CommitsBodiesAlone, lifecycle a_response_without_a_body_commits_like_any_other;
    commits_posts_alone: CommitsPostsAlone, lifecycle each_method_commits_like_any_other;
    finishes_the_latest: FinishesTheLatest, strangers users_at_once_keep_to_themselves;
    keeps_one_for_the_connection: KeepsOneForTheConnection, strangers requests_of_one_connection_are_strangers;
    reads_ascii_alone: ReadsAsciiAlone, tokens each_of_several_cookies_is_tried;
    sees_one_line_of_vary: SeesOneLineOfVary, cookies a_response_that_read_the_session_varies_by_cookie;
    tells_why: TellsWhy, errors a_failed_load_is_an_error_without_detail;
}

impl Adapter for Mistake {
    async fn serve(&self, site: Site) -> Served {
        let (mistake, latest) = (*self, Latest::default());
        let connection = move |stream, site| {
            let kept = match mistake {
                Mistake::KeepsOneForTheConnection => Latest::default(),
                _ => Arc::clone(&latest),
            };
            connection(stream, site, mistake, kept)
        };
        served(site, connection).await
    }
}

type Latest = Arc<Mutex<Option<Both>>>;

/// The users' exchange and the admins'.
type Both = Arc<[Exchange; 2]>;

async fn connection(stream: TcpStream, site: Site, mistake: Mistake, kept: Latest) {
    let service = service_fn(|request| async {
        Ok::<_, Infallible>(mistake.answer(&site, request, &kept).await)
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Mistake {
    async fn answer(
        self,
        site: &Site,
        mut request: Request<Incoming>,
        kept: &Latest,
    ) -> Response<Body> {
        if self == Self::ReadsAsciiAlone {
            drop_what_is_no_ascii(request.headers_mut());
        }
        let own = self.begun(site, &request, kept);
        let method = request.method().clone();
        let handled = handled(site, [&own[0], &own[1]], request).await;
        let both = match self {
            Self::FinishesTheLatest => kept.lock().unwrap().clone().unwrap(),
            _ => own,
        };
        let both = [&both[0], &both[1]];
        match handled {
            Ok(mut response) if self.commits(&method, response.status()) => {
                if self == Self::SeesOneLineOfVary {
                    leave_one_line(response.headers_mut());
                }
                finished(&both, response).await
            }
            Ok(response) => response,
            Err(error) => self.failed(&both, &error).await,
        }
    }

    fn begun(self, site: &Site, request: &Request<Incoming>, kept: &Latest) -> Both {
        let mut kept = kept.lock().unwrap();
        match &*kept {
            Some(both) if self == Self::KeepsOneForTheConnection => Arc::clone(both),
            _ => {
                let both = [site.users(), site.admins()]
                    .map(|all| all.begin(request.headers(), request.uri().query()));
                Arc::clone(kept.insert(Arc::new(both)))
            }
        }
    }

    fn commits(self, method: &Method, status: StatusCode) -> bool {
        match self {
            Self::CommitsBodiesAlone => !matches!(status.as_u16(), 204 | 304),
            Self::CommitsPostsAlone => method == Method::POST,
            _ => true,
        }
    }

    async fn failed(self, both: &[&Exchange; 2], error: &Error) -> Response<Body> {
        let mut response = abandoned(&[], error);
        match self {
            Self::AnswersFailuresByItself => return finished(both, response).await,
            Self::TellsWhy => {
                let why = error.to_string().try_into().unwrap();
                response.headers_mut().insert("x-error", why);
            }
            _ => return abandoned(both, error),
        }
        response
    }
}

fn drop_what_is_no_ascii(headers: &mut HeaderMap) {
    if headers
        .get_all(COOKIE)
        .iter()
        .any(|line| line.to_str().is_err())
    {
        headers.remove(COOKIE);
    }
}

fn leave_one_line(headers: &mut HeaderMap) {
    if let Some(first) = headers.get(VARY).cloned() {
        headers.insert(VARY, first);
    }
}
