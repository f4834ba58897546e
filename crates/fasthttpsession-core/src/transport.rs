//! Where tokens travel: in the cookie, in a header, in the query part of the URL; which of them, and in which order.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::cookie::{CookieWriter, Dated, is_token_char};
use crate::error::BuildError;
use crate::exchange::{HeaderEdit, Presented};
use crate::token::codec::{TokenCodecs, TokenText};

/// A place where tokens travel between client and server. [`SessionsBuilder::transports`] takes those that are on, in
/// their order; without it, there is the cookie alone.
///
/// | | read from | given to the client in | taken away by | `Vary` |
/// | --- | --- | --- | --- | --- |
/// | [`cookie`](Self::cookie) | `Cookie` | `Set-Cookie` | a cookie that has expired | `Cookie` |
/// | [`header`](Self::header) | the header | the response's header of that name | the same, empty | its name |
/// | [`bearer`](Self::bearer) | `Authorization: Bearer …` | `Authorization: Bearer …` | the same, empty | `Authorization` |
/// | [`query`](Self::query) | the URL's query | nothing: see there | nothing | none, for caches go by the URL |
///
/// A request's tokens are tried in the order of the transports; what is no token, or opens nothing, hides none that comes
/// after it. At most four are looked up, of at most 16 by each transport that look like one.
///
/// * **A session goes out the way it came in**: a new token, or a removal, by each transport that presented the session.
///   Who came with a header gets no cookie.
/// * **A new session** goes out by the first transport, so where the cookie is on, it is the first. If the header is on, also by the header, for clients that keep no
///   cookies. A token in a response's header can be read by scripts of the page, from which `HttpOnly` keeps that of a
///   cookie: turn on both only where both kinds of clients are served. A session that came by the cookie alone stays in the
///   cookie.
///
/// A client of the header keeps the value of that header whenever a response has it, and sends it with each request;
/// nothing, once it is empty. Of a token that has expired, or was ended elsewhere, no response tells. Browsers show it to scripts of other origins only if `Access-Control-Expose-Headers` names
/// it. Whoever sends tokens in headers alone needs no protection from cross-site requests.
///
/// ```
/// # use fasthttpsession_core::{BuildError, Sessions, Transport};
/// # fn example(store: impl fasthttpsession_core::Store) -> Result<Sessions, BuildError> {
/// // Programs send `Authorization: Bearer …`, browsers their cookie.
/// Sessions::builder(store).transports([Transport::cookie(), Transport::bearer()]).build()
/// # }
/// ```
///
/// [`SessionsBuilder::transports`]: crate::SessionsBuilder::transports
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Cookie,
    Header(String),
    Bearer,
    Query(String),
}

impl Transport {
    /// The cookie that [`SessionsBuilder::cookie`](crate::SessionsBuilder::cookie) describes.
    pub fn cookie() -> Self {
        Self(Kind::Cookie)
    }

    /// A header of this name (`x-session`), whose value is the token.
    pub fn header(name: &str) -> Self {
        Self(Kind::Header(name.to_ascii_lowercase()))
    }

    /// `Authorization: Bearer` and the token (RFC 6750, section 2.1), also in responses.
    pub fn bearer() -> Self {
        Self(Kind::Bearer)
    }

    /// A parameter of this name in the query part of the URL, compared letter for letter.
    ///
    /// **URLs are no place for secrets** (RFC 6750, section 5.3; ASVS 14.2.1): they stand in the logs of servers and
    /// proxies, in histories, in bookmarks and in what users send to each other, and browsers tell them to other sites in
    /// `Referer`. Whoever has such a URL has the session. Use it only for clients that have neither cookies nor headers,
    /// with short lifetimes, and never for what a sign-in opened in a browser.
    ///
    /// * **The application puts the token into its URLs**, for no response can: [`Session::expose_token`], after
    ///   [`save`](crate::Session::save) if the request made the session or gave it a new token. If the header is on too,
    ///   new tokens are in the response's header besides.
    /// * A response to a request with a token in its URL gets `Referrer-Policy: same-origin`, unless the handler set its own,
    ///   and, if the session was asked for, `Cache-Control: no-store`, unless the handler set one with `private` or
    ///   `no-store`. So no other site learns of the URL, and forms still say where they come from, as
    ///   [`check_csrf`](crate::Session::check_csrf) needs it. What is answered without the session's middleware gets neither:
    ///   set `Referrer-Policy` for the whole site. Strip the parameter from access logs, of `Referer` too; `no-referrer`
    ///   keeps it out of that, where pages have no forms.
    /// * Such a session is not renewed by `renew_every`, for nobody would see the new token.
    ///
    /// [`Session::expose_token`]: crate::Session::expose_token
    pub fn query(name: &str) -> Self {
        Self(Kind::Query(name.to_owned()))
    }
}

/// One of the three kinds of transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Cookie = 1,
    Header = 2,
    Query = 4,
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways(u8);

impl Ways {
    pub(crate) const QUERY: Self = Self(Way::Query as u8);

    #[must_use]
    pub(crate) fn with(self, way: Way) -> Self {
        Self(self.0 | way as u8)
    }

    pub(crate) fn has(self, way: Way) -> bool {
        self.0 & way as u8 != 0
    }
}

/// The transports that are on: reads tokens from requests, and writes what responses say about them.
pub(crate) struct Transports {
    /// Never empty.
    order: Vec<Way>,
    cookie: Option<CookieWriter>,
    header: Option<Header>,
    query: Option<String>,
    vary: Vec<Cow<'static, str>>,
    pub(crate) codecs: TokenCodecs,
}

struct Header {
    name: String,
    bearer: bool,
}

/// What a response says about the session's token.
pub(crate) enum Notice {
    /// The token, as it goes over the wire, and how long its cookie lasts, if that outlives the browser.
    Give(String, Option<Duration>),
    TakeAway,
}

impl Transports {
    /// How many values of each transport are kept for a closer look. More than are looked up, for some that look like
    /// tokens are none.
    const MAX_TEXTS: usize = 16;
    const BEARER: &str = "Bearer ";

    pub(crate) fn new(
        transports: Vec<Transport>,
        cookie: &crate::Cookie,
        codecs: TokenCodecs,
    ) -> Result<Self, BuildError> {
        let mut all = Self {
            order: Vec::new(),
            cookie: None,
            header: None,
            query: None,
            vary: Vec::new(),
            codecs,
        };
        for Transport(kind) in transports {
            let way = match kind {
                Kind::Cookie => {
                    let longest = all.codecs.max_text_bytes();
                    all.cookie = Some(CookieWriter::new(cookie, longest)?);
                    all.vary.push("Cookie".into());
                    Way::Cookie
                }
                Kind::Header(name) => {
                    check_header(&name)?;
                    all.vary.push(name.clone().into());
                    let bearer = false;
                    all.header = Some(Header { name, bearer });
                    Way::Header
                }
                Kind::Bearer => {
                    all.vary.push("Authorization".into());
                    let name = "authorization".to_owned();
                    all.header = Some(Header { name, bearer: true });
                    Way::Header
                }
                Kind::Query(name) => {
                    check_parameter(&name)?;
                    all.query = Some(name);
                    Way::Query
                }
            };
            if all.order.contains(&way) {
                return refuse("there is at most one cookie, one header and one parameter");
            }
            all.order.push(way);
        }
        if all.order.is_empty() {
            return refuse("at least one is on");
        }
        Ok(all)
    }

    /// Of which sessions that came by `came` the client keeps a dated cookie.
    pub(crate) fn dated_by(&self, came: Ways) -> Dated {
        if self.out(came).has(Way::Cookie) {
            self.dated()
        } else {
            Dated::None
        }
    }

    /// Of which sessions cookies are dated.
    pub(crate) fn dated(&self) -> Dated {
        self.cookie
            .as_ref()
            .map_or(Dated::None, CookieWriter::dated)
    }

    /// By which transports a token goes out whose session came in by `came`; none for a new session.
    fn out(&self, came: Ways) -> Ways {
        let header = self.header.is_some();
        match came {
            Ways(0) if header => Ways::default().with(self.order[0]).with(Way::Header),
            Ways(0) => Ways::default().with(self.order[0]),
            Ways::QUERY if header => came.with(Way::Header),
            came => came,
        }
    }
}

/// Requests.
impl Transports {
    /// Whether tokens come in headers alone, which no browser adds by itself.
    pub(crate) fn are_headers(&self) -> bool {
        self.order == [Way::Header]
    }

    /// What may be tokens, in the order in which they are to be tried. What can't be one is passed over, so that it hides
    /// none that is.
    pub(crate) fn presented<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        query: Option<&str>,
    ) -> Presented {
        let mut presented = Presented::new();
        for (name, value) in headers {
            self.look_at(name.as_ref(), value.as_ref(), &mut presented);
        }
        if let (Some(name), Some(query)) = (&self.query, query) {
            for value in parameters(name, query) {
                self.note(&value, Way::Query, &mut presented);
            }
        }
        if presented.len() > 1 {
            presented.sort_by_key(|text| self.order.iter().position(|way| *way == text.way));
        }
        presented
    }

    /// `query` without the parameter that tokens travel in, if they do.
    pub(crate) fn without_token(&self, query: &str) -> String {
        let is_token = |pair: &&str| {
            let value = pair.strip_prefix(self.query.as_deref()?)?;
            value.starts_with('=').then_some(())
        };
        let kept: Vec<_> = query
            .split('&')
            .filter(|pair| is_token(pair).is_none())
            .collect();
        kept.join("&")
    }

    #[inline]
    fn look_at(&self, name: &str, value: &[u8], presented: &mut Presented) {
        if let Some(cookie) = &self.cookie
            && name.eq_ignore_ascii_case("cookie")
        {
            for value in cookie.values(value) {
                self.note(value, Way::Cookie, presented);
            }
        } else if let Some(header) = &self.header
            && name.eq_ignore_ascii_case(&header.name)
            && let Some(value) = header.token(value)
        {
            self.note(value, Way::Header, presented);
        }
    }

    #[inline]
    fn note(&self, value: &[u8], way: Way, presented: &mut Presented) {
        let noted = || presented.iter().filter(|text| text.way == way).count();
        if self.codecs.may_be(value) && noted() < Self::MAX_TEXTS {
            presented.push(TokenText::new(value, way));
        }
    }
}

/// Responses.
impl Transports {
    /// Which headers of the request an answer depends on that knows the session.
    pub(crate) fn vary(&self) -> Vec<HeaderEdit> {
        let vary = |value: &Cow<'static, str>| HeaderEdit::Append {
            name: "vary",
            value: value.clone(),
        };
        self.vary.iter().map(vary).collect()
    }

    /// Tells the client about its token, by the transports that its session, which came by `came`, goes out by.
    pub(crate) fn notify(&self, notice: Notice, came: Ways, edits: &mut Vec<HeaderEdit>) {
        let out = self.out(came);
        if let Some(header) = self.header.as_ref().filter(|_| out.has(Way::Header)) {
            edits.push(header.edit(&notice));
        }
        if let Some(cookie) = self.cookie.as_ref().filter(|_| out.has(Way::Cookie)) {
            edits.push(HeaderEdit::SetCookie {
                name: cookie.name().to_owned(),
                value: match notice {
                    Notice::Give(token, left) => cookie.set(&token, left),
                    Notice::TakeAway => cookie.remove(),
                },
            });
        }
    }
}

impl Header {
    /// The token in a value of this header.
    fn token<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        if !self.bearer {
            return Some(value.trim_ascii());
        }
        let (scheme, token) = value
            .trim_ascii()
            .split_at_checked(Transports::BEARER.len())?;
        scheme
            .eq_ignore_ascii_case(Transports::BEARER.as_bytes())
            .then(|| token.trim_ascii_start())
    }

    fn edit(&self, notice: &Notice) -> HeaderEdit {
        let value = match notice {
            Notice::Give(token, _) if self.bearer => format!("{}{token}", Transports::BEARER),
            Notice::Give(token, _) => token.clone(),
            Notice::TakeAway => String::new(),
        };
        HeaderEdit::SetHeader {
            name: self.name.clone(),
            value,
        }
    }
}

/// The values of the parameters called `name`, byte for byte; their `%` sequences are decoded, for clients may encode what
/// needs no encoding. What is no sequence stays as it is, and so is no token.
fn parameters<'a>(name: &'a str, query: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    query.split('&').filter_map(move |pair| {
        let value = pair.strip_prefix(name)?.strip_prefix('=')?;
        Some(percent_decode_str(value).into())
    })
}

fn check_header(name: &str) -> Result<(), BuildError> {
    /// Those that mean something else in a request or a response.
    const TAKEN: [&str; 10] = [
        "authorization",
        "cache-control",
        "connection",
        "content-length",
        "cookie",
        "host",
        "referrer-policy",
        "set-cookie",
        "transfer-encoding",
        "vary",
    ];
    if name.is_empty() || !name.bytes().all(is_token_char) {
        return refuse(
            "a header's name has letters, digits and !#$%&'*+-.^_`|~ only, and at least one",
        );
    }
    if TAKEN.contains(&name) {
        return refuse(
            "the header has another meaning already (for Authorization there is `bearer`)",
        );
    }
    Ok(())
}

fn check_parameter(name: &str) -> Result<(), BuildError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return refuse("a parameter's name has letters, digits and -._~ only, and at least one");
    }
    Ok(())
}

fn refuse<T>(reason: &'static str) -> Result<T, BuildError> {
    Err(BuildError::Transport { reason })
}
