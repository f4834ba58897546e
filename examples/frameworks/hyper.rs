//! Sessions in a bare hyper server: `begin` and `finish`, and nothing between. Any other server goes the same way.

use std::convert::Infallible;
use std::error::Error;

use fasthttpsession::{Cookie, Exchange, HeaderEdit, Session, Sessions, connect};
use fasthttpsession_examples::setting;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let address = setting("LISTEN", "127.0.0.1:8086");
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, sessions.clone()));
    }
}

async fn connection(stream: TcpStream, sessions: Sessions) {
    let answer = service_fn(|request| answer(&sessions, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        eprintln!("{error}");
    }
}

async fn answer(
    sessions: &Sessions,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let exchange = sessions.begin(request.headers(), request.uri().query());
    let response = finished(&exchange, &request).await;
    Ok(response.unwrap_or_else(|error| failed(&error, &exchange)))
}

/// Finishes before the head of the response leaves, for that is where a cookie stands. A handler that failed commits
/// nothing.
async fn finished(
    exchange: &Exchange,
    request: &Request<Incoming>,
) -> Result<Response<String>, fasthttpsession::Error> {
    let mut response = handled(exchange, request).await?;
    for edit in exchange.finish().await? {
        apply(edit, response.headers_mut());
    }
    Ok(response)
}

/// No handler here sets a cookie named like the session's, or a `Cache-Control`, so there is none to be replaced.
fn apply(edit: HeaderEdit, headers: &mut HeaderMap) {
    match edit {
        HeaderEdit::SetCookie { value, .. } => {
            headers.append(SET_COOKIE, checked(&value));
        }
        HeaderEdit::SetHeader { name, value } => {
            let name = HeaderName::try_from(name).expect("names of headers are checked");
            headers.insert(name, checked(&value));
        }
        HeaderEdit::Append { name, value } => {
            headers.append(name, checked(&value));
        }
        HeaderEdit::Default { name, value } => {
            headers.entry(name).or_insert(checked(value));
        }
    }
}

fn checked(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("values of headers are visible ASCII")
}

/// The client gets the status and no detail; and the cookie of what was saved before.
fn failed(error: &fasthttpsession::Error, exchange: &Exchange) -> Response<String> {
    eprintln!("{error}");
    let mut response = Response::default();
    *response.status_mut() =
        StatusCode::from_u16(error.status()).expect("errors have a status of HTTP's");
    response
        .headers_mut()
        .insert(CACHE_CONTROL, checked("no-store"));
    for edit in exchange.abandon() {
        apply(edit, response.headers_mut());
    }
    response
}

async fn handled(
    exchange: &Exchange,
    request: &Request<Incoming>,
) -> Result<Response<String>, fasthttpsession::Error> {
    let text = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => visit(&exchange.session().await?)?,
        (&Method::POST, "/login") => login(&exchange.session().await?)?,
        (&Method::POST, "/logout") => logout(&exchange.session().await?)?,
        _ => return Ok(not_found()),
    };
    Ok(Response::new(text))
}

fn visit(session: &Session) -> Result<String, fasthttpsession::Error> {
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    let visits: u64 = session.get("visits")?.unwrap_or_default();
    Ok(match session.principal() {
        Some(user) => format!("Visit {visits} of {}.", user.as_str()),
        None => format!("Visit {visits} of a stranger."),
    })
}

/// An application looks at a password first.
fn login(session: &Session) -> Result<String, fasthttpsession::Error> {
    session.login("ada")?;
    Ok("Hello Ada.".to_owned())
}

fn logout(session: &Session) -> Result<String, fasthttpsession::Error> {
    session.logout()?;
    Ok("Goodbye.".to_owned())
}

/// Nobody asked for the session, so this costs no store call.
fn not_found() -> Response<String> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
