use fasthttpsession::{Error, Outcome, Session, Users};

pub struct User {
    pub name: String,
    pub password_hash: String,
}

/// Where the application loads the session's user: who is not current is answered as one who is not signed in.
pub fn is_current(session: &Session, user: &User) -> bool {
    session.has_credential_stamp(&user.password_hash)
}

/// Once the new hash is stored. `user` has it.
pub async fn after_change(session: &Session, user: &User, users: &Users) -> Result<(), Error> {
    session.set_credential_stamp(&user.password_hash)?;
    let outcome = session.save().await?;
    match session.handle() {
        Some(this) if outcome == Outcome::Committed => users.end_others(&user.name, this).await?,
        // Another request has changed the secret meanwhile, or signed out: who did that may be anybody.
        _ => users.end_all(&user.name).await?,
    };
    Ok(())
}
