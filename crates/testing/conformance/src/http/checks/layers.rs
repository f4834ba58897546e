//! Several layers around one handler.

use serde_json::json;

use crate::http::script::Step;
use crate::http::script::steps::{get, login, set};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, COOKIE, Stage, json as bytes};
use crate::http::watched::{Calls, Operation};
use crate::store::{Outcome, ensure};

const ADMIN: &str = "__Host-admin";

/// Users and admins in one request: each has its record, its cookie, and its end.
pub async fn two_layers_are_independent<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    let answer = ada
        .post(
            "/two",
            &bytes(&[[set("who", "user")], [set("who", "admin")]]),
        )
        .await?;
    ensure!(
        names(&answer) == [ADMIN, COOKIE],
        "two first writes set the cookies {:?}",
        names(&answer)
    );
    let answer = ada
        .post("/two", &bytes(&[[get("who")], [get("who")]]))
        .await?;
    ensure!(
        answer.values()? == [json!("admin")],
        "the admin's session says {:?}",
        answer.values()?
    );
    ensure!(
        ada.does(&[get("who")]).await? == [json!("user")],
        "the user's session is another one"
    );
    let answer = ada
        .post("/two", &bytes(&[vec![], vec![login("root")]]))
        .await?;
    ensure!(
        names(&answer) == [ADMIN],
        "the admin's sign-in sets the cookies {:?}",
        names(&answer)
    );
    let answer = ada
        .post("/two", &bytes(&[vec![Step::Logout], vec![Step::Principal]]))
        .await?;
    ensure!(
        answer.values()? == [json!("root")],
        "the admin's session belongs to {:?}",
        answer.values()?
    );
    ensure!(ada.cookie(COOKIE).is_none(), "the user is not signed out");
    ensure!(
        ada.cookie(ADMIN).is_some(),
        "the user's logout took the admin with it"
    );
    Ok(())
}

/// One can't make its record, the other has replaced its secret: the new one gets to the browser with the error, be it
/// the user's or the admin's.
pub async fn an_error_of_one_layer_does_not_undo_the_other<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let (ada, bob) = (live.browser(), live.browser());
    ada.does(&[set("who", "user")]).await?;
    bob.post("/two", &bytes(&[vec![], vec![set("who", "admin")]]))
        .await?;
    live.store.breaks(Operation::Create);
    let [write, rotate] = [vec![set("a", 1)], vec![Step::Rotate]];
    let answer = ada.post("/two", &bytes(&[&rotate, &write])).await?;
    is_error_with(&answer, COOKIE)?;
    let answer = bob.post("/two", &bytes(&[&write, &rotate])).await?;
    is_error_with(&answer, ADMIN)?;
    live.store.heals();
    ensure!(
        ada.does(&[get("who")]).await? == [json!("user")],
        "the user's session was lost with the admin's error"
    );
    let answer = bob
        .post("/two", &bytes(&[vec![], vec![get("who")]]))
        .await?;
    ensure!(
        answer.values()? == [json!("admin")],
        "the admin's session was lost with the user's error"
    );
    Ok(())
}

fn is_error_with(answer: &Answer, cookie: &str) -> Outcome {
    ensure!(
        answer.status() == 503,
        "the answer has status {} in place of 503",
        answer.status()
    );
    ensure!(
        names(answer) == [cookie],
        "beside the error of the other, the cookies {:?} are set",
        names(answer)
    );
    Ok(())
}

/// Applied to a router and to one nested in it, say: one exchange, one load, one commit, one cookie.
pub async fn the_same_layer_twice_acts_once<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.post("/twice", &bytes(&[set("a", 1)])).await?.cookie()?;
    ensure!(
        live.store.calls()
            == Calls {
                create: 1,
                ..Calls::default()
            },
        "a first write was made twice"
    );
    let answer = ada
        .post("/twice", &bytes(&[get("a"), set("b", 2), Step::Rotate]))
        .await?;
    ensure!(answer.values()?[0] == 1, "the session is another one");
    answer.cookie()?;
    let calls = live.store.calls();
    ensure!(
        calls
            == Calls {
                load: 1,
                replace: 1,
                ..Calls::default()
            },
        "reading and writing cost {calls:?}"
    );
    ensure!(
        ada.does(&[get("b")]).await?[0] == 2,
        "what was written is not there"
    );
    Ok(())
}

/// No cookie, no header, no call, also for those who have a session.
pub async fn a_route_beside_the_layer_has_nothing<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    live.store.calls();
    let answer = ada.post("/unlayered", b"").await?;
    ensure!(
        answer.status() == 200 && answer.body == b"plain",
        "the answer is {}",
        answer.status()
    );
    for name in ["set-cookie", "vary", "cache-control"] {
        ensure!(
            answer.head.all(name).is_empty(),
            "the response has the header {name}"
        );
    }
    ensure!(
        live.store.calls() == Calls::default(),
        "the store was asked"
    );
    Ok(())
}

fn names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<_> = answer
        .cookies()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    names.sort();
    names
}
