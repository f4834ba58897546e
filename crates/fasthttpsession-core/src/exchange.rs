//! One HTTP exchange: begin it from the request, finish it into headers for the response. What every framework
//! adapter is made of, without the types of any.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Error;
use crate::session::{Inner, Session};
use crate::sessions::Sessions;
use crate::token::codec::TokenText;

/// One request and its response. Made by [`Sessions::begin`], and kept by whoever makes the response; handlers get a
/// [`RequestSession`].
///
/// Nothing is read from the store until [`session`](Self::session) is awaited, and a request that never does costs no
/// store call.
///
/// **Dropped, it ends the request**: a handler that panics, or whose future is dropped, commits nothing, now or later.
/// What it logged is given up, and sessions that outlive it, in tasks, are those of a finished request. But for the
/// headers that nobody can send any more, it is [`abandon`](Self::abandon). What [`Session::save`] and
/// [`Session::transact`] have committed stays, and so may a commit that [`finish`](Self::finish) was amid when its
/// future was dropped.
pub struct Exchange(Arc<Inner>);

/// The session of a request, which nobody may have asked for yet: what middleware and handlers are given. Made by
/// [`Exchange::request_session`]; clones share it.
///
/// It keeps no request open: it can be left in extensions, or in a task.
#[derive(Clone)]
pub struct RequestSession(Arc<Inner>);

/// What a client presented that may be tokens, in the order in which they are to be tried. Rarely more than one.
pub(crate) type Presented = SmallVec<[TokenText; 1]>;

impl Exchange {
    pub(crate) fn new(sessions: &Sessions, presented: Presented) -> Self {
        Self(Arc::new(Inner::new(sessions.manager(), presented)))
    }

    /// The session of this request, loaded at the first call. A visitor without one gets an empty session that becomes
    /// a record only if something is written to it.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails, or another call that loads it does not end within a minute;
    /// [`Error::Unreadable`] when the record can't be read: never an empty session in place of one that could not be
    /// loaded.
    pub async fn session(&self) -> Result<Session, Error> {
        session(&self.0).await
    }

    /// The same for others to ask for, who can't finish the request.
    pub fn request_session(&self) -> RequestSession {
        RequestSession(Arc::clone(&self.0))
    }

    /// Commits, and says which headers the response needs: none if the session was never asked for, unless the URL has a
    /// token. To be called once, when the handler has made its response and before the response's headers leave; a second
    /// call has nothing to commit and nothing to say.
    ///
    /// # Errors
    /// The commit failed: the response is to be replaced by an error response (see [`Error::status`]), with the headers
    /// that [`abandon`](Self::abandon) names.
    ///
    /// # Panics
    /// With the panic of an [`update`](Session::update) closure that panicked when it was run again.
    pub async fn finish(&self) -> Result<Vec<HeaderEdit>, Error> {
        match self.finish_now() {
            Some(edits) => Ok(edits),
            None => self.0.finish().await,
        }
    }

    /// Ends the request without committing what is left, and says which headers the response needs: a secret that was
    /// saved on the way is to reach the client, whatever else failed. To be called in place of
    /// [`finish`](Self::finish), for an error of the handler, or after it failed.
    pub fn abandon(&self) -> Vec<HeaderEdit> {
        self.0.abandon()
    }

    /// [`finish`](Self::finish) without waiting, for requests that leave the store nothing to do: the session was not
    /// asked for, or only read and is not to be extended yet. `None` if it is not so; then `finish` is to be awaited.
    ///
    /// Either way, whoever asks for the session for the first time from now on can read it, but not write to it.
    pub fn finish_now(&self) -> Option<Vec<HeaderEdit>> {
        self.0.finish_now()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl RequestSession {
    /// As [`Exchange::session`]. Asked for the first time after the end of the request, it can be read, but not written
    /// to.
    ///
    /// # Errors
    /// As [`Exchange::session`].
    pub async fn session(&self) -> Result<Session, Error> {
        session(&self.0).await
    }

    /// The session if somebody asked for it in this request and it could be loaded: for what can't wait. Asks nothing of
    /// the store.
    pub fn loaded(&self) -> Option<Session> {
        self.0.is_loaded().then(|| Session(Arc::clone(&self.0)))
    }

    /// The query part of a URL without the token that it may hold.
    pub(crate) fn without_token(&self, query: &str) -> String {
        self.0.manager().transports.without_token(query)
    }

    /// Whether `sessions`, or a clone of it, began the exchange, and it has not ended: then somebody else will end it. A
    /// request that comes once more after that, for a task kept it, needs an exchange of its own.
    pub fn belongs_to(&self, sessions: &Sessions) -> bool {
        Arc::ptr_eq(self.0.manager(), sessions.manager()) && !self.0.is_closed()
    }
}

async fn session(inner: &Arc<Inner>) -> Result<Session, Error> {
    inner.load().await?;
    Ok(Session(Arc::clone(inner)))
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("loaded", &self.0.is_loaded())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSession")
            .field("loaded", &self.0.is_loaded())
            .finish_non_exhaustive()
    }
}

/// A change to a response's headers.
#[derive(Clone, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Append `Set-Cookie: {value}`, in place of any other that the response has [for the cookie](Self::replaces) `name`.
    SetCookie {
        /// The cookie's name.
        name: String,
        /// The whole header value. It holds the token: not to be logged.
        value: String,
    },
    /// Set this header, in place of any that the response has of that name.
    SetHeader {
        /// Lower-case name.
        name: String,
        /// The whole header value; empty to tell the client that its token is to be forgotten. It holds the token: not
        /// to be logged.
        value: String,
    },
    /// Add this value to a header that is a list, unless one of its lines [has it](Self::is_listed_in). It goes behind a comma
    /// in a line that is there: some that read a list know the first line alone.
    Append {
        /// Lower-case name.
        name: &'static str,
        /// Value.
        value: Cow<'static, str>,
    },
    /// Set this header, unless the response has one of that name that [may stay](Self::leaves).
    Default {
        /// Lower-case name.
        name: &'static str,
        /// Value.
        value: &'static str,
    },
}

/// What of the headers that a response has already gives way, and what stays.
impl HeaderEdit {
    /// For [`SetCookie`](Self::SetCookie): whether this other `Set-Cookie` of the response is for the same cookie. Then it
    /// goes: a browser takes the last of two, and RFC 6265bis forbids sending two.
    pub fn replaces(&self, set_cookie: &[u8]) -> bool {
        // Browsers end a cookie's name there.
        let end = |byte: &u8| matches!(byte, b'=' | b';');
        let found = set_cookie.split(end).next().unwrap_or_default();
        matches!(self, Self::SetCookie { name, .. } if found.trim_ascii() == name.as_bytes())
    }

    /// For [`Append`](Self::Append): whether this line that the response has of that header names the value already, or all
    /// with `*`. If no line does, the value is best added to one that is there, for some that read a list know no other line.
    pub fn is_listed_in(&self, line: &[u8]) -> bool {
        let Self::Append { value, .. } = self else {
            return false;
        };
        let mut entries = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        entries.any(|entry| entry == b"*" || entry.eq_ignore_ascii_case(value.as_bytes()))
    }

    /// For [`Default`](Self::Default): whether the value that the response has for that header may stay. Each may, but for
    /// a `Cache-Control` with neither `private` nor `no-store` (RFC 9111, section 5.2.2): a cache may give the response, and
    /// the token in it, to others.
    pub fn leaves(&self, present: &[u8]) -> bool {
        if *self != Self::NO_STORE {
            return true;
        }
        let mut directives = present.split(|byte| *byte == b',');
        directives.any(|directive| {
            let directive = directive.trim_ascii();
            [&b"private"[..], b"no-store"]
                .iter()
                .any(|kept| directive.eq_ignore_ascii_case(kept))
        })
    }

    /// Whether it tells the client about a token, also of one in the address of the page: then it goes into whatever is
    /// answered in place of the response, too.
    pub fn is_about_a_token(&self) -> bool {
        matches!(self, Self::SetCookie { .. } | Self::SetHeader { .. })
            || *self == Self::SAME_ORIGIN
    }

    /// What a response with a token says to caches.
    pub(crate) const NO_STORE: Self = Self::Default {
        name: "cache-control",
        value: "no-store",
    };
    /// What a response says to browsers that have a token in their address bar. With `no-referrer` they would send the
    /// page's own forms with `Origin: null`, as they do those of other sites (Fetch, "append a request `Origin` header").
    pub(crate) const SAME_ORIGIN: Self = Self::Default {
        name: "referrer-policy",
        value: "same-origin",
    };
}

impl fmt::Debug for HeaderEdit {
    /// Without the value of a cookie or a header that holds a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetCookie { name, .. } => write!(f, "set-cookie: {name}=…"),
            Self::SetHeader { name, .. } => write!(f, "{name}: …"),
            Self::Append { name, value } => write!(f, "{name}: {value}"),
            Self::Default { name, value } => write!(f, "{name}: {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> HeaderEdit {
        HeaderEdit::SetCookie {
            name: "id".into(),
            value: "id=new".into(),
        }
    }

    fn vary() -> HeaderEdit {
        HeaderEdit::Append {
            name: "vary",
            value: "Cookie".into(),
        }
    }

    #[test]
    fn a_cookie_replaces_the_one_of_exactly_its_name() {
        for same in ["id=old; Path=/", " id =old", "id", "id; a=b"] {
            assert!(cookie().replaces(same.as_bytes()), "{same}");
        }
        for other in ["idle=1", "ID=x", "a=id", "", "=id", "i d=1"] {
            assert!(!cookie().replaces(other.as_bytes()), "{other}");
        }
        assert!(!vary().replaces(b"id=old"));
    }

    #[test]
    fn an_entry_is_listed_whatever_its_case_and_by_a_star() {
        for line in ["cookie", "Accept, COOKIE", "*", "accept ,cookie ,b"] {
            assert!(vary().is_listed_in(line.as_bytes()), "{line}");
        }
        for line in ["", "accept, cookie-consent", "a*", "accept cookie"] {
            assert!(!vary().is_listed_in(line.as_bytes()), "{line}");
        }
        assert!(!cookie().is_listed_in(b"id=new"));
    }

    #[test]
    fn what_tells_of_a_token_is_told_from_what_tells_caches() {
        let header = HeaderEdit::SetHeader {
            name: "x-session".into(),
            value: String::new(),
        };
        for edit in [cookie(), header, HeaderEdit::SAME_ORIGIN] {
            assert!(edit.is_about_a_token(), "{edit:?}");
        }
        for edit in [vary(), HeaderEdit::NO_STORE] {
            assert!(!edit.is_about_a_token(), "{edit:?}");
        }
    }
}
