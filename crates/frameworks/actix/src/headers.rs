//! Applies what a finished exchange says to a response's headers, beside what the handler put there.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use fasthttpsession_core::HeaderEdit;

/// What middleware has told the client about its tokens, in the extensions of the response that does. Middleware around
/// it that answers an error in place of the response has to tell it too.
struct Told(Vec<HeaderEdit>);

/// Applies `edits`, and keeps them with the response if they are about a token.
pub(crate) fn tell<B>(edits: Vec<HeaderEdit>, response: &mut HttpResponse<B>) {
    apply(&edits, response.headers_mut());
    if !edits.iter().any(is_about_a_token) {
        return;
    }
    let mut extensions = response.extensions_mut();
    match extensions.get_mut::<Told>() {
        Some(Told(all)) => all.extend(edits),
        None => _ = extensions.insert(Told(edits)),
    }
}

/// Tells by `response` what was told by the one that it is in place of.
pub(crate) fn tell_again<B>(replaced: &mut HttpResponse<B>, response: &mut HttpResponse) {
    let told = replaced.extensions_mut().remove();
    if let Some(Told(edits)) = told {
        tell(edits, response);
    }
}

/// Also of one in the address of the page, which is the same whoever answers.
fn is_about_a_token(edit: &HeaderEdit) -> bool {
    matches!(
        edit,
        HeaderEdit::SetCookie { .. }
            | HeaderEdit::SetHeader { .. }
            | HeaderEdit::Default {
                name: "referrer-policy",
                ..
            }
    )
}

fn apply(edits: &[HeaderEdit], headers: &mut HeaderMap) {
    for edit in edits {
        match edit {
            HeaderEdit::SetCookie { name, value } => set_cookie(headers, name, value),
            HeaderEdit::SetHeader { name, value } => set_header(headers, name, value),
            HeaderEdit::Append {
                name,
                value: Cow::Borrowed(value),
            } => append(headers, name, HeaderValue::from_static(value)),
            HeaderEdit::Append {
                name,
                value: Cow::Owned(value),
            } => append(
                headers,
                name,
                value.parse().expect("core appends visible ASCII"),
            ),
            HeaderEdit::Default { name, value } => {
                let leaves = |present: &HeaderValue| edit.leaves(present.as_bytes());
                if !headers.get_all(*name).any(leaves) {
                    headers.insert(
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    );
                }
            }
        }
    }
}

/// A browser takes the last of two cookies of one name, and RFC 6265bis forbids sending two: ours replaces the
/// handler's.
fn set_cookie(headers: &mut HeaderMap, name: &str, value: &str) {
    for other in headers.remove(SET_COOKIE) {
        if cookie_name(&other) != name.as_bytes() {
            headers.append(SET_COOKIE, other);
        }
    }
    headers.append(SET_COOKIE, secret(value));
}

fn set_header(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).expect("core checks names of headers");
    headers.insert(name, secret(value));
}

/// A value that is printed as "Sensitive".
fn secret(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("core makes values of visible ASCII");
    value.set_sensitive(true);
    value
}

/// What stands before the first `=`, which is where browsers end a cookie's name.
fn cookie_name(set_cookie: &HeaderValue) -> &[u8] {
    let pair = set_cookie.as_bytes().split(|byte| *byte == b';').next();
    let name = pair.unwrap_or_default().split(|byte| *byte == b'=').next();
    name.unwrap_or_default().trim_ascii()
}

/// Appends to a header that is a list (`Vary`), unless the list has the entry, or `*` for all, already. To a line that is
/// there, for some that read it know no other: `actix-cors` puts what it makes of the first line in place of all.
fn append(headers: &mut HeaderMap, name: &'static str, value: HeaderValue) {
    let listed = |entry: &[u8]| entry == b"*" || entry.eq_ignore_ascii_case(value.as_bytes());
    let present = headers
        .get_all(name)
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|entry| listed(entry.trim_ascii()));
    if present {
        return;
    }
    match headers.get_mut(name) {
        Some(line) => {
            let longer = [line.as_bytes(), b", ", value.as_bytes()].concat();
            *line = HeaderValue::from_bytes(&longer).expect("two values are one with a comma");
        }
        None => headers.append(HeaderName::from_static(name), value),
    }
}
