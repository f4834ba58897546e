//! The extractor for one value of the session, as a type of the application.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use fasthttpsession_core as core;
use fasthttpsession_core::SessionValue;

use crate::failure::SessionFailed;
use crate::request::RequestSession;

/// The session's `T`, as an argument of a handler: read, checked and, if an older program wrote it, migrated, as
/// [`SessionValue`] says. Change it with [`update`](core::Typed::update) or [`transact`](core::Typed::transact).
///
/// ```
/// use fasthttpsession_core::{Key, SessionValue};
/// use fasthttpsession_actix::{SessionFailed, Typed};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Settings { theme: String, language: String }
///
/// impl SessionValue for Settings {
///     const KEY: Key<Self> = Key::new("settings");
/// }
///
/// async fn darken(mut settings: Typed<Settings>) -> Result<String, SessionFailed> {
///     settings.update(|settings| settings.theme = "dark".to_owned())?;
///     Ok(format!("{} in {}", settings.theme, settings.language))
/// }
/// ```
///
/// Rejected with [`SessionFailed`] when the session can't be loaded, when what it holds is no `T` and can't be
/// migrated, or when there is no middleware with the marker `M`. Take no `Option<Typed<T>>`: of that actix makes `None`
/// whatever the error is, also while the store is down, and what is stored may then be taken for missing.
pub struct Typed<T, M = ()> {
    typed: core::Typed<T>,
    marker: PhantomData<fn() -> M>,
}

impl<T: SessionValue, M: 'static> FromRequest for Typed<T, M> {
    type Error = SessionFailed<M>;
    type Future = Pin<Box<dyn Future<Output = Result<Self, SessionFailed<M>>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = RequestSession::<M>::of(request);
        Box::pin(async move {
            Ok(Self {
                typed: found?.session().await?.typed()?,
                marker: PhantomData,
            })
        })
    }
}

impl<T, M> Deref for Typed<T, M> {
    type Target = core::Typed<T>;

    fn deref(&self) -> &core::Typed<T> {
        &self.typed
    }
}

impl<T, M> DerefMut for Typed<T, M> {
    fn deref_mut(&mut self) -> &mut core::Typed<T> {
        &mut self.typed
    }
}

impl<T: fmt::Debug, M> fmt::Debug for Typed<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.typed.fmt(f)
    }
}
