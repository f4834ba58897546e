//! What sessions promise, whatever the store does: each test is named after its promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod answers;
mod cancelled;
mod codecs;
mod cookies;
mod credentials;
mod csrf;
mod dating;
mod dropped;
#[cfg(feature = "encryption")]
mod encryption;
mod endings;
mod events;
mod faulty;
#[cfg(feature = "testing")]
mod kept;
mod keys;
mod lifetimes;
mod limits;
mod overtaken;
mod renewal;
#[cfg(all(feature = "encryption", feature = "messagepack"))]
mod rollout;
mod secrecy;
#[cfg(feature = "settings")]
mod settings;
mod signin;
mod simulated;
mod support;
mod together;
mod transact;
mod transports;
mod typed;
mod unanswered;
#[cfg(all(feature = "settings", not(feature = "encryption")))]
mod unencrypted;
mod unreadable;
mod update;
mod users;
mod wrapping;
