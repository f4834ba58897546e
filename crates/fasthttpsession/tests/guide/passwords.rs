//! A changed password.

use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{Exchange, HeaderEdit, Session, Sessions};

#[allow(
    unreachable_pub,
    reason = "it is written as a program of its own would have it"
)]
#[path = "../../guide/passwords.rs"]
mod program;

use program::{User, after_change, is_current};

fn ada(password_hash: &str) -> User {
    User {
        name: "ada".to_owned(),
        password_hash: password_hash.to_owned(),
    }
}

/// One that has signed in: its cookie.
struct Browser(String);

impl Browser {
    async fn signed_in(sessions: &Sessions, user: &User) -> Self {
        let exchange = sessions.begin([("", "")], None);
        let session = exchange.session().await.unwrap();
        session.login(&user.name).unwrap();
        session.set_credential_stamp(&user.password_hash).unwrap();
        let edits = exchange.finish().await.unwrap();
        let cookie = edits.iter().find_map(|edit| match edit {
            HeaderEdit::SetCookie { value, .. } => value.split(';').next(),
            _ => None,
        });
        Self(cookie.unwrap().to_owned())
    }

    async fn begins(&self, sessions: &Sessions) -> (Exchange, Session) {
        let exchange = sessions.begin([("cookie", &self.0)], None);
        let session = exchange.session().await.unwrap();
        (exchange, session)
    }

    async fn is_current(&self, sessions: &Sessions, user: &User) -> bool {
        let (exchange, session) = self.begins(sessions).await;
        let current = is_current(&session, user);
        exchange.finish().await.unwrap();
        current
    }
}

#[tokio::test]
async fn who_changes_the_password_stays_signed_in_whatever_else_the_browser_asks_meanwhile() {
    let sessions = Sessions::new(MemoryStore::new());
    let users = sessions.users().unwrap();
    let (old, new) = (ada("old"), ada("new"));
    let here = Browser::signed_in(&sessions, &old).await;
    let elsewhere = Browser::signed_in(&sessions, &old).await;

    let (changing, session) = here.begins(&sessions).await;
    // The new hash is stored from here on.
    assert!(!here.is_current(&sessions, &new).await);
    let (slow, seen_by_slow) = here.begins(&sessions).await;
    assert!(!is_current(&seen_by_slow, &new));
    after_change(&session, &new, &users).await.unwrap();
    assert!(here.is_current(&sessions, &new).await);
    slow.finish().await.unwrap();
    changing.finish().await.unwrap();

    assert!(here.is_current(&sessions, &new).await);
    assert!(!elsewhere.is_current(&sessions, &new).await);
    assert_eq!(users.sessions_of("ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sign_in_under_the_old_password_that_ends_after_the_change_is_refused() {
    let sessions = Sessions::new(MemoryStore::new());
    let users = sessions.users().unwrap();
    let (old, new) = (ada("old"), ada("new"));
    let here = Browser::signed_in(&sessions, &old).await;
    let (changing, session) = here.begins(&sessions).await;
    after_change(&session, &new, &users).await.unwrap();
    changing.finish().await.unwrap();
    let late = Browser::signed_in(&sessions, &old).await;
    assert!(!late.is_current(&sessions, &new).await);
    assert!(here.is_current(&sessions, &new).await);
}

/// Somebody has stolen the token, say, and makes the secret another one.
#[tokio::test]
async fn a_change_that_another_secret_overtakes_ends_all_sessions() {
    let sessions = Sessions::new(MemoryStore::new());
    let users = sessions.users().unwrap();
    let (old, new) = (ada("old"), ada("new"));
    let here = Browser::signed_in(&sessions, &old).await;
    let (_changing, session) = here.begins(&sessions).await;
    let (stealing, stolen) = here.begins(&sessions).await;
    stolen.rotate().unwrap();
    stealing.finish().await.unwrap();
    after_change(&session, &new, &users).await.unwrap();
    assert!(users.sessions_of("ada").await.unwrap().is_empty());
}
