//! What responses say about cookies, and about caching.

use std::time::Duration;

use fasthttpsession_core::{Cookie, Lifetimes};

use crate::http::script::Step;
use crate::http::script::steps::{get, header, login, set};
use crate::http::site::Adapter;
use crate::http::stage::{Answer, COOKIE, Stage};
use crate::store::{Outcome, ensure};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// `__Host-` prefix, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, no `Domain`, until the browser closes (ASVS
/// 3.3.1 to 3.3.4), and within the 4096 bytes that browsers take.
pub async fn the_cookie_is_as_strict_as_browsers_allow<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let cookie = live.browser().act(&[set("a", 1)]).await?.cookie()?;
    let mut attributes = cookie.attributes.clone();
    attributes.sort();
    let expected = [
        ("httponly", ""),
        ("path", "/"),
        ("samesite", "Lax"),
        ("secure", ""),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ensure!(
        cookie.name == COOKIE,
        "the cookie is called {}",
        cookie.name
    );
    ensure!(
        attributes == expected,
        "the cookie's attributes are {attributes:?}"
    );
    ensure!(
        cookie.name.len() + cookie.value.len() <= 4096,
        "no browser takes a cookie of that length"
    );
    Ok(())
}

/// A session that is read, written, or read by somebody else's token sends no cookie; one that is created, rotated or
/// destroyed does.
pub async fn a_cookie_is_sent_only_when_it_changes<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    ada.act(&[set("a", 1)]).await?.cookie()?;
    ada.act(&[get("a")])
        .await?
        .sets_no_cookie("after reading")?;
    ada.act(&[set("a", 2)])
        .await?
        .sets_no_cookie("after writing")?;
    ada.act(&[Step::Clear])
        .await?
        .sets_no_cookie("after clearing")?;
    for step in [
        Step::Rotate,
        login("ada"),
        Step::Reauthenticated,
        Step::Logout,
    ] {
        let cookies = ada.act(std::slice::from_ref(&step)).await?.cookies();
        ensure!(
            cookies.len() == 1,
            "{step:?} sets {} cookies in place of one",
            cookies.len()
        );
    }
    ada.act(&[Step::Logout])
        .await?
        .sets_no_cookie("after a logout without a session")
}

/// `Max-Age=0` with the same name, prefix, `Path`, `Domain` and `Secure`, so that the browser finds what it is to remove.
pub async fn a_removal_has_the_attributes_of_what_it_removes<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let host = Cookie::default();
    let shared = Cookie::new("id")
        .domain("site.test")
        .path("/app")
        .persistent();
    for cookie in [host, shared, Cookie::insecure("id")] {
        let live = stage.start_with(|builder| builder.cookie(cookie)).await;
        let ada = live.browser();
        let given = ada.act(&[set("a", 1)]).await?.cookie()?;
        let removed = ada.act(&[Step::Logout]).await?.cookie()?;
        ensure!(
            removed.max_age() == Some(0),
            "the removal has Max-Age {:?}",
            removed.max_age()
        );
        ensure!(removed.value.is_empty(), "the removal has a value");
        for attribute in ["path", "domain", "secure", "httponly", "samesite"] {
            let (before, after) = (given.attribute(attribute), removed.attribute(attribute));
            ensure!(
                before == after,
                "the cookie's {attribute} is {before:?}, and that of its removal {after:?}"
            );
        }
        ensure!(
            ada.cookie(&given.name).is_none(),
            "the browser kept {} after the logout",
            given.name
        );
    }
    Ok(())
}

/// A persistent cookie and the session end together.
pub async fn a_persistent_cookie_lasts_as_long_as_the_session<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage
        .start_with(|builder| builder.cookie(Cookie::default().persistent()))
        .await;
    let ada = live.browser();
    let max_age = ada.act(&[set("a", 1)]).await?.cookie()?.max_age();
    ensure!(
        max_age == Some(3600),
        "with an hour of idle time, Max-Age is {max_age:?}"
    );
    let max_age = ada
        .act(&[login("ada"), Step::Remember(30)])
        .await?
        .cookie()?
        .max_age();
    ensure!(
        max_age == Some(30 * 24 * 3600),
        "remembered for 30 days, Max-Age is {max_age:?}"
    );
    Ok(())
}

/// Some users are remembered and others are not, whatever they were before.
pub async fn who_is_remembered_has_a_cookie_that_outlives_the_browser<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    let sign_ins = [
        ([login("ada"), get("a")], None),
        ([login("ada"), Step::Remember(30)], Some(30 * 24 * 3600)),
        ([login("bob"), get("a")], None),
    ];
    for (sign_in, expected) in sign_ins {
        let max_age = ada.act(&sign_in).await?.cookie()?.max_age();
        ensure!(
            max_age == expected,
            "Max-Age is {max_age:?} in place of {expected:?}"
        );
    }
    Ok(())
}

/// When a touch has extended the session, its persistent cookie is sent again with the new date, and only then.
pub async fn a_touch_dates_a_persistent_cookie_anew<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let settings = |builder: fasthttpsession_core::SessionsBuilder| {
        builder
            .cookie(Cookie::default().persistent())
            .lifetimes(Lifetimes::new(HOUR, 24 * HOUR))
    };
    let live = stage.start_with(settings).await;
    let ada = live.browser();
    ada.does(&[set("a", 1)]).await?;
    let token = ada.token()?;
    live.passes(HOUR / 2);
    let cookie = ada.act(&[get("a")]).await?.cookie()?;
    ensure!(
        cookie.max_age() == Some(3600),
        "half an hour later, Max-Age is {:?}",
        cookie.max_age()
    );
    ensure!(cookie.value == token, "a touch changed the token");
    ada.act(&[get("a")])
        .await?
        .sets_no_cookie("right after the touch")?;
    live.passes(Duration::from_secs(59 * 60));
    let said = ada.does(&[get("a")]).await?;
    ensure!(said[0] == 1, "the browser lost the session before its end");
    Ok(())
}

/// A handler's cookies are sent beside the session's.
pub async fn cookies_of_the_handler_survive<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let own = [
        header("set-cookie", "theme=dark; Path=/"),
        header("set-cookie", "__Host-idle=1; Path=/; Secure"),
    ];
    let answer = live
        .browser()
        .act(&[&own[..], &[set("a", 1)]].concat())
        .await?;
    let names: Vec<_> = answer
        .cookies()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    ensure!(
        names == ["theme", "__Host-idle", COOKIE],
        "the response sets the cookies {names:?}"
    );
    Ok(())
}

/// No response sets the session's cookie twice (RFC 6265bis, section 4.1.1).
pub async fn a_cookie_of_the_same_name_is_replaced<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    let own = header("set-cookie", "__Host-id=mine; Path=/; Secure");
    let cookie = ada.act(&[own, set("a", 1)]).await?.cookie()?;
    ensure!(
        cookie.value != "mine",
        "the handler's cookie took the place of the session's"
    );
    ensure!(
        live.opens(&ada.token()?).await?,
        "the cookie opens no session"
    );
    Ok(())
}

/// `Cache-Control: no-store` on a response that sets a cookie (CVE-2023-30861), and on no other.
pub async fn a_response_with_a_cookie_is_not_cached<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    for step in [set("a", 1), Step::Rotate, Step::Logout] {
        let answer = ada.act(std::slice::from_ref(&step)).await?;
        let caching = answer.head.all("cache-control");
        ensure!(
            caching == ["no-store"],
            "after {step:?}, Cache-Control is {caching:?}"
        );
    }
    let answer = ada.act(&[get("a")]).await?;
    ensure!(
        answer.head.all("cache-control").is_empty(),
        "a response without a cookie has a Cache-Control"
    );
    Ok(())
}

/// A handler's own `Cache-Control` stays, alone, if it keeps the cookie from caches that others share. Without a cookie it
/// stays whatever it is.
pub async fn caching_is_the_handlers_to_decide_for_the_client_alone<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    for (own, wanted) in [
        ("private, max-age=5", "private, max-age=5"),
        ("max-age=5, No-Store", "max-age=5, No-Store"),
        ("public, max-age=5", "no-store"),
        ("max-age=5", "no-store"),
        ("privately", "no-store"),
    ] {
        let answer = live
            .browser()
            .act(&[set("a", 1), header("cache-control", own)])
            .await?;
        answer.cookie()?;
        let caching = answer.head.all("cache-control");
        ensure!(caching == [wanted], "of {own:?} became {caching:?}");
    }
    let answer = live
        .browser()
        .act(&[header("cache-control", "public")])
        .await?;
    let caching = answer.head.all("cache-control");
    ensure!(
        caching == ["public"],
        "without a cookie, Cache-Control is {caching:?}"
    );
    Ok(())
}

/// `Vary: Cookie`, beside what the handler varies by, also for a visitor without a session: what was read is that
/// there is none.
pub async fn a_response_that_read_the_session_varies_by_cookie<A: Adapter>(
    stage: &Stage<A>,
) -> Outcome {
    let live = stage.start().await;
    let ada = live.browser();
    let varies = |answer: &Answer| answer.head.all("vary").join(", ").to_ascii_lowercase();
    let found = varies(&ada.act(&[get("a")]).await?);
    ensure!(found == "cookie", "for a visitor, Vary is {found:?}");
    let found = varies(&ada.act(&[set("a", 1), header("vary", "accept")]).await?);
    ensure!(
        found == "accept, cookie",
        "beside the handler's accept, Vary is {found:?}"
    );
    let found = varies(&ada.act(&[get("a"), header("vary", "Cookie")]).await?);
    ensure!(
        found == "cookie",
        "beside the handler's Cookie, Vary is {found:?}"
    );
    for (second, expected) in [
        ("x-lang", ["accept", "cookie", "x-lang"].as_slice()),
        ("Cookie", &["accept", "cookie"]),
    ] {
        let own = [header("vary", "accept"), header("vary", second), get("a")];
        let found = varies(&ada.act(&own).await?);
        let mut entries: Vec<_> = found.split(", ").collect();
        entries.sort_unstable();
        ensure!(
            entries == expected,
            "beside the handler's lines with accept and {second}, Vary is {found:?}"
        );
    }
    let found = varies(&ada.post("/plain", b"").await?);
    ensure!(
        found.is_empty(),
        "without asking for the session, Vary is {found:?}"
    );
    Ok(())
}

/// What reads one line alone, as some middleware and caches do, misses nothing that the response varies by.
pub async fn what_a_response_varies_by_stands_in_one_line<A: Adapter>(stage: &Stage<A>) -> Outcome {
    let live = stage.start().await;
    for own in ["accept", "accept, accept-language"] {
        let answer = live
            .browser()
            .act(&[set("a", 1), header("vary", own)])
            .await?;
        let found = answer.head.all("vary");
        ensure!(
            found == [format!("{own}, Cookie")],
            "beside the handler's {own}, the lines of Vary are {found:?}"
        );
    }
    Ok(())
}
