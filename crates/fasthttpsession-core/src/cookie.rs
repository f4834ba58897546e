//! The cookie that carries the token: RFC 6265bis, with names that browsers protect by their prefix.

use std::time::Duration;

use memchr::memchr_iter;

use crate::error::BuildError;
use crate::lifetimes::Lifetimes;

/// The cookie that carries the token.
///
/// The default is as strict as browsers allow: `__Host-id`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, no
/// `Domain`, gone when the browser closes unless the session is [remembered](crate::Lifetimes::remember).
///
/// ```
/// use fasthttpsession_core::{Cookie, SameSite};
///
/// // Shared by the hosts of a domain; the name becomes `__Secure-app`.
/// let cookie = Cookie::new("app").domain("example.org").same_site(SameSite::Strict).persistent();
/// # let _ = cookie;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of its own"
)]
pub struct Cookie {
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    persistent: bool,
}

/// Which sessions have a cookie that outlives the browser, and is dated anew when they are extended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dated {
    /// None, for there are no cookies.
    None,
    /// Those that live longer without a request than others do.
    Remembered,
    All,
}

impl Dated {
    /// Whether one is among them that has lifetimes of its `own`, or the `usual` ones.
    pub(crate) fn includes(self, own: Option<Lifetimes>, usual: Lifetimes) -> bool {
        match self {
            Self::None => false,
            Self::Remembered => own.is_some_and(|own| own.idle() > usual.idle()),
            Self::All => true,
        }
    }
}

/// `SameSite` of RFC 6265bis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with same-site requests only.
    Strict,
    /// Also with top-level navigation from other sites.
    Lax,
    /// Always; needs `Secure`.
    None,
}

impl Default for Cookie {
    /// `Cookie::new("id")`.
    fn default() -> Self {
        Self::new("id")
    }
}

impl Cookie {
    /// A `Secure` cookie. Its prefix is put before `name`: `__Host-`, or `__Secure-` with a domain or a path.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            domain: None,
            path: "/".to_owned(),
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            persistent: false,
        }
    }

    /// A cookie without `Secure`, and so without a prefix: for development over plain HTTP.
    pub fn insecure(name: &str) -> Self {
        Self {
            secure: false,
            ..Self::new(name)
        }
    }

    /// `Domain`: every host under it gets the cookie. Default none, so only the host that set it does.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// `Path`. Default `/`. Not a protection: RFC 6265bis, section 8.5.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// `HttpOnly`. Default on: scripts need no token.
    #[must_use]
    pub fn http_only(mut self, on: bool) -> Self {
        self.http_only = on;
        self
    }

    /// `SameSite`. Default Lax.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// `Partitioned` (CHIPS): one cookie for each site that embeds this one. Default off; needs `Secure`.
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Outlives the browser, whoever's it is: `Max-Age` is what is left of the session (400 days at most, as browsers have
    /// it), and the cookie is set again whenever the session's idle deadline is extended by a request. What a response may not
    /// tell of, as `save` and `transact`, extends the session by a little less, so that the next one does. Default: so it is
    /// with the sessions that [are remembered](crate::Lifetimes::remember), and the cookies of all others are gone when the
    /// browser closes.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    fn full_name(&self) -> String {
        let prefix = match (self.secure, &self.domain, self.path.as_str()) {
            (false, ..) => "",
            (true, None, "/") => "__Host-",
            (true, ..) => "__Secure-",
        };
        format!("{prefix}{}", self.name)
    }

    /// The attributes as `Set-Cookie` has them, but for the time, which is each value's own.
    fn attributes(&self) -> String {
        let flag = |on, attribute| if on { attribute } else { "" };
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let domain = self
            .domain
            .as_ref()
            .map(|domain| format!("; Domain={domain}"));
        format!(
            "{http_only}; SameSite={same_site}{partitioned}{secure}; Path={path}{domain}",
            http_only = flag(self.http_only, "; HttpOnly"),
            partitioned = flag(self.partitioned, "; Partitioned"),
            secure = flag(self.secure, "; Secure"),
            path = self.path,
            domain = domain.unwrap_or_default(),
        )
    }
}

/// A [`Cookie`] whose attributes fit each other: reads tokens from requests, and writes `Set-Cookie` values.
pub(crate) struct CookieWriter {
    name: String,
    /// What follows each value.
    attributes: String,
    persistent: bool,
}

impl CookieWriter {
    /// RFC 6265bis, section 5.6.
    const MAX_NAME_AND_VALUE: usize = 4096;
    /// RFC 6265bis, section 5.6.
    const MAX_ATTRIBUTE: usize = 1024;
    /// RFC 6265bis, section 5.5.
    const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

    /// For tokens of at most `longest` bytes.
    pub(crate) fn new(cookie: &Cookie, longest: usize) -> Result<Self, BuildError> {
        let refuse = |reason| Err(BuildError::Cookie { reason });
        let name = cookie.full_name();
        if cookie.name.is_empty() || !cookie.name.bytes().all(is_token_char) {
            return refuse(
                "the name has letters, digits and !#$%&'*+-.^_`|~ only, and at least one",
            );
        }
        if ["__host-", "__http-", "__secure-"]
            .iter()
            .any(|prefix| cookie.name.to_ascii_lowercase().starts_with(prefix))
        {
            return refuse(
                "the name has to come without a prefix; the one that fits is put before it",
            );
        }
        if !cookie.http_only && name.to_ascii_lowercase().starts_with("__host-http-") {
            return refuse("a name that becomes __Host-Http- needs HttpOnly");
        }
        if name.len() + longest > Self::MAX_NAME_AND_VALUE {
            return refuse("the name and a token have at most 4096 bytes together");
        }
        if !cookie.path.starts_with('/') || !is_attribute(&cookie.path) {
            return refuse(
                "the path begins with / and has at most 1024 visible characters without ;",
            );
        }
        if cookie
            .domain
            .as_deref()
            .is_some_and(|domain| domain.is_empty() || !domain.bytes().all(is_domain_char))
        {
            return refuse("the domain is a host name of letters, digits, - and .");
        }
        if cookie
            .domain
            .as_deref()
            .is_some_and(|domain| !is_attribute(domain))
        {
            return refuse("the domain has at most 1024 characters");
        }
        if cookie.partitioned && !cookie.secure {
            return refuse("partitioned needs Secure");
        }
        if cookie.same_site == SameSite::None && !cookie.secure {
            return refuse("same_site None needs Secure");
        }
        Ok(Self {
            name,
            attributes: cookie.attributes(),
            persistent: cookie.persistent,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn dated(&self) -> Dated {
        if self.persistent {
            Dated::All
        } else {
            Dated::Remembered
        }
    }

    /// The values of the cookies of this name in a `Cookie` header, in order.
    pub(crate) fn values<'a>(&self, line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let ends = memchr_iter(b';', line).chain([line.len()]);
        let pairs = ends.scan(0, |start, end| {
            let pair = &line[*start..end];
            *start = end + 1;
            Some(pair)
        });
        pairs.filter_map(|pair| self.value_in(pair))
    }

    /// The name is compared byte for byte: one that only decodes to it could have been set from where the prefix forbids.
    fn value_in<'a>(&self, pair: &'a [u8]) -> Option<&'a [u8]> {
        let value = pair
            .trim_ascii_start()
            .strip_prefix(self.name.as_bytes())?
            .strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    }

    /// A `Set-Cookie` value that gives `token` to the client for as long as `left`, or until the browser closes.
    pub(crate) fn set(&self, token: &str, left: Option<Duration>) -> String {
        let Self {
            name, attributes, ..
        } = self;
        match left {
            None => format!("{name}={token}{attributes}"),
            Some(left) => {
                let seconds = left.min(Self::MAX_AGE).as_secs();
                format!("{name}={token}{attributes}; Max-Age={seconds}")
            }
        }
    }

    /// A `Set-Cookie` value that takes the cookie away. Browsers look for the same name, domain and path.
    pub(crate) fn remove(&self) -> String {
        let Self {
            name, attributes, ..
        } = self;
        format!("{name}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }
}

/// A character of a token as RFC 9110, section 5.6.2, has it.
pub(crate) fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_domain_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

fn is_attribute(text: &str) -> bool {
    text.len() <= CookieWriter::MAX_ATTRIBUTE
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b';')
}
