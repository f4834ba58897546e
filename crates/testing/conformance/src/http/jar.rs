//! A browser's cookies, by the rules of RFC 6265bis for the attributes that session cookies have. The site is taken to
//! be `https://site.test`: whoever serves it over plain TCP stands behind something that ends TLS.

use std::time::Duration;

use fasthttpsession_core::Timestamp;

/// The longest name and value together that a browser keeps, in bytes.
const MAX_PAIR: usize = 4096;

/// One `Set-Cookie`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Names in lower case, with what follows `=`, in the order of their coming.
    pub(crate) attributes: Vec<(String, String)>,
}

impl SetCookie {
    pub(crate) fn parse(header: &str) -> Self {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = pair(parts.next().unwrap_or_default());
        let attributes = parts.map(|part| {
            let (name, value) = pair(part);
            (name.to_ascii_lowercase(), value)
        });
        Self {
            name,
            value,
            attributes: attributes.collect(),
        }
    }

    /// What an attribute says, by its lower-case name; `""` when it only stands there.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .rev()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Seconds; `None` until the browser closes.
    pub(crate) fn max_age(&self) -> Option<i64> {
        self.attribute("max-age")?.parse().ok()
    }

    /// Where it is kept: two cookies are one if these agree.
    fn place(&self) -> (&str, Option<&str>, &str) {
        (
            &self.name,
            self.attribute("domain"),
            self.attribute("path").unwrap_or("/"),
        )
    }

    /// Whether a browser takes it at all.
    fn is_taken(&self) -> bool {
        let secure = self.attribute("secure").is_some();
        let host_only = self.attribute("domain").is_none() && self.attribute("path") == Some("/");
        let prefix_holds = match &self.name {
            name if name.starts_with("__Host-") => secure && host_only,
            name if name.starts_with("__Secure-") => secure,
            _ => true,
        };
        prefix_holds && self.name.len() + self.value.len() <= MAX_PAIR
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim().to_owned(), value.trim().to_owned())
}

/// What a browser keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(Vec<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    cookie: SetCookie,
    until: Option<Timestamp>,
}

impl Jar {
    /// Takes a cookie as a browser does at `now`: in place of the one that is kept at its place, or for it to be
    /// removed.
    pub(crate) fn take(&mut self, cookie: SetCookie, now: Timestamp) {
        if !cookie.is_taken() {
            return;
        }
        self.0.retain(|kept| kept.cookie.place() != cookie.place());
        let until = cookie
            .max_age()
            .map(|seconds| now.after(Duration::from_secs(seconds.max(0).unsigned_abs())));
        if until.is_none_or(|until| until > now) {
            self.0.push(Kept { cookie, until });
        }
    }

    /// The `Cookie` header at `now`; `None` without cookies.
    pub(crate) fn header(&self, now: Timestamp) -> Option<String> {
        let pairs: Vec<_> = self
            .live(now)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of a cookie at `now`.
    pub(crate) fn value(&self, name: &str, now: Timestamp) -> Option<String> {
        self.live(now)
            .find(|cookie| cookie.name == name)
            .map(|cookie| cookie.value.clone())
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &SetCookie> {
        self.0
            .iter()
            .filter(move |kept| kept.until.is_none_or(|until| until > now))
            .map(|kept| &kept.cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn jar(headers: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for header in headers {
            jar.take(SetCookie::parse(header), NOW);
        }
        jar
    }

    #[test]
    fn a_removal_with_another_path_removes_nothing() {
        let kept = jar(&[
            "__Secure-id=a; Path=/app; Secure",
            "__Secure-id=; Path=/; Secure; Max-Age=0",
        ]);
        assert_eq!(kept.header(NOW).as_deref(), Some("__Secure-id=a"));
        let removed = jar(&[
            "__Secure-id=a; Path=/app; Secure",
            "__Secure-id=; Path=/app; Secure; Max-Age=0",
        ]);
        assert_eq!(removed.header(NOW), None);
    }

    #[test]
    fn a_host_prefix_needs_secure_path_and_no_domain() {
        for refused in [
            "__Host-id=a; Path=/",
            "__Host-id=a; Secure",
            "__Host-id=a; Secure; Path=/; Domain=site.test",
        ] {
            assert_eq!(jar(&[refused]).header(NOW), None, "{refused}");
        }
        assert!(jar(&["__Host-id=a; Secure; Path=/"]).header(NOW).is_some());
    }

    #[test]
    fn a_persistent_cookie_ends() {
        let jar = jar(&["id=a; Max-Age=60"]);
        assert!(jar.header(NOW.after(Duration::from_secs(59))).is_some());
        assert_eq!(jar.header(NOW.after(Duration::from_secs(60))), None);
    }
}
