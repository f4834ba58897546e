//! Sessions in axum: a layer, and the session as an argument of handlers.

use std::error::Error;

use axum::Router;
use axum::routing::{get, post};
use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
use fasthttpsession::{Cookie, Sessions, connect};
use fasthttpsession_examples::setting;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let app = Router::new()
        .route("/", get(visit))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions));
    let address = setting("LISTEN", "127.0.0.1:8086");
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn visit(session: Session) -> Result<String, SessionFailed> {
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    let visits: u64 = session.get("visits")?.unwrap_or_default();
    Ok(match session.principal() {
        Some(user) => format!("Visit {visits} of {}.", user.as_str()),
        None => format!("Visit {visits} of a stranger."),
    })
}

/// An application looks at a password first.
async fn login(session: Session) -> Result<&'static str, SessionFailed> {
    session.login("ada")?;
    Ok("Hello Ada.")
}

async fn logout(session: Session) -> Result<&'static str, SessionFailed> {
    session.logout()?;
    Ok("Goodbye.")
}
