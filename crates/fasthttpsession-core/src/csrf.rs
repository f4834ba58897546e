//! Requests that another site made the browser send: told by the headers that browsers add, or by a token that only this
//! site's pages have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::commit::Change;
use crate::error::Error;
use crate::session::Session;
use crate::session::state::State;
use crate::token::SecretHash;
use crate::transport::Way;

/// Cross-site request forgery.
impl Session {
    /// A token for this session's forms and scripts, 43 characters of base64url; `None` while the session has no record, so
    /// that showing a form stores nothing. Another text each time, so that compression gives none of it away ("BREACH");
    /// all of them are good until the next sign-in, whatever was rotated or renewed meanwhile.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn csrf_token(&self) -> Result<Option<String>, Error> {
        let Some(seed) = self.state().csrf_seed() else {
            return Ok(None);
        };
        let mask = self.manager().generator.mask()?;
        Ok(Some(seed.masked(mask)))
    }

    /// Whether a request that changes something comes from this site's own pages. `method` and `headers` are the request's;
    /// `token` is what it brought of [`csrf_token`](Self::csrf_token) in a form or a header, if anything.
    ///
    /// * GET, HEAD, OPTIONS and TRACE change nothing, and pass. The handshake of a WebSocket is a GET too, but is checked as
    ///   what changes something: any page may open one, and reads what comes, for it knows no CORS. It is told by its
    ///   `Upgrade` header; over HTTP/2 it is a CONNECT.
    /// * A good token passes, and so does a session that came in a header (`bearer`, say): no browser adds that by itself.
    ///   Where headers are the only [transports](crate::SessionsBuilder::transports), everything passes.
    /// * Otherwise the browser is believed: `Sec-Fetch-Site` has to be `same-origin` or `none`; without it, the host of
    ///   `Origin` has to be that of `Host` (what Fetch Metadata and RFC 6454 have them for).
    /// * A request with neither header comes from no browser of the last years. It passes if the session has no record:
    ///   there is nothing that a forged request could use.
    ///
    /// So forms work for visitors without storing anything, and without a token in any browser of today, but for two cases.
    /// One is a page of another origin, even if that is of the same site (`app.example.org` for `api.example.org`): it needs
    /// a token. The other is a page with `Referrer-Policy: no-referrer` that is served without TLS, and not from the
    /// browser's own machine. There browsers send no `Sec-Fetch-Site`, and `Origin: null`, as a page of another site may make
    /// them do: such a form needs a token, too. A visitor has one once something is stored and saved. Pages with forms do
    /// better with `Referrer-Policy: same-origin`, which tells other sites as little. So it is with older browsers (Safari
    /// before 16.4) over TLS.
    ///
    /// Over HTTP/2 there may be no `Host` among the headers: then add `("host", authority)` from the URI. Without it,
    /// and behind a proxy that puts another in its place, a browser that sends `Origin` and no `Sec-Fetch-Site` needs a
    /// token.
    ///
    /// ```
    /// # use fasthttpsession_core::{Error, Session};
    /// # fn example(session: &Session) -> Result<(), Error> {
    /// session.check_csrf("POST", [("sec-fetch-site", "same-origin")], None)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::CrossSite`], which is answered with 403.
    pub fn check_csrf<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        method: &str,
        headers: impl IntoIterator<Item = (N, V)>,
        token: Option<&str>,
    ) -> Result<(), Error> {
        let said = Said::by(headers);
        if SAFE_METHODS.contains(&method) && !said.handshake {
            return Ok(());
        }
        let (seed, came) = {
            let state = self.state();
            (state.csrf_seed(), state.came)
        };
        let good = |seed: Seed| token.is_some_and(|token| seed.made(token));
        let is_explicit = came.has(Way::Header) || self.manager().transports.are_headers();
        if is_explicit || seed.is_some_and(good) {
            return Ok(());
        }
        match said.sender() {
            Sender::ThisSite => Ok(()),
            Sender::Unknown if seed.is_none() => Ok(()),
            Sender::Unknown | Sender::AnotherSite => Err(Error::CrossSite),
        }
    }
}

/// RFC 9110, section 9.2.1.
const SAFE_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Who made the browser send a request, by its own account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    ThisSite,
    AnotherSite,
    /// It did not say.
    Unknown,
}

/// What the headers of a request say of where it comes from.
struct Said<V> {
    fetch_site: Option<Once<V>>,
    origin: Option<Once<V>>,
    host: Option<Once<V>>,
    /// Whether it asks for a WebSocket.
    handshake: bool,
}

/// The value of a header that says one thing; `None` of one that is there twice, which says nothing that could be believed.
type Once<V> = Option<V>;

impl<V: AsRef<[u8]>> Said<V> {
    fn by<N: AsRef<str>>(headers: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut said = Self {
            fetch_site: None,
            origin: None,
            host: None,
            handshake: false,
        };
        for (name, value) in headers {
            let slot = match name.as_ref() {
                name if name.eq_ignore_ascii_case("sec-fetch-site") => &mut said.fetch_site,
                name if name.eq_ignore_ascii_case("origin") => &mut said.origin,
                name if name.eq_ignore_ascii_case("host") => &mut said.host,
                name if name.eq_ignore_ascii_case("upgrade") => {
                    said.handshake |= names_a_web_socket(value.as_ref());
                    continue;
                }
                _ => continue,
            };
            let twice = slot.is_some();
            *slot = Some(if twice { None } else { Some(value) });
        }
        said
    }

    fn sender(&self) -> Sender {
        let [site, origin, host] =
            [&self.fetch_site, &self.origin, &self.host].map(|said| believed(said.as_ref()));
        let is_this_site = match (site, origin) {
            (Some(site), _) => site == b"same-origin" || site == b"none",
            (None, Some(origin)) => is_of_host(origin, host),
            (None, None) => return Sender::Unknown,
        };
        if is_this_site {
            Sender::ThisSite
        } else {
            Sender::AnotherSite
        }
    }
}

/// `None` of a header that is not there; nothing of one that is there twice.
fn believed<V: AsRef<[u8]>>(said: Option<&Once<V>>) -> Option<&[u8]> {
    Some(said?.as_ref().map_or(b"", AsRef::as_ref))
}

/// Wherever it stands in the value, for servers differ in how closely they look.
fn names_a_web_socket(upgrade: &[u8]) -> bool {
    const NAME: &[u8] = b"websocket";
    let mut parts = upgrade.windows(NAME.len());
    parts.any(|part| part.eq_ignore_ascii_case(NAME))
}

/// The scheme is left out: behind a proxy that ends TLS, nobody here knows it.
fn is_of_host(origin: &[u8], host: Option<&[u8]>) -> bool {
    let from = origin.windows(3).position(|part| part == b"://");
    match (from, host) {
        (Some(at), Some(host)) => !host.is_empty() && origin[at + 3..].eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// What the tokens of a session are made of. Kept in the record; new at each sign-in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed([u8; Seed::BYTES]);

impl Seed {
    pub(crate) const BYTES: usize = 16;

    /// That of a session which began, or was signed in to, with this secret. It tells nothing of the secret.
    pub(crate) fn of(secret: &SecretHash) -> Self {
        let mut hash = Sha256::new_with_prefix("fasthttpsession csrf 1");
        hash.update(secret.as_bytes());
        let mut seed = [0; Self::BYTES];
        seed.copy_from_slice(&hash.finalize()[..Self::BYTES]);
        Self(seed)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// `mask`, and the seed under it.
    fn masked(&self, mask: [u8; Self::BYTES]) -> String {
        let mut bytes = [0; 2 * Self::BYTES];
        for (at, byte) in mask.into_iter().enumerate() {
            bytes[at] = byte;
            bytes[Self::BYTES + at] = byte ^ self.0[at];
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn made(&self, token: &str) -> bool {
        let mut bytes = [0; 2 * Self::BYTES];
        if URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) != Ok(bytes.len()) {
            return false;
        }
        let (mask, masked) = bytes.split_at(Self::BYTES);
        let mut seed = [0; Self::BYTES];
        for (at, byte) in seed.iter_mut().enumerate() {
            *byte = mask[at] ^ masked[at];
        }
        seed.ct_eq(&self.0).into()
    }
}

impl State {
    /// That of the sign-in that is under way, or else of the record; `None` without a record.
    fn csrf_seed(&self) -> Option<Seed> {
        let base = self.base.as_ref()?;
        let signed_in = self.changes.iter().rev().find_map(|change| match change {
            Change::Login { secret, .. } => Some(Seed::of(secret)),
            _ => None,
        });
        Some(signed_in.unwrap_or(base.stored.control.csrf))
    }
}
