//! Tokens that travel elsewhere than in the cookie, and wrapped ones.

use fasthttpsession_core::{Keys, SessionsBuilder, TokenCodec, Transport};

use crate::http::script::Step;
use crate::http::script::steps::{get, header, login, set};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, COOKIE, Live, Stage, handle_of};
use crate::store::{Failure, Outcome, ensure};

const HEADER: &str = "x-session";
const PARAMETER: &str = "session";

/// A header carries the session through its whole life, alone, and its removal is an empty value.
pub async fn a_header_carries_the_session<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start_with(on([Transport::header(HEADER)])).await;
    carries(&live, HEADER, "").await
}

/// `Authorization: Bearer` does too.
pub async fn a_bearer_token_carries_the_session<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start_with(on([Transport::bearer()])).await;
    carries(&live, "authorization", "Bearer ").await?;
    let given = live.raw(&[], &[set("a", 1)]).await?;
    let token = token_in(&given, "authorization", "Bearer ")?;
    let bare = live
        .raw(&[("authorization", &token)], &[Step::IsNew])
        .await?;
    ensure!(
        bare.values()?[0] == true,
        "a token without Bearer before it was taken"
    );
    Ok(())
}

async fn carries(live: &Live, name: &str, scheme: &str) -> Outcome {
    let given = live.raw(&[], &[set("a", 1)]).await?;
    ensure!(
        given.head.all("cache-control") == ["no-store"],
        "a response with a token may be cached"
    );
    given.sets_no_cookie("with the header alone")?;
    let token = token_in(&given, name, scheme)?;
    let value = format!("{scheme}{token}");
    let read = live.raw(&[(name, &value)], &[get("a")]).await?;
    ensure!(read.values()?[0] == 1, "the header opens no session");
    ensure!(
        read.head.all(name).is_empty(),
        "a token is sent that did not change"
    );
    let cookie = format!("{COOKIE}={token}");
    let said = live.raw(&[("cookie", &cookie)], &[Step::IsNew]).await?;
    ensure!(
        said.values()?[0] == true,
        "the cookie is looked at, which is off"
    );
    let signed_in = live.raw(&[(name, &value)], &[login("ada")]).await?;
    let fresh = token_in(&signed_in, name, scheme)?;
    ensure!(fresh != token, "the sign-in gave no new token");
    let old = live.raw(&[(name, &value)], &[Step::IsNew]).await?;
    ensure!(
        old.values()?[0] == true,
        "the token before the sign-in lives"
    );
    let value = format!("{scheme}{fresh}");
    let out = live.raw(&[(name, &value)], &[Step::Logout]).await?;
    out.sets_no_cookie("at the logout of a session in a header")?;
    let removal = out.head.all(name);
    ensure!(removal == [""], "the header of a logout is {removal:?}");
    let late = live.raw(&[(name, &value)], &[Step::IsNew]).await?;
    ensure!(late.values()?[0] == true, "the token outlives the logout");
    ensure!(
        late.head.all(name).is_empty(),
        "a token that opens nothing is taken away"
    );
    Ok(())
}

/// A parameter of the URL opens the session as the others do. Such a page is not cached, and tells its address to nobody.
pub async fn a_parameter_of_the_url_carries_the_session<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage
        .start_with(on([Transport::query(PARAMETER), Transport::header(HEADER)]))
        .await;
    let given = live.raw(&[], &[set("a", 1)]).await?;
    let token = token_in(&given, HEADER, "")?;
    let path = format!("/act?page=2&{PARAMETER}={token}&x");
    let read = live.raw_at(&path, &[], &[get("a")]).await?;
    ensure!(read.values()?[0] == 1, "the parameter opens no session");
    for (name, value) in [
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        let found = read.head.all(name);
        ensure!(
            found == [value],
            "with a token in the URL, {name} is {found:?}"
        );
    }
    let own = header("referrer-policy", "no-referrer");
    let kept = live.raw_at(&path, &[], &[own]).await?;
    let found = kept.head.all("referrer-policy");
    ensure!(
        found == ["no-referrer"],
        "beside the handler's Referrer-Policy there is {found:?}"
    );
    let plain = path.replace("/act", "/plain");
    let unasked = live.browser().post(&plain, b"").await?;
    let found = unasked.head.all("referrer-policy");
    ensure!(
        found == ["same-origin"],
        "without asking for the session, Referrer-Policy is {found:?}"
    );
    let rotated = live.raw_at(&path, &[], &[Step::Rotate]).await?;
    rotated.sets_no_cookie("for a session in the URL")?;
    let fresh = token_in(&rotated, HEADER, "")?;
    let old = live.raw_at(&path, &[], &[Step::IsNew]).await?;
    ensure!(
        old.values()?[0] == true,
        "the token before the rotation lives"
    );
    let path = format!("/act?{PARAMETER}={fresh}");
    live.raw_at(&path, &[], &[Step::Logout]).await?.values()?;
    let late = live.raw_at(&path, &[], &[Step::IsNew]).await?;
    ensure!(late.values()?[0] == true, "the token outlives the logout");
    Ok(())
}

/// Who comes with a header gets no cookie, and who comes with a cookie no header; who comes with both gets both.
pub async fn a_session_goes_out_the_way_it_came_in<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage
        .start_with(on([Transport::cookie(), Transport::header(HEADER)]))
        .await;
    let new = live.raw(&[], &[set("a", 1)]).await?;
    let token = token_in(&new, HEADER, "")?;
    ensure!(
        new.cookie()?.value == token,
        "cookie and header of a new session differ"
    );
    let by_header = live.raw(&[(HEADER, &token)], &[Step::Rotate]).await?;
    by_header.sets_no_cookie("for a session that came in a header")?;
    let token = token_in(&by_header, HEADER, "")?;
    let cookie = format!("{COOKIE}={token}");
    let by_cookie = live.raw(&[("cookie", &cookie)], &[Step::Rotate]).await?;
    ensure!(
        by_cookie.head.all(HEADER).is_empty(),
        "the token of a cookie stands in a header"
    );
    let token = by_cookie.cookie()?.value;
    let cookie = format!("{COOKIE}={token}");
    let both = [("cookie", cookie.as_str()), (HEADER, token.as_str())];
    let removed = live.raw(&both, &[Step::Logout]).await?;
    ensure!(
        removed.cookie()?.max_age() == Some(0) && removed.head.all(HEADER) == [""],
        "a logout leaves the cookie or the header behind"
    );
    Ok(())
}

/// A handler's own header of that name gives way, as its cookie would.
pub async fn a_header_of_the_same_name_is_replaced<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start_with(on([Transport::header(HEADER)])).await;
    let script = [
        header(HEADER, "mine"),
        header(HEADER, "mine too"),
        set("a", 1),
    ];
    let given = live.raw(&[], &script).await?;
    let token = token_in(&given, HEADER, "")?;
    handle_of(&token)?;
    Ok(())
}

/// Each header that was looked at is in `Vary`, beside what the handler varies by.
pub async fn a_response_varies_by_each_transport_that_is_on<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let cases = [
        (vec![Transport::header(HEADER)], "accept, x-session"),
        (
            vec![Transport::cookie(), Transport::bearer()],
            "accept, cookie, authorization",
        ),
        (vec![Transport::query(PARAMETER)], "accept"),
    ];
    for (transports, expected) in cases {
        let live = stage.start_with(on(transports)).await;
        let answer = live
            .raw(&[], &[header("vary", "accept"), Step::IsNew])
            .await?;
        let found = answer.head.all("vary").join(", ").to_ascii_lowercase();
        ensure!(
            found == expected,
            "Vary is {found:?} in place of {expected:?}"
        );
    }
    Ok(())
}

/// What is no token, or opens nothing, hides no good one that came elsewhere.
pub async fn what_opens_nothing_hides_nothing_elsewhere<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let all = [
        Transport::query(PARAMETER),
        Transport::cookie(),
        Transport::header(HEADER),
    ];
    let live = stage.start_with(on(all)).await;
    let given = live.raw(&[], &[set("a", 1)]).await?;
    let good = token_in(&given, HEADER, "")?;
    let unknown = format!("{}.{}", "A".repeat(22), "A".repeat(22));
    for bad in ["", "%%%", "no.token", &unknown] {
        for place in 0..3 {
            let at = |number| if number == place { &good } else { bad };
            let path = format!("/act?{PARAMETER}={}", at(0));
            let cookie = format!("{COOKIE}={}", at(1));
            let headers = [("cookie", cookie.as_str()), (HEADER, at(2))];
            let said = live.raw_at(&path, &headers, &[get("a")]).await?.values()?;
            ensure!(said[0] == 1, "{bad:?} hides the token in place {place}");
        }
    }
    Ok(())
}

/// A signed or encrypted token works as any other; a changed one is a visitor's, and costs no look-up.
pub async fn a_forged_token_never_reaches_the_store<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let key = "k:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let keys = Keys::parse(key).map_err(|error| Failure::new(error.to_string()))?;
    for codec in [TokenCodec::signed(&keys), TokenCodec::encrypted(&keys)] {
        let live = stage.start_with(|builder| builder.token_codec(codec)).await;
        let ada = live.browser();
        ada.does(&[login("ada"), set("a", 1)]).await?;
        let said = ada.does(&[get("a"), Step::Principal]).await?;
        ensure!(
            said[0] == 1 && said[1] == "ada",
            "a wrapped token opens nothing"
        );
        let token = ada.token()?;
        live.store.calls();
        let last = if token.ends_with('A') { 'Q' } else { 'A' };
        let swapped = token.replacen(|c: char| c.is_ascii_lowercase(), "0", 1);
        for forged in [
            format!("{}{last}", &token[..token.len() - 1]),
            swapped,
            token[..token.len() - 4].to_owned(),
        ] {
            let answer = live.browser_with(&forged).act(&[Step::IsNew]).await?;
            ensure!(
                answer.values()?[0] == true,
                "a forged token opened a session"
            );
            answer.sets_no_cookie("for a forged token")?;
        }
        let calls = live.store.calls();
        ensure!(
            calls.load == 0,
            "forged tokens cost {} look-ups",
            calls.load
        );
    }
    Ok(())
}

fn on(
    transports: impl IntoIterator<Item = Transport>,
) -> impl FnOnce(SessionsBuilder) -> SessionsBuilder {
    |builder| builder.transports(transports)
}

/// The token in the only header of that name.
fn token_in(answer: &Answer, name: &str, scheme: &str) -> Result<String, Failure> {
    let values = answer.head.all(name);
    let token = match values[..] {
        [value] => value.strip_prefix(scheme).filter(|token| !token.is_empty()),
        _ => None,
    };
    token.map(str::to_owned).ok_or_else(|| {
        Failure::new(format!(
            "{} headers called {name:?} in place of one with a token",
            values.len()
        ))
    })
}
