//! Where visitors are sent who must sign in, and what that page is told.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::exchange::RequestSession;

/// All but what means nothing in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The page where visitors sign in: where to send those who ask for what is not for them (303). What the `SignInAt` of each
/// framework is made of.
///
/// ```
/// # use fasthttpsession_core::{Sessions, SignInPage};
/// # let sessions = Sessions::new(fasthttpsession_memory::MemoryStore::new());
/// let page = SignInPage::new("/login").with_next("next");
/// let exchange = sessions.begin([("host", "example.org")], Some("tab=2"));
/// let location = page.location(&exchange.request_session(), "GET", "/orders/5", Some("tab=2"));
/// assert_eq!(location, "/login?next=/orders/5%3Ftab%3D2");
/// ```
#[derive(Clone, Debug)]
pub struct SignInPage {
    address: Arc<str>,
    next: Option<Arc<str>>,
}

impl SignInPage {
    /// The path or the URL of the page.
    ///
    /// # Panics
    /// If `address` has characters other than visible ASCII, of which all URLs are made.
    pub fn new(address: &str) -> Self {
        let visible = address.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(visible, "the page's URL is visible ASCII");
        Self {
            address: address.into(),
            next: None,
        }
    }

    /// The same, with where the visitor wanted to go in a parameter of this `name`: `/login?next=/orders/5%3Ftab%3D2`. That is
    /// the path and the query of the request as it came to the application, percent-encoded, without the token that a query may
    /// hold. Of a request that is neither GET nor HEAD nothing is said, for a redirect does not repeat it.
    ///
    /// Whoever makes a link to the page says what stands there. After the sign-in it is followed only if it begins with
    /// one `/`, for `//` and `/\` lead to other sites, and is visible ASCII, for browsers skip tabs:
    ///
    /// ```
    /// fn is_of_this_site(next: &str) -> bool {
    ///     let elsewhere = next.starts_with("//") || next.starts_with("/\\");
    ///     next.starts_with('/') && !elsewhere && next.bytes().all(|byte| byte.is_ascii_graphic())
    /// }
    /// # assert!(is_of_this_site("/orders/5?tab=2") && is_of_this_site("/"));
    /// # assert!(!["", "//a.b", "/\\a.b", "/\t/a.b", "https://a.b"].into_iter().any(is_of_this_site));
    /// ```
    ///
    /// # Panics
    /// If `name` has characters other than ASCII letters, digits, `-` and `_`.
    #[must_use]
    pub fn with_next(self, name: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!(
            !name.is_empty() && name.bytes().all(plain),
            "the parameter's name is made of ASCII letters, digits, `-` and `_`"
        );
        Self {
            next: Some(name.into()),
            ..self
        }
    }

    /// The value of `Location` for whoever made this request; its path and its query are those that came to the application.
    /// Visible ASCII. Not to be logged if the page is told [where to go next](Self::with_next), for a query may hold secrets.
    pub fn location(
        &self,
        session: &RequestSession,
        method: &str,
        path: &str,
        query: Option<&str>,
    ) -> String {
        let is_told = matches!(method, "GET" | "HEAD");
        let Some(name) = self.next.as_ref().filter(|_| is_told) else {
            return self.address.to_string();
        };
        let wanted = match session.without_token(query.unwrap_or_default()) {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        };
        // A fragment stays behind the query, for browsers keep it to themselves.
        let fragment = self.address.find('#').unwrap_or(self.address.len());
        let (page, fragment) = self.address.split_at(fragment);
        let mark = if page.contains('?') { '&' } else { '?' };
        let wanted = utf8_percent_encode(&wanted, ENCODED);
        format!("{page}{mark}{name}={wanted}{fragment}")
    }
}
