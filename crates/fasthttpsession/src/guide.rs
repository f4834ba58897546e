//! How to use this library, one page a question. Every program in it is compiled.
//!
//! | | |
//! | --- | --- |
//! | [`getting_started`] | a session in an axum application, and in any other server |
//! | [`choosing_a_store`] | which one, and what each promises |
//! | [`concurrency`] | what two requests at once may rely on |
//! | [`security`] | what is on, and what to turn on: tokens, keys |
//! | [`forms`] | a form that no other site sends, and a word for the next page |
//! | [`apis`] | bearer tokens, single-page applications, other origins |
//! | [`signing_in`] | signing in and out, devices, changed passwords |
//! | [`your_own_store`] | the contract, and a whole store |
//! | [`testing`] | an application on memory, with a clock of its own |
//! | [`operations`] | settings, watching, deployments, outages |
//! | [`from_go`] | for those who come from fasthttpsession in Go |
//! | [`from_peers`] | for those who come from tower-sessions, `axum_session` or actix-session |

#[doc = include_str!("../guide/getting_started.md")]
///
/// ```
#[doc = include_str!("../guide/codec.rs")]
/// ```
pub mod getting_started {}
#[doc = include_str!("../guide/choosing_a_store.md")]
pub mod choosing_a_store {}
#[doc = include_str!("../guide/concurrency.md")]
pub mod concurrency {}
#[doc = include_str!("../guide/security.md")]
pub mod security {}
/// A form that no other site makes a browser send, and a word that the next page shows once ("flash"). In axum:
///
/// ```no_run
#[doc = include_str!("../guide/forms.rs")]
/// ```
///
#[doc = include_str!("../guide/forms.md")]
pub mod forms {}
#[doc = include_str!("../guide/apis.md")]
pub mod apis {}
#[doc = include_str!("../guide/signing_in.md")]
/// ```
#[doc = include_str!("../guide/passwords.rs")]
/// ```
pub mod signing_in {}
/// Writing a store: five operations, each atomic for one handle. [`Store`](crate::Store) has the contract; here is a whole
/// one, which the tests of this library put through its suite.
///
/// ```
#[doc = include_str!("../guide/map_store.rs")]
/// ```
///
#[doc = include_str!("../guide/your_own_store.md")]
///
/// ```
#[doc = include_str!("../guide/wrapper.rs")]
/// ```
pub mod your_own_store {}
#[doc = include_str!("../guide/testing.md")]
pub mod testing {}
#[doc = include_str!("../guide/operations.md")]
/// ```
#[doc = include_str!("../guide/unreadable.rs")]
/// ```
pub mod operations {}
#[doc = include_str!("../guide/from_go.md")]
pub mod from_go {}
#[doc = include_str!("../guide/from_peers.md")]
pub mod from_peers {}
