//! Where visitors are sent who must sign in.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::OriginalUri;
use fasthttpsession_core::SignInPage;
use http::header::HeaderValue;
use http::request::Parts;

use crate::request::RequestSession;

/// The page where visitors sign in. Routes that have it as an extension redirect (303) there from what needs a
/// [`SignedIn`](super::SignedIn); others answer 401, as suits an API.
///
/// ```
/// use axum::routing::get;
/// use axum::{Extension, Router};
/// use fasthttpsession_core::Sessions;
/// use fasthttpsession_tower::{SessionLayer, SignInAt, SignedIn};
///
/// # fn example(sessions: Sessions) -> Router {
/// let pages = Router::new().route("/profile", get(profile)).layer(Extension(SignInAt::new("/login")));
/// let api = Router::new().route("/api/profile", get(profile));
/// pages.merge(api).layer(SessionLayer::new(sessions))
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
    pub(super) fn of(request: &Parts, session: &RequestSession<M>) -> Option<HeaderValue> {
        let Self { page, .. } = request.extensions.get()?;
        let uri = match request.extensions.get() {
            Some(OriginalUri(uri)) => uri,
            None => &request.uri,
        };
        let method = request.method.as_str();
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
