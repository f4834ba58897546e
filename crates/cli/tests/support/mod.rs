//! What tests of the demo share: the built command as a process of its own, and a visitor who keeps a cookie.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]

mod demo;
mod visitor;

pub(crate) use demo::{Demo, refused};
pub(crate) use visitor::{Answer, Visitor, request};
