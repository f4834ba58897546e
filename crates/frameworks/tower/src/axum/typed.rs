//! The extractor for one value of the session, as a type of the application.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use axum::extract::FromRequestParts;
use fasthttpsession_core as core;
use fasthttpsession_core::SessionValue;
use http::request::Parts;

use super::Session;
use crate::failure::SessionFailed;

/// The session's `T`, as an argument of an axum handler: read, checked and, if an older program wrote it, migrated, as
/// [`SessionValue`] says. Change it with [`update`](core::Typed::update) or [`transact`](core::Typed::transact).
///
/// ```
/// use fasthttpsession_core::{Key, SessionValue};
/// use fasthttpsession_tower::{SessionFailed, Typed};
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
/// migrated, or when there is no layer with the marker `M`.
pub struct Typed<T, M = ()> {
    typed: core::Typed<T>,
    marker: PhantomData<fn() -> M>,
}

impl<S: Sync, T: SessionValue, M: 'static> FromRequestParts<S> for Typed<T, M> {
    type Rejection = SessionFailed<M>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionFailed<M>> {
        let session = Session::<M>::from_request_parts(parts, state).await?;
        Ok(Self {
            typed: session.typed()?,
            marker: PhantomData,
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
