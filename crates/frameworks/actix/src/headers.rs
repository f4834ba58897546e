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
    if !edits.iter().any(HeaderEdit::is_about_a_token) {
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

fn apply(edits: &[HeaderEdit], headers: &mut HeaderMap) {
    for edit in edits {
        match edit {
            HeaderEdit::SetCookie { value, .. } => {
                for other in headers.remove(SET_COOKIE) {
                    if !edit.replaces(other.as_bytes()) {
                        headers.append(SET_COOKIE, other);
                    }
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

/// A value that is printed as "Sensitive".
fn secret(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).expect("core makes values of visible ASCII");
    value.set_sensitive(true);
    value
}

/// To a line that is there: `actix-cors` puts what it makes of the first line in place of all.
fn append(
    edit: &HeaderEdit,
    name: &'static str,
    value: Cow<'static, str>,
    headers: &mut HeaderMap,
) {
    let listed = |line: &HeaderValue| edit.is_listed_in(line.as_bytes());
    if headers.get_all(name).any(listed) {
        return;
    }
    if let Some(line) = headers.get_mut(name) {
        let longer = [line.as_bytes(), b", ", value.as_bytes()].concat();
        *line = HeaderValue::from_bytes(&longer).expect("two values are one with a comma");
    } else {
        let value = match value {
            Cow::Borrowed(value) => HeaderValue::from_static(value),
            Cow::Owned(value) => HeaderValue::try_from(value).expect("core appends visible ASCII"),
        };
        headers.append(HeaderName::from_static(name), value);
    }
}
