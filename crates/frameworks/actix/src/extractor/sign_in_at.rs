//! Where visitors are sent who must sign in.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::request::RequestSession;

/// All but what means nothing in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The page where visitors sign in. An app or a scope that has it as its `app_data` redirects (303) there from what
/// needs a [`SignedIn`](super::SignedIn); others answer 401, as suits an API.
///
/// ```
/// use actix_web::{App, web};
/// use fasthttpsession_actix::{SessionMiddleware, SignInAt, SignedIn};
/// # use fasthttpsession_core::Sessions;
///
/// # fn example(sessions: Sessions) {
/// let pages = web::scope("/pages").app_data(SignInAt::new("/login")).route("/profile", web::get().to(profile));
/// let api = web::scope("/api").route("/profile", web::get().to(profile));
/// App::new().wrap(SessionMiddleware::new(sessions)).service(pages).service(api);
/// # }
/// # async fn profile(user: SignedIn) -> String { user.to_string() }
/// ```
pub struct SignInAt<M = ()> {
    page: HeaderValue,
    next: Option<Arc<str>>,
    marker: PhantomData<fn() -> M>,
}

impl SignInAt {
    /// The path or the URL of the page.
    ///
    /// # Panics
    /// If `page` has characters other than visible ASCII, of which all URLs are made.
    pub fn new(page: &str) -> Self {
        let visible = page.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(visible, "the page's URL is visible ASCII");
        Self {
            page: HeaderValue::from_str(page).expect("visible ASCII is a header's value"),
            next: None,
            marker: PhantomData,
        }
    }

    /// The same for [`SignedIn<Marker>`](super::SignedIn).
    #[must_use]
    pub fn marked<Marker>(self) -> SignInAt<Marker> {
        SignInAt {
            page: self.page,
            next: self.next,
            marker: PhantomData,
        }
    }
}

impl<M> SignInAt<M> {
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

    pub(super) fn page(&self) -> HeaderValue {
        self.page.clone()
    }

    /// The same page, told what the visitor wanted if it asks for that.
    fn with(self, wanted: &str) -> Self {
        let (Some(name), Ok(page)) = (&self.next, self.page.to_str()) else {
            return self;
        };
        // A fragment stays behind the query, for browsers keep it to themselves.
        let (page, fragment) = page.split_at(page.find('#').unwrap_or(page.len()));
        let mark = if page.contains('?') { '&' } else { '?' };
        let wanted = utf8_percent_encode(wanted, ENCODED);
        let page = format!("{page}{mark}{name}={wanted}{fragment}");
        let mut page = HeaderValue::from_str(&page).expect("what is encoded is visible ASCII");
        // It is not printed, for a query may hold secrets.
        page.set_sensitive(true);
        Self { page, ..self }
    }
}

impl<M: 'static> SignInAt<M> {
    /// The page for the visitor who made this request.
    pub(super) fn of(request: &HttpRequest, found: &RequestSession<M>) -> Option<Self> {
        let page = request.app_data::<Self>()?.clone();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(page);
        }
        let path = request.uri().path();
        Some(match found.without_token(request.query_string()) {
            query if query.is_empty() => page.with(path),
            query => page.with(&format!("{path}?{query}")),
        })
    }
}

impl<M> Clone for SignInAt<M> {
    fn clone(&self) -> Self {
        Self {
            page: self.page.clone(),
            next: self.next.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for SignInAt<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignInAt").field(&self.page).finish()
    }
}
