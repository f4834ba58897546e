#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
mod axum;
mod failure;
mod future;
mod headers;
mod layer;
mod request;

#[cfg(feature = "axum")]
pub use axum::{NotSignedIn, Session, SignInAt, SignedIn, Typed};
pub use failure::{NoDetail, OnError, SessionFailed};
pub use future::ResponseFuture;
pub use layer::{SessionLayer, SessionService};
pub use request::RequestSession;
