//! What a server needs beside `begin`: the end of an exchange as headers of its own, and an answer to errors.

use fasthttpsession::{Error, Exchange, HeaderEdit};
use http::header::{CACHE_CONTROL, Entry, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::{Response, StatusCode};

/// Commits, and tells the client what it must know, of each exchange though another failed. Before the response's head
/// leaves.
pub(crate) async fn finished<B: Default>(
    exchanges: &[&Exchange],
    mut response: Response<B>,
) -> Response<B> {
    let mut edits = Vec::new();
    for exchange in exchanges {
        match exchange.finish().await {
            Ok(more) => edits.extend(more),
            Err(error) => {
                response = failed(&error);
                edits.extend(exchange.abandon());
            }
        }
    }
    for edit in edits {
        apply(&edit, response.headers_mut());
    }
    response
}

/// The answer to a handler's error: nothing is committed.
pub(crate) fn abandoned<B: Default>(exchanges: &[&Exchange], error: &Error) -> Response<B> {
    let mut response = failed(error);
    for edit in exchanges.iter().flat_map(|exchange| exchange.abandon()) {
        apply(&edit, response.headers_mut());
    }
    response
}

/// The status and no detail.
fn failed<B: Default>(error: &Error) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

fn apply(edit: &HeaderEdit, headers: &mut HeaderMap) {
    match edit {
        HeaderEdit::SetCookie { value, .. } => {
            let others: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
            headers.remove(SET_COOKIE);
            let kept = |other: &HeaderValue| !edit.replaces(other.as_bytes());
            for other in others.into_iter().filter(kept) {
                headers.append(SET_COOKIE, other);
            }
            let value = HeaderValue::try_from(value).expect("core makes cookies of visible ASCII");
            headers.append(SET_COOKIE, value);
        }
        HeaderEdit::SetHeader { name, value } => {
            let name = HeaderName::try_from(name).expect("core checks names of headers");
            let value = HeaderValue::try_from(value).expect("core makes tokens of visible ASCII");
            headers.insert(name, value);
        }
        HeaderEdit::Append { name, value } => {
            let value = HeaderValue::try_from(&**value).expect("core appends visible ASCII");
            match headers.entry(*name) {
                Entry::Vacant(place) => _ = place.insert(value),
                Entry::Occupied(mut lines) => {
                    if !lines.iter().any(|line| edit.is_listed_in(line.as_bytes())) {
                        let longer = [lines.get().as_bytes(), b", ", value.as_bytes()].concat();
                        let longer = HeaderValue::try_from(longer).expect("two values are one");
                        *lines.get_mut() = longer;
                    }
                }
            }
        }
        HeaderEdit::Default { name, value } => {
            let leaves = |present: &HeaderValue| edit.leaves(present.as_bytes());
            if !headers.get_all(*name).iter().any(leaves) {
                headers.insert(*name, HeaderValue::from_static(value));
            }
        }
    }
}
