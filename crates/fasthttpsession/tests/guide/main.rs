//! What the guide shows does what the guide says.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod browser;
mod codec;
mod forms;
mod passwords;
mod unreadable;
