//! An error together with its answer, for whoever looks at either: actix, and loggers around this middleware.

use std::cell::Cell;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

/// Displays the error, and has the status of the answer, which the error alone need not have.
pub(crate) struct Explained {
    error: actix_web::Error,
    status: StatusCode,
    /// Until somebody has asked for it.
    answer: Cell<Option<HttpResponse>>,
    again: Box<Answer>,
}

type Answer = dyn Fn(&actix_web::Error) -> HttpResponse;

impl Explained {
    /// With an answer that was made already.
    pub(crate) fn by(answer: HttpResponse, error: actix_web::Error) -> Self {
        Self {
            error,
            status: answer.status(),
            answer: Cell::new(Some(answer)),
            again: Box::new(actix_web::Error::error_response),
        }
    }

    /// With a new answer each time that somebody asks, for the client may not be the first.
    pub(crate) fn each_time(
        error: actix_web::Error,
        answer: impl Fn(&actix_web::Error) -> HttpResponse + 'static,
    ) -> Self {
        let first = answer(&error);
        Self {
            again: Box::new(answer),
            ..Self::by(first, error)
        }
    }
}

impl ResponseError for Explained {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.answer.take();
        answer.unwrap_or_else(|| (self.again)(&self.error))
    }
}

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
