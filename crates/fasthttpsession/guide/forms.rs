use axum::extract::Form;
use axum::http::request::Parts;
use axum::response::{Html, Redirect};
use axum::{Router, routing::get};
use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
use fasthttpsession::{Sessions, connect};
use serde::Deserialize;

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::new(connect("memory:").await?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8086").await?;
    Ok(axum::serve(listener, app(sessions)).await?)
}

pub fn app(sessions: Sessions) -> Router {
    Router::new()
        .route("/login", get(form).post(sign_in))
        .layer(SessionLayer::new(sessions))
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    csrf: String,
}

async fn form(session: Session) -> Result<Html<String>, SessionFailed> {
    // What the last request left, shown once: of two pages that load at once, one gets it.
    let flash: Option<String> = session.transact(|values| values.take("flash")).await?;
    let flash = flash.unwrap_or_default();
    // A visitor without a record has no token, and needs none: the field stays empty.
    let token = session.csrf_token()?.unwrap_or_default();
    Ok(Html(format!(
        r#"<p>{flash}</p>
<form method="post">
<input type="hidden" name="csrf" value="{token}">
<input name="name"> <input name="password" type="password"> <button>Sign in</button>
</form>"#
    )))
}

async fn sign_in(
    session: Session,
    request: Parts,
    Form(form): Form<SignIn>,
) -> Result<Redirect, SessionFailed> {
    session.check_csrf(&request, Some(&form.csrf))?; // Or the answer is 403.
    if is_right(&form) {
        session.login(&form.name)?;
        session.set("flash", "You are signed in.")?;
    } else {
        session.set("flash", "That was not right.")?;
    }
    Ok(Redirect::to("/login"))
}

/// Here is where your users are looked up.
fn is_right(form: &SignIn) -> bool {
    form.name == "ada" && form.password == "secret"
}
