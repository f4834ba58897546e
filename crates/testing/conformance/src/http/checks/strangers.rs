//! Nobody gets what is another's, whatever their requests share: a connection, a thread, a moment.

use std::collections::BTreeSet;

use serde_json::json;

use crate::http::script::Step;
use crate::http::script::steps::{get, set, wait};
use crate::http::site::Adapter;
use crate::http::stage::{Browser, Live, Stage, halves, json as bytes};
use crate::http::watched::Calls;
use crate::store::{Failure, Outcome, ensure};

const MANY: usize = 16;

/// A proxy sends the requests of many on one connection. Each is whom its own cookie says, and nobody without one.
pub async fn requests_of_one_connection_are_strangers<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let (ada, bob, nobody) = (live.browser(), live.browser(), live.browser());
    ada.does(&[set("who", "ada")]).await?;
    bob.does(&[set("who", "bob")]).await?;
    let shared = &mut live.connection().await?;
    for (browser, who) in [
        (&ada, json!("ada")),
        (&nobody, json!(null)),
        (&bob, json!("bob")),
        (&ada, json!("ada")),
    ] {
        let script = bytes(&[get("who"), Step::Rotate]);
        let answer = browser.requests_on(shared, "POST", "/act", &script).await?;
        let said = &answer.said()?[0];
        ensure!(
            said.as_ref() == Ok(&who),
            "amid the requests of others, the one of {who} was told {said:?}"
        );
        let cookies = answer.cookies().len();
        ensure!(
            (cookies == 0) == who.is_null(),
            "amid the requests of others, the one of {who} was sent {cookies} cookies"
        );
    }
    live.store.calls();
    let plain = nobody.requests_on(shared, "POST", "/plain", b"").await?;
    plain.sets_no_cookie("behind the requests of others")?;
    ensure!(
        plain.head.all("vary").is_empty() && live.store.calls() == Calls::default(),
        "behind the requests of others, a route that does not ask has a session"
    );
    let script = bytes(&[set("who", "new")]);
    nobody.requests_on(shared, "POST", "/act", &script).await?;
    let tokens = [ada.token()?, bob.token()?, nobody.token()?];
    ensure!(
        handles(&tokens)?.len() == tokens.len(),
        "a visitor was given the session of another"
    );
    Ok(())
}

/// 16 users whose handlers run at once: each reads its own before and after the others have come, and writes its own.
/// 16 visitors who write at once for the first time: each is given a session of its own.
pub async fn users_at_once_keep_to_themselves<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let users: Vec<_> = (0..MANY).map(|_| live.browser()).collect();
    for (number, user) in users.iter().enumerate() {
        user.does(&[set("who", number)]).await?;
    }
    let scripts = users.iter().cloned().enumerate().map(|(number, user)| {
        let script = [get("who"), wait("start"), get("who"), set("own", number)];
        (user, script.to_vec())
    });
    let answers = live.at_once(scripts).await?;
    for (number, answer) in answers.iter().enumerate() {
        let said = answer.values()?;
        ensure!(
            said[0] == number && said[2] == number,
            "amid others, user {number} read {} and then {}",
            said[0],
            said[2]
        );
        answer.sets_no_cookie("after writing amid others")?;
    }
    for (number, user) in users.iter().enumerate() {
        let said = user.does(&[get("who"), get("own")]).await?;
        ensure!(
            said == [number, number],
            "user {number} wrote its number amid others, and finds {said:?}"
        );
    }
    first_writes_at_once(&stage.start().await).await
}

async fn first_writes_at_once(live: &Live) -> Outcome {
    let visitors: Vec<_> = (0..MANY).map(|_| live.browser()).collect();
    let scripts = visitors.iter().cloned().enumerate();
    let scripts =
        scripts.map(|(number, visitor)| (visitor, vec![set("who", number), wait("start")]));
    for answer in live.at_once(scripts).await? {
        answer.cookie()?;
    }
    let tokens: Result<Vec<_>, _> = visitors.iter().map(Browser::token).collect();
    let sessions = handles(&tokens?)?.len();
    ensure!(
        sessions == MANY,
        "{MANY} visitors who wrote at once have {sessions} sessions"
    );
    for (number, visitor) in visitors.iter().enumerate() {
        let found = &visitor.does(&[get("who")]).await?[0];
        ensure!(
            *found == number,
            "the cookie that visitor {number} was given opens the session of {found}"
        );
    }
    Ok(())
}

fn handles(tokens: &[String]) -> Result<BTreeSet<&str>, Failure> {
    let handles = tokens.iter().map(|token| halves(token));
    handles.map(|halves| Ok(halves?.0)).collect()
}
