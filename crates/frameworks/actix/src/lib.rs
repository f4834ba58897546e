#![doc = include_str!("../README.md")]

mod explained;
mod extractor;
mod failure;
mod headers;
mod middleware;
mod request;

pub use extractor::{NotSignedIn, Session, SignInAt, SignedIn, Typed};
pub use failure::SessionFailed;
pub use middleware::{SessionMiddleware, SessionService};
pub use request::RequestSession;
