//! Where visitors are sent who must sign in.

use std::fmt;
use std::marker::PhantomData;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use fasthttpsession_core::SignInPage;

use crate::request::RequestSession;

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
    page: SignInPage,
    marker: PhantomData<fn() -> M>,
}

impl SignInAt {
    /// The path or the URL of the page.
    ///
    /// # Panics
    /// If `page` has characters other than visible ASCII, of which all URLs are made.
    pub fn new(page: &str) -> Self {
        Self {
            page: SignInPage::new(page),
            marker: PhantomData,
        }
    }

    /// The same for [`SignedIn<Marker>`](super::SignedIn).
    #[must_use]
    pub fn marked<Marker>(self) -> SignInAt<Marker> {
        SignInAt {
            page: self.page,
            marker: PhantomData,
        }
    }
}

impl<M> SignInAt<M> {
    /// The same, with where the visitor wanted to go in a parameter of this `name`: `/login?next=/orders/5%3Ftab%3D2`. See
    /// [`SignInPage::with_next`] for what it is told, and **what is to be checked before it is followed**.
    ///
    /// # Panics
    /// If `name` has characters other than ASCII letters, digits, `-` and `_`.
    #[must_use]
    pub fn with_next(self, name: &str) -> Self {
        Self {
            page: self.page.with_next(name),
            ..self
        }
    }
}

impl<M: 'static> SignInAt<M> {
    /// The `Location` for the visitor who made this request.
    pub(super) fn of(request: &HttpRequest, session: &RequestSession<M>) -> Option<HeaderValue> {
        let Self { page, .. } = request.app_data()?;
        let (method, uri) = (request.method().as_str(), request.uri());
        let location = page.location(&session.found, method, uri.path(), uri.query());
        let mut location = HeaderValue::from_str(&location).expect("a location is visible ASCII");
        // It is not printed, for a query may hold secrets.
        location.set_sensitive(true);
        Some(location)
    }
}

impl<M> Clone for SignInAt<M> {
    fn clone(&self) -> Self {
        Self {
            page: self.page.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for SignInAt<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignInAt").field(&self.page).finish()
    }
}
