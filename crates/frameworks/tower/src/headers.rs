//! Applies what a finished exchange says to a response's headers, beside what the handler put there.

use std::borrow::Cow;

use fasthttpsession_core::HeaderEdit;
use http::Response;
use http::header::{CACHE_CONTROL, Entry, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY};

/// What layers have told the client about its tokens, in the extensions of the response that does. A layer around them
/// that answers an error in place of the response has to tell it too.
#[derive(Clone)]
struct Told(Vec<HeaderEdit>);

/// Applies `edits`, and keeps them with the response if they are about a token.
pub(crate) fn tell<B>(edits: Vec<HeaderEdit>, response: &mut Response<B>) {
    apply(&edits, response.headers_mut());
    if !edits.iter().any(HeaderEdit::is_about_a_token) {
        return;
    }
    let extensions = response.extensions_mut();
    match extensions.get_mut::<Told>() {
        Some(Told(all)) => all.extend(edits),
        None => _ = extensions.insert(Told(edits)),
    }
}

/// Tells by `response` what was told by the one that it is in place of.
pub(crate) fn tell_again<B>(mut replaced: Response<B>, response: &mut Response<B>) {
    if let Some(Told(edits)) = replaced.extensions_mut().remove() {
        tell(edits, response);
    }
}

fn apply(edits: &[HeaderEdit], headers: &mut HeaderMap) {
    for edit in edits {
        match edit {
            HeaderEdit::SetCookie { value, .. } => {
                if headers.contains_key(SET_COOKIE) {
                    remove_replaced(edit, headers);
                }
                headers.append(SET_COOKIE, secret(value));
            }
            HeaderEdit::SetHeader { name, value } => {
                let name = name.parse::<HeaderName>();
                headers.insert(name.expect("core checks names of headers"), secret(value));
            }
            HeaderEdit::Append { name, value } => append(edit, name, value.clone(), headers),
            HeaderEdit::Default { name, value } => {
                let leaves = |present: &HeaderValue| edit.leaves(present.as_bytes());
                if !headers.get_all(*name).iter().any(leaves) {
                    headers.insert(known(name), HeaderValue::from_static(value));
                }
            }
        }
    }
}

fn remove_replaced(edit: &HeaderEdit, headers: &mut HeaderMap) {
    let all: Vec<_> = headers.get_all(SET_COOKIE).into_iter().cloned().collect();
    headers.remove(SET_COOKIE);
    let kept = |other: &HeaderValue| !edit.replaces(other.as_bytes());
    for other in all.into_iter().filter(kept) {
        headers.append(SET_COOKIE, other);
    }
}

/// A value that is printed as "Sensitive", and never put into a compression table.
fn secret(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("core makes values of visible ASCII");
    value.set_sensitive(true);
    value
}

/// The constant, which costs no look-up, for the two names that most responses need; or the name made anew.
fn known(name: &'static str) -> HeaderName {
    match name {
        "vary" => VARY,
        "cache-control" => CACHE_CONTROL,
        other => HeaderName::from_static(other),
    }
}

fn append(
    edit: &HeaderEdit,
    name: &'static str,
    value: Cow<'static, str>,
    headers: &mut HeaderMap,
) {
    match headers.entry(known(name)) {
        Entry::Vacant(vacant) => {
            vacant.insert(match value {
                Cow::Borrowed(value) => HeaderValue::from_static(value),
                Cow::Owned(value) => {
                    HeaderValue::try_from(value).expect("core appends visible ASCII")
                }
            });
        }
        Entry::Occupied(mut lines) => {
            if !lines.iter().any(|line| edit.is_listed_in(line.as_bytes())) {
                let line = lines.get_mut();
                let longer = [line.as_bytes(), b", ", value.as_bytes()].concat();
                *line = HeaderValue::from_bytes(&longer).expect("two values are one with a comma");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
        headers
            .get_all(name)
            .into_iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    }

    fn cookie(name: &str, value: &str) -> HeaderEdit {
        HeaderEdit::SetCookie {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn a_cookie_replaces_the_one_of_exactly_its_name() {
        let mut headers = headers(&[
            (SET_COOKIE, "id=old; Path=/"),
            (SET_COOKIE, "idle=1"),
            (SET_COOKIE, " id =old2"),
            (SET_COOKIE, "ID=x"),
        ]);
        apply(&[cookie("id", "id=new")], &mut headers);
        assert_eq!(values(&headers, &SET_COOKIE), ["idle=1", "ID=x", "id=new"]);
    }

    #[test]
    fn a_cookie_is_not_printed() {
        let mut headers = HeaderMap::new();
        apply(&[cookie("id", "id=handle.secret")], &mut headers);
        assert!(!format!("{headers:?}").contains("secret"));
    }

    #[test]
    fn a_header_with_a_token_replaces_those_of_its_name_and_is_not_printed() {
        let token = HeaderName::from_static("x-token");
        let mut headers = headers(&[(token.clone(), "mine"), (token.clone(), "mine too")]);
        let edit = HeaderEdit::SetHeader {
            name: "x-token".into(),
            value: "handle.secret".into(),
        };
        apply(&[edit], &mut headers);
        assert_eq!(values(&headers, &token), ["handle.secret"]);
        assert!(!format!("{headers:?}").contains("secret"));
    }

    #[test]
    fn vary_names_cookie_once() {
        for present in ["cookie", "Accept, COOKIE", "*"] {
            let mut headers = headers(&[(VARY, present)]);
            apply(
                &[HeaderEdit::Append {
                    name: "vary",
                    value: "cookie".into(),
                }],
                &mut headers,
            );
            assert_eq!(values(&headers, &VARY), [present]);
        }
    }

    #[test]
    fn vary_keeps_what_the_handler_named() {
        let mut headers = headers(&[(VARY, "accept, cookie-consent")]);
        apply(
            &[HeaderEdit::Append {
                name: "vary",
                value: "cookie".into(),
            }],
            &mut headers,
        );
        assert_eq!(values(&headers, &VARY), ["accept, cookie-consent, cookie"]);
    }

    #[test]
    fn a_default_yields_to_the_handler() {
        let edit = || {
            [HeaderEdit::Default {
                name: "cache-control",
                value: "no-store",
            }]
        };
        let (mut own, mut none) = (headers(&[(CACHE_CONTROL, "private")]), HeaderMap::new());
        apply(&edit(), &mut own);
        apply(&edit(), &mut none);
        assert_eq!(
            (values(&own, &CACHE_CONTROL), values(&none, &CACHE_CONTROL)),
            (vec!["private"], vec!["no-store"])
        );
    }
}
