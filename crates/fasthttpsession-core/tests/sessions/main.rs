//! What sessions promise, whatever the store does: each test is named after its promise.

#[cfg(test)]
mod cancelled;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod signin;
#[cfg(test)]
mod support;
#[cfg(test)]
mod together;
#[cfg(test)]
mod unanswered;
