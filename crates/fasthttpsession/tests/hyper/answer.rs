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
        apply(edit, response.headers_mut());
    }
    response
}

/// The answer to a handler's error: nothing is committed.
pub(crate) fn abandoned<B: Default>(exchanges: &[&Exchange], error: &Error) -> Response<B> {
    let mut response = failed(error);
    for edit in exchanges.iter().flat_map(|exchange| exchange.abandon()) {
        apply(edit, response.headers_mut());
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

fn apply(edit: HeaderEdit, headers: &mut HeaderMap) {
    match edit {
        HeaderEdit::SetCookie { name, value } => {
            let others: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
            headers.remove(SET_COOKIE);
            for other in others.into_iter().filter(|other| !is_named(other, &name)) {
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
            let lines = headers.get_all(name).into_iter();
            let mut listed = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
            if !listed.any(|entry| entry.trim_ascii().eq_ignore_ascii_case(value.as_bytes())) {
                let line = headers.get(name).map(HeaderValue::as_bytes);
                let line = line.map_or_else(Vec::new, |line| [line, b", "].concat());
                let longer = HeaderValue::try_from([&line[..], value.as_bytes()].concat());
                let longer = longer.expect("core appends visible ASCII");
                // One line for all, where that is possible: some that read a list know the first one alone.
                match headers.entry(name) {
                    Entry::Occupied(mut lines) => *lines.get_mut() = longer,
                    Entry::Vacant(place) => _ = place.insert(longer),
                }
            }
        }
        ref edit @ HeaderEdit::Default { name, value } => {
            let present = headers.get_all(name).into_iter();
            let mut kept = present.filter(|present| edit.leaves(present.as_bytes()));
            if kept.next().is_none() {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
    }
}

fn is_named(set_cookie: &HeaderValue, name: &str) -> bool {
    let pair = set_cookie.as_bytes().split(|byte| *byte == b';').next();
    let found = pair.and_then(|pair| pair.split(|byte| *byte == b'=').next());
    found.is_some_and(|found| found.trim_ascii() == name.as_bytes())
}
