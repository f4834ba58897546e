//! Tokens that clients present, good and bad.

use std::time::Duration;

use fasthttpsession_core::Store as _;

use crate::http::script::Step;
use crate::http::script::steps::{get, set};
use crate::http::site::Adapter;
use crate::http::stage::{COOKIE, Live, Stage, halves, handle_of};
use crate::store::{Failure, Outcome, ensure};

/// Loads that [`is_not_adopted`] makes to see that the fresh session is there.
const OF_THE_FRESH_SESSION: u32 = 1;

/// A token whose session was ended is unknown: a write makes a fresh session under another handle.
pub async fn an_unknown_token_is_never_adopted<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let token = ended_token(&live).await?;
    is_not_adopted(&live, &token).await
}

/// Nor is anything else that stands in the cookie, of whatever length; no store is asked about it, and nobody hides a
/// good cookie behind it.
pub async fn what_is_no_token_is_passed_over<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    let (handle, secret) = halves(&token)?;
    let long = format!("{token}{}", "A".repeat(8000));
    let mut malformed = vec![
        String::new(),
        ".".into(),
        "\"\"".into(),
        "../../etc/passwd".into(),
        long,
    ];
    malformed.extend([
        handle.to_owned(),
        format!("{handle}."),
        format!("{handle}.{}", &secret[..21]),
    ]);
    malformed.extend([
        format!("{handle}{secret}"),
        format!(".{secret}"),
        format!("\"{token}\""),
        token.replace('.', "%2e"),
    ]);
    for value in malformed {
        live.store.calls();
        is_not_adopted(&live, &value).await?;
        let calls = live.store.calls();
        ensure!(
            calls.load == OF_THE_FRESH_SESSION,
            "the store was asked about {} bytes that are no token",
            value.len()
        );
        let both = format!("{COOKIE}={value}; {COOKIE}={token}");
        let said = live
            .raw(&[("cookie", &both)], &[get("a")])
            .await?
            .values()?;
        ensure!(
            said[0] == 1,
            "{} bytes that are no token hide a good cookie",
            value.len()
        );
    }
    Ok(())
}

/// The token of an expired session, purged or not.
pub async fn an_expired_token_is_never_adopted<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    live.passes(Duration::from_secs(60 * 60));
    is_not_adopted(&live, &token).await
}

/// A handle may be known to anybody; without its secret it opens nothing, and changes nothing for its owner.
pub async fn a_wrong_secret_opens_nothing<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let (ada, bob) = (live.browser(), live.browser());
    ada.does(&[set("a", 1)]).await?;
    bob.does(&[set("b", 1)]).await?;
    let (of_ada, of_bob) = (ada.token()?, bob.token()?);
    let guessed = format!("{}.{}", halves(&of_ada)?.0, halves(&of_bob)?.1);
    is_not_adopted(&live, &guessed).await?;
    live.browser_with(&guessed).does(&[Step::Logout]).await?;
    ensure!(
        ada.does(&[get("a")]).await?[0] == 1,
        "a guessed secret ended the session"
    );
    Ok(())
}

/// A name that only decodes, trims or folds to the cookie's could have been set from where the prefix forbids it
/// (CVE-2020-7070, CVE-2022-31629).
pub async fn a_mangled_cookie_name_does_not_count<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    for name in [
        "%5F_Host-id",
        "__Host%2Did",
        "__host-id",
        "..Host-id",
        "__Host-id ",
        "\"__Host-id\"",
        "x__Host-id",
        "__Host-idx",
        "id",
    ] {
        let said = live
            .raw(&[("cookie", &format!("{name}={token}"))], &[Step::IsNew])
            .await?
            .values()?;
        ensure!(
            said[0] == true,
            "a cookie called {name:?} opened the session"
        );
    }
    Ok(())
}

/// A cookie that opens nothing, planted from a sibling domain say, does not hide the one that does; in one header or
/// in several. Nor does one of the application's that is no ASCII: browsers send what a script has set.
pub async fn each_of_several_cookies_is_tried<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let bad = ended_token(&live).await?;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    live.store.calls();
    let (bad, good) = (format!("{COOKIE}={bad}"), format!("{COOKIE}={token}"));
    for headers in [
        vec![("cookie", format!("theme=dark; {bad}; {good}"))],
        vec![("cookie", format!("{good};{bad}"))],
        vec![("cookie", format!("theme=d\u{e9}; {good}"))],
        vec![("cookie", "theme=d\u{e9}".into()), ("cookie", good.clone())],
        vec![("cookie", bad.clone()), ("cookie", good.clone())],
        vec![
            ("Cookie", bad.clone()),
            ("cookie", format!("{bad}; {bad}; {good}")),
        ],
    ] {
        let lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = live.raw(&lines, &[get("a")]).await?;
        ensure!(
            answer.values()?[0] == 1,
            "the good cookie was not found in {} headers",
            headers.len()
        );
    }
    Ok(())
}

/// At most four cookies of the name cost a look-up each.
pub async fn no_more_than_four_cookies_are_tried<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let bad = format!("{COOKIE}={}", ended_token(&live).await?);
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let good = format!("{COOKIE}={}", ada.token()?);
    live.store.calls();
    let four_before = format!("{bad}; {bad}; {bad}; {bad}; {good}");
    let said = live
        .raw(&[("cookie", &four_before)], &[Step::IsNew])
        .await?
        .values()?;
    let calls = live.store.calls();
    ensure!(calls.load == 4, "five cookies cost {} look-ups", calls.load);
    ensure!(said[0] == true, "the fifth cookie was tried");
    let lines: Vec<_> = [bad.as_str(); 20].map(|line| ("cookie", line)).to_vec();
    live.raw(&lines, &[Step::IsNew]).await?.values()?;
    let calls = live.store.calls();
    ensure!(
        calls.load == 4,
        "twenty headers cost {} look-ups",
        calls.load
    );
    Ok(())
}

/// Not in `Debug` of anything a handler holds, and not in the record.
pub async fn a_secret_is_never_printed_or_stored<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.does(&[set("a", "value")]).await?;
    let token = ada.token()?;
    let (handle, secret) = halves(&token)?;
    let shown = ada.does(&[Step::Debug, Step::Rotate, Step::Debug]).await?;
    let renewed = ada.token()?;
    let record = live
        .store
        .inner()
        .load(handle_of(&token)?, live.now())
        .await?;
    let body = record
        .as_ref()
        .map(|record| String::from_utf8_lossy(&record.body).into_owned());
    let exchange = live
        .site
        .users()
        .begin([("cookie", format!("{COOKIE}={renewed}"))], None);
    let printed = format!(
        "{shown:?} {body:?} {record:?} {exchange:?} {:?}",
        live.site.users()
    );
    for secret in [secret, halves(&renewed)?.1] {
        ensure!(!printed.contains(secret), "a secret was printed");
    }
    ensure!(
        printed.contains(handle),
        "the handle may be printed, and is not"
    );
    Ok(())
}

/// A token that opened a session which was then ended.
async fn ended_token(live: &Live) -> Result<String, Failure> {
    let browser = live.browser();
    browser.does(&[set("old", 1)]).await?;
    let token = browser.token()?;
    browser.does(&[Step::Logout]).await?;
    Ok(token)
}

/// That `value` opens nothing, that no cookie is set or cleared for it, and that a write makes another session.
async fn is_not_adopted(live: &Live, value: &str) -> Outcome {
    let cookie = format!("{COOKIE}={value}");
    let answer = live
        .raw(
            &[("cookie", &cookie)],
            &[Step::IsNew, Step::Handle, Step::Keys],
        )
        .await?;
    ensure!(
        answer.values()?[0] == true,
        "a token that opens nothing was taken for a session"
    );
    answer.sets_no_cookie("for a token that opens nothing")?;
    let fresh = live
        .raw(&[("cookie", &cookie)], &[set("mine", 1)])
        .await?
        .cookie()?
        .value;
    ensure!(
        !value.starts_with(halves(&fresh)?.0),
        "the handle that the client named was adopted"
    );
    ensure!(
        live.opens(&fresh).await?,
        "the fresh session can't be opened"
    );
    Ok(())
}
