//! Sessions in poem: `begin` and `finish` around the routes.

use std::error::Error;
use std::sync::Arc;

use fasthttpsession::{Cookie, HeaderEdit, RequestSession, Sessions, connect};
use fasthttpsession_examples::setting;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{Endpoint, EndpointExt, Request, Response, Route, Server, get, handler, post};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let app = Route::new()
        .at("/", get(visit))
        .at("/login", post(login))
        .at("/logout", post(logout))
        .around(move |routes, request| with_session(sessions.clone(), routes, request));
    let address = setting("LISTEN", "127.0.0.1:8086");
    let acceptor = TcpListener::bind(address).into_acceptor().await?;
    for address in acceptor.local_addr() {
        println!(
            "http://{}",
            address.as_socket_addr().expect("TCP has socket addresses")
        );
    }
    Ok(Server::new_with_acceptor(acceptor).run(app).await?)
}

/// Finishes before the head of the response leaves, for that is where a cookie stands. A handler that failed commits
/// nothing. None here has saved anything before; if one does, the answer to its error needs what
/// [`abandon`](fasthttpsession::Exchange::abandon) says.
async fn with_session(
    sessions: Sessions,
    routes: Arc<Route>,
    mut request: Request,
) -> poem::Result<Response> {
    let exchange = sessions.begin(request.headers(), request.uri().query());
    request.extensions_mut().insert(exchange.request_session());
    let mut response = routes.call(request).await?;
    for edit in exchange.finish().await.map_err(failed)? {
        apply(edit, response.headers_mut());
    }
    Ok(response)
}

/// No handler here sets any of these headers, so there is none to be replaced.
fn apply(edit: HeaderEdit, headers: &mut HeaderMap) {
    let (name, value) = match edit {
        HeaderEdit::SetCookie { value, .. } => ("set-cookie".to_owned(), value),
        HeaderEdit::SetHeader { name, value } => (name, value),
        HeaderEdit::Append { name, value } => (name.to_owned(), value.into_owned()),
        HeaderEdit::Default { name, value } => (name.to_owned(), value.to_owned()),
    };
    let name = HeaderName::try_from(name).expect("names of headers are checked");
    let value = HeaderValue::try_from(value).expect("values of headers are visible ASCII");
    headers.append(name, value);
}

/// The client gets the status and no detail; other middleware finds the error inside.
fn failed(error: fasthttpsession::Error) -> poem::Error {
    eprintln!("{error}");
    let status = StatusCode::from_u16(error.status()).expect("errors have a status of HTTP's");
    let mut failed = poem::Error::new(error, status);
    failed.set_error_message("");
    failed
}

#[handler]
async fn visit(found: Data<&RequestSession>) -> poem::Result<String> {
    let session = found.session().await.map_err(failed)?;
    session
        .update("visits", |visits: &mut u64| *visits += 1)
        .map_err(failed)?;
    let visits: Option<u64> = session.get("visits").map_err(failed)?;
    let visits = visits.unwrap_or_default();
    Ok(match session.principal() {
        Some(user) => format!("Visit {visits} of {}.", user.as_str()),
        None => format!("Visit {visits} of a stranger."),
    })
}

/// An application looks at a password first.
#[handler]
async fn login(found: Data<&RequestSession>) -> poem::Result<&'static str> {
    let session = found.session().await.map_err(failed)?;
    session.login("ada").map_err(failed)?;
    Ok("Hello Ada.")
}

#[handler]
async fn logout(found: Data<&RequestSession>) -> poem::Result<&'static str> {
    let session = found.session().await.map_err(failed)?;
    session.logout().map_err(failed)?;
    Ok("Goodbye.")
}
