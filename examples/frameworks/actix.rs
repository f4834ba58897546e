//! Sessions in actix-web: a middleware, and the session as an argument of handlers.

use std::error::Error;

use actix_web::{App, HttpServer, web};
use fasthttpsession::actix::{Session, SessionFailed, SessionMiddleware};
use fasthttpsession::{Cookie, Sessions, connect};
use fasthttpsession_examples::setting;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let app = move || {
        App::new()
            .wrap(SessionMiddleware::new(sessions.clone()))
            .route("/", web::get().to(visit))
            .route("/login", web::post().to(login))
            .route("/logout", web::post().to(logout))
    };
    let address = setting("LISTEN", "127.0.0.1:8086");
    let server = HttpServer::new(app).bind(address)?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
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
