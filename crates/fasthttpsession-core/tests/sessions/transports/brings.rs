//! Requests by what they bring, and what responses to them say.

use fasthttpsession_core::{Error, Handle, HeaderEdit, Session, Sessions, Transport};

use crate::support::{Request, Response, World};

pub(super) const NAME: &str = "x-session";

/// A request by whatever it brings.
#[derive(Clone, Default)]
pub(super) struct Brings {
    pub(super) cookie: Option<String>,
    pub(super) header: Option<(&'static str, String)>,
    pub(super) query: Option<String>,
}

impl Brings {
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    pub(super) fn by_cookie(token: &str) -> Self {
        Self::nothing().and_cookie(token)
    }

    pub(super) fn by_header(token: &str) -> Self {
        Self::nothing().and_header(token)
    }

    pub(super) fn by_query(token: &str) -> Self {
        Self::nothing().and_query(token)
    }

    pub(super) fn and_cookie(mut self, token: &str) -> Self {
        self.cookie = Some(format!("theme=dark; __Host-id={token}"));
        self
    }

    pub(super) fn and_header(mut self, token: &str) -> Self {
        self.header = Some((NAME, token.to_owned()));
        self
    }

    pub(super) fn and_query(mut self, token: &str) -> Self {
        self.query = Some(format!("page=2&s={token}&sort"));
        self
    }

    pub(super) async fn request(&self, sessions: &Sessions) -> Request {
        let cookie = self.cookie.clone().map(|cookie| ("Cookie", cookie));
        let headers: Vec<_> = cookie.into_iter().chain(self.header.clone()).collect();
        let exchange = sessions.begin(headers, self.query.as_deref());
        let session = exchange.session().await.unwrap();
        Request { exchange, session }
    }

    /// A request that does `act`, and what the response says.
    pub(super) async fn does(
        &self,
        sessions: &Sessions,
        act: impl FnOnce(&Session) -> Result<(), Error>,
    ) -> Response {
        let request = self.request(sessions).await;
        act(&request).unwrap();
        request.respond().await
    }

    pub(super) async fn opens(&self, sessions: &Sessions) -> bool {
        !self.request(sessions).await.is_new()
    }
}

impl Response {
    /// The value of the header that carries the token.
    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        let mut values = self.0.iter().filter_map(|edit| match edit {
            HeaderEdit::SetHeader { name, value } if name == wanted => Some(value.as_str()),
            _ => None,
        });
        let first = values.next();
        assert_eq!(values.next(), None);
        first
    }

    pub(super) fn vary(&self) -> Vec<&str> {
        let vary = self.0.iter().filter_map(|edit| match edit {
            HeaderEdit::Append { name, value } => {
                assert_eq!(*name, "vary");
                Some(&**value)
            }
            _ => None,
        });
        vary.collect()
    }

    pub(super) fn has_default(&self, wanted: &str) -> bool {
        let is =
            |edit: &HeaderEdit| matches!(edit, HeaderEdit::Default { name, .. } if *name == wanted);
        self.0.iter().any(is)
    }
}

pub(super) fn with(world: &World, transports: impl IntoIterator<Item = Transport>) -> Sessions {
    world.builder().transports(transports).build().unwrap()
}

pub(super) fn cookie_then_header() -> [Transport; 2] {
    [Transport::cookie(), Transport::header(NAME)]
}

pub(super) fn all_three() -> [Transport; 3] {
    [
        Transport::cookie(),
        Transport::header(NAME),
        Transport::query("s"),
    ]
}

/// A token of a session in which `n` is 1.
pub(super) async fn token(sessions: &Sessions) -> String {
    let exchange = sessions.begin([("host", "example.org")], None);
    let session = exchange.session().await.unwrap();
    session.set("n", &1).unwrap();
    session.save().await.unwrap();
    session.expose_token().unwrap().unwrap()
}

pub(super) fn handle_of(token: &str) -> Handle {
    token.split('.').next().unwrap().parse().unwrap()
}
