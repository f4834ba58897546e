//! What sessions promise, whatever the store does: each test is named after its promise.

#[cfg(test)]
mod cancelled;
#[cfg(test)]
mod codecs;
#[cfg(test)]
mod cookies;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod csrf;
#[cfg(test)]
#[cfg(feature = "encryption")]
mod encryption;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod overtaken;
#[cfg(test)]
mod renewal;
#[cfg(test)]
#[cfg(all(feature = "encryption", feature = "messagepack"))]
mod rollout;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
#[cfg(feature = "settings")]
mod settings;
#[cfg(test)]
mod signin;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod support;
#[cfg(test)]
mod together;
#[cfg(test)]
mod transact;
#[cfg(test)]
mod transports;
#[cfg(test)]
mod typed;
#[cfg(test)]
mod unanswered;
#[cfg(test)]
#[cfg(all(feature = "settings", not(feature = "encryption")))]
mod unencrypted;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod users;
#[cfg(test)]
mod wrapping;
