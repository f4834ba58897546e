//! An error of other middleware, with the answer of this one if it is a session's.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use fasthttpsession_core::HeaderEdit;

use crate::failure::{OnError, SessionFailed, error_response};
use crate::headers;

/// Answers each time that somebody asks, for the client may not be the first.
pub(crate) struct Explained<M> {
    error: actix_web::Error,
    edits: Vec<HeaderEdit>,
    on_error: Arc<OnError>,
    marker: PhantomData<fn() -> M>,
}

impl<M> Explained<M> {
    pub(crate) fn new(
        error: actix_web::Error,
        edits: Vec<HeaderEdit>,
        on_error: Arc<OnError>,
    ) -> Self {
        Self {
            error,
            edits,
            on_error,
            marker: PhantomData,
        }
    }
}

impl<M: 'static> ResponseError for Explained<M> {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    /// Whose the error is, its own answer tells, whatever type it has.
    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response();
        if let Some(cause) = SessionFailed::<M>::taken_from(&mut response) {
            response = error_response(&*self.on_error, &cause, &mut response);
        }
        headers::tell(self.edits.clone(), &mut response);
        response
    }
}

impl<M> fmt::Debug for Explained<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<M> fmt::Display for Explained<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
