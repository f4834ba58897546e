//! Sessions in salvo: the layer for tower, and the session from the request's extensions. Cookies of your own go into the
//! header `Set-Cookie`, for `compat` drops what handlers under it put into salvo's jar (`Response::add_cookie`).

use std::error::Error;

use fasthttpsession::tower::{RequestSession, SessionFailed, SessionLayer};
use fasthttpsession::{Cookie, Session, Sessions, connect};
use fasthttpsession_examples::setting;
use salvo::conn::{Listener, TcpListener};
use salvo::http::ResBody;
use salvo::prelude::TowerLayerCompat;
use salvo::{Request, Response, Router, Scribe, Server, handler};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let router = Router::new()
        .hoop(SessionLayer::new(sessions).compat())
        .get(visit)
        .push(Router::with_path("login").post(login))
        .push(Router::with_path("logout").post(logout));
    let address = setting("LISTEN", "127.0.0.1:8086");
    let acceptor = TcpListener::new(address).try_bind().await?;
    println!("http://{}", acceptor.local_addr()?);
    Server::new(acceptor).serve(router).await;
    Ok(())
}

async fn session(request: &Request) -> Result<Session, Failed> {
    let found = request.extensions().get::<RequestSession>();
    Ok(found.ok_or_else(SessionFailed::no_layer)?.session().await?)
}

/// What a handler returns that failed for an error of its session. The layer sees it pass, and commits nothing.
struct Failed(SessionFailed);

impl From<SessionFailed> for Failed {
    fn from(failed: SessionFailed) -> Self {
        Self(failed)
    }
}

impl From<fasthttpsession::Error> for Failed {
    fn from(error: fasthttpsession::Error) -> Self {
        Self(error.into())
    }
}

impl Scribe for Failed {
    fn render(self, response: &mut Response) {
        response.merge_hyper(self.0.response::<ResBody>());
    }
}

#[handler]
async fn visit(request: &mut Request) -> Result<String, Failed> {
    let session = session(request).await?;
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    let visits: u64 = session.get("visits")?.unwrap_or_default();
    Ok(match session.principal() {
        Some(user) => format!("Visit {visits} of {}.", user.as_str()),
        None => format!("Visit {visits} of a stranger."),
    })
}

/// An application looks at a password first.
#[handler]
async fn login(request: &mut Request) -> Result<&'static str, Failed> {
    session(request).await?.login("ada")?;
    Ok("Hello Ada.")
}

#[handler]
async fn logout(request: &mut Request) -> Result<&'static str, Failed> {
    session(request).await?.logout()?;
    Ok("Goodbye.")
}
