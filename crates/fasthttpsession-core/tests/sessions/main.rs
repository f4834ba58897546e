//! What sessions promise, whatever the store does: each test is named after its promise.

#[cfg(test)]
mod cancelled;
#[cfg(test)]
mod codecs;
#[cfg(test)]
mod cookies;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod signin;
#[cfg(test)]
mod support;
#[cfg(test)]
mod together;
#[cfg(test)]
mod transact;
#[cfg(test)]
mod unanswered;
#[cfg(test)]
mod unreadable;
