//! The cookie that carries a token.

use std::time::Duration;

/// The cookie that carries the token.
#[derive(Clone, Debug)]
pub struct Cookie(());

impl Default for Cookie {
    fn default() -> Self { Self::new("id") }
}

impl Cookie {
    /// A cookie named `name`, with the prefix `__Host-` (or `__Secure-` when a domain or path is set, or none when not
    /// `Secure`) put before it.
    pub fn new(name: &str) -> Self { todo!() }
    /// A cookie named `name` without Secure and so without a prefix: for development over plain HTTP.
    pub fn insecure(name: &str) -> Self { todo!() }
    /// `Domain`. Default none: the host alone.
    #[must_use]
    pub fn domain(self, domain: &str) -> Self { todo!() }
    /// `Path`. Default `/`.
    #[must_use]
    pub fn path(self, path: &str) -> Self { todo!() }
    /// `HttpOnly`. Default on.
    #[must_use]
    pub fn http_only(self, on: bool) -> Self { todo!() }
    /// `SameSite`. Default Lax.
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self { todo!() }
    /// `Partitioned` (CHIPS). Default off.
    #[must_use]
    pub fn partitioned(self) -> Self { todo!() }
    /// Persistent: `Max-Age` is the time left until the idle deadline, re-dated with it. Default until browser closes.
    #[must_use]
    pub fn persistent(self) -> Self { todo!() }
}

/// `SameSite` of RFC 6265bis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with same-site requests only.
    Strict,
    /// Also with top-level navigation from other sites.
    Lax,
    /// Always; needs Secure.
    None,
}
