//! What the programs share: their settings, and those for the stores the routes of fasthttpsession's example in Go with
//! the server around them.

mod routes;

use std::error::Error;

use fasthttpsession::{Cookie, Sessions, Store};
use tokio::net::TcpListener;

/// Serves the routes with sessions in `store`, at `LISTEN` (`127.0.0.1:8086` if it is not set; port 0 takes a free
/// one), and prints where. Does not come back.
///
/// # Errors
/// The address is not one, or is taken.
pub async fn serve(store: impl Store) -> Result<(), Box<dyn Error>> {
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:8086")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, routes::router(sessions)).await?)
}

/// The environment variable `name`, or `default` if it is not set.
pub fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
