//! A browser with at most one session.

use fasthttpsession_core::{Error, Exchange, Handle, HeaderEdit, Session, Sessions};

#[derive(Clone, Default)]
pub(crate) struct Browser {
    cookie: Option<String>,
}

impl Browser {
    pub(crate) fn begin(&self, sessions: &Sessions) -> Exchange {
        let cookie = self.cookie.clone().unwrap_or_default();
        sessions.begin([("cookie", cookie)], None)
    }

    /// A whole request, whose response arrives.
    pub(crate) async fn visit(
        &mut self,
        sessions: &Sessions,
        act: impl FnOnce(&Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let exchange = self.begin(sessions);
        act(&exchange.session().await?)?;
        for edit in exchange.finish().await? {
            if let HeaderEdit::SetCookie { value, .. } = edit {
                let cookie = value.split(';').next().expect("it has a first part");
                self.cookie = Some(cookie.to_owned());
            }
        }
        Ok(())
    }

    /// The handle that its cookie names.
    pub(crate) fn handle(&self) -> Handle {
        let cookie = self.cookie.as_deref().expect("it has a session");
        let (_, token) = cookie.split_once('=').expect("a cookie has a name");
        let (handle, _) = token.split_once('.').expect("a token has two parts");
        handle.parse().expect("the first is a handle")
    }
}
