//! The API over HTTP, against the built command.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use support::{Answer, Demo, Visitor, request};

fn demo() -> (Demo, Arc<Visitor>) {
    let demo = Demo::start();
    let visitor = Visitor::of(demo.address);
    (demo, Arc::new(visitor))
}

async fn sign_in(visitor: &Visitor) {
    assert_eq!(visitor.login("alice").await.json()["principal"], "alice");
}

/// The sentence of a refusal.
fn error(answer: &Answer) -> String {
    let json = answer.json();
    json["error"].as_str().expect("a sentence").to_owned()
}

/// Sends a slow request and returns when it has loaded the session.
///
/// What a test does next is meant to be done before the wait ends. If a machine is too slow for that, the outcome is
/// "committed", and the test fails: it never passes for having been too late.
async fn begin_slow(visitor: &Arc<Visitor>, query: &str) -> JoinHandle<Answer> {
    let (slow, path) = (Arc::clone(visitor), format!("/api/slow?{query}"));
    let slow = tokio::spawn(async move { slow.post(&path).await });
    while visitor.get("/api/slow").await.json()["waiting"] == 0 {
        assert!(!slow.is_finished(), "the slow request did not wait");
    }
    slow
}

/// Sends 64 requests at once.
async fn at_once(
    visitor: &Arc<Visitor>,
    method: Method,
    path: impl Fn(usize) -> String,
) -> Vec<Answer> {
    let mut requests = JoinSet::new();
    for number in 0..64 {
        let (visitor, request) = (Arc::clone(visitor), request(method.clone(), &path(number)));
        requests.spawn(async move { visitor.send(request, "1").await });
    }
    requests.join_all().await
}

// What each route does

#[tokio::test]
async fn a_visitor_has_no_session_and_gets_no_cookie() {
    let (_demo, visitor) = demo();
    let answer = visitor.get("/api/session").await;
    assert_eq!(answer.set_cookie(), None);
    let expected = json!({
        "handle": null, "new": true, "principal": null, "created_at": null,
        "idle_deadline": null, "absolute_deadline": null, "values": {},
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn the_first_write_begins_a_session_that_lasts_an_hour_unused_and_a_day_in_any_case() {
    let (_demo, visitor) = demo();
    assert_eq!(
        visitor.put("/api/values/color", r#""green""#).await.status,
        200
    );
    let session = visitor.session().await;
    let moment = |name| session[name].as_u64().expect("a moment");
    let lasts = |name| (moment(name) - moment("created_at")).div_euclid(60_000);
    assert_eq!(session["handle"].as_str().expect("a handle").len(), 22);
    assert_eq!(session["new"], false);
    // In whole minutes: the clock is read for the creation, and again for the commit.
    assert_eq!(lasts("idle_deadline"), 60);
    assert_eq!(lasts("absolute_deadline"), 24 * 60);
    assert_eq!(session["values"], json!({ "color": "green" }));
}

#[tokio::test]
async fn the_cookie_keeps_scripts_and_other_sites_out_and_suits_plain_http() {
    let (_demo, visitor) = demo();
    let set = visitor
        .put("/api/values/a", "1")
        .await
        .set_cookie()
        .expect("a cookie")
        .to_owned();
    assert!(set.starts_with("id="), "{set}");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Lax"),
        "{set}"
    );
    assert!(!set.contains("Secure"), "{set}");
}

#[tokio::test]
async fn any_json_under_any_key_comes_back_as_it_was() {
    let (_demo, visitor) = demo();
    let longest = "k".repeat(255);
    for key in ["a", "a%20b", "a%2Fb", "%C3%A4", "..", &longest] {
        let path = format!("/api/values/{key}");
        let values = [
            "null",
            "true",
            "-1.5",
            "121.48791951161945",
            r#""ü<""#,
            r#"[1,{"a":[]}]"#,
        ];
        for value in values {
            assert_eq!(visitor.put(&path, value).await.text(), value, "{key}");
            assert_eq!(visitor.get(&path).await.text(), value);
        }
    }
}

#[tokio::test]
async fn a_removed_value_is_missing() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    assert_eq!(visitor.delete("/api/values/a").await.status, 200);
    for answer in [
        visitor.get("/api/values/a").await,
        visitor.delete("/api/values/a").await,
    ] {
        assert_eq!(answer.status, 404);
        assert_eq!(error(&answer), r#"there is no value "a""#);
    }
}

#[tokio::test]
async fn clear_removes_all_values_and_keeps_the_session() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    visitor.put("/api/values/b", "2").await;
    let before = visitor.session().await;
    assert_eq!(visitor.delete("/api/values").await.status, 200);
    let after = visitor.session().await;
    assert_eq!(after["values"], json!({}));
    assert_eq!(after["handle"], before["handle"]);
}

#[tokio::test]
async fn increment_answers_with_the_number_that_was_stored() {
    let (_demo, visitor) = demo();
    assert_eq!(visitor.post("/api/values/n/increment").await.text(), "1");
    visitor.put("/api/values/n", "41").await;
    assert_eq!(visitor.post("/api/values/n/increment").await.text(), "42");
    assert_eq!(visitor.get("/api/values/n").await.text(), "42");
}

#[tokio::test]
async fn sign_in_keeps_handle_and_values_and_kills_the_old_cookie() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    let (before, old) = (visitor.session().await, visitor.copy());
    sign_in(&visitor).await;
    let after = visitor.session().await;
    assert_eq!(after["principal"], "alice");
    assert_eq!(after["handle"], before["handle"]);
    assert_eq!(after["values"], before["values"]);
    assert_eq!(old.session().await["handle"], Value::Null);
}

#[tokio::test]
async fn rotate_keeps_the_session_and_kills_the_old_cookie() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    let (before, old) = (visitor.session().await, visitor.copy());
    assert_eq!(visitor.post("/api/rotate").await.status, 200);
    assert_eq!(visitor.session().await["values"], before["values"]);
    assert_eq!(old.session().await["handle"], Value::Null);
}

#[tokio::test]
async fn logout_ends_the_session_at_the_store_and_removes_the_cookie() {
    let (_demo, visitor) = demo();
    sign_in(&visitor).await;
    let old = visitor.copy();
    assert_eq!(visitor.post("/api/logout").await.status, 200);
    assert_eq!(visitor.cookie(), None);
    assert_eq!(old.session().await["handle"], Value::Null);
}

#[tokio::test]
async fn slow_sets_its_key_after_the_wait() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    let answer = visitor.post("/api/slow?ms=1&key=late").await;
    assert_eq!(answer.json(), json!({ "outcome": "committed" }));
    assert_eq!(
        visitor.session().await["values"],
        json!({ "a": 1, "late": true })
    );
    assert_eq!(visitor.post("/api/slow?ms=1&then=clear").await.status, 200);
    assert_eq!(visitor.session().await["values"], json!({}));
    let old = visitor.copy();
    assert_eq!(visitor.post("/api/slow?ms=1&then=rotate").await.status, 200);
    assert_eq!(old.session().await["handle"], Value::Null);
}

#[tokio::test]
async fn plain_and_health_know_no_session() {
    let (_demo, visitor) = demo();
    sign_in(&visitor).await;
    let plain = visitor.get("/plain").await;
    assert_eq!((plain.status.as_u16(), plain.set_cookie()), (200, None));
    let health = visitor.get("/health").await;
    assert_eq!(health.json(), json!({ "store": "sqlite", "answers": true }));
}

#[tokio::test]
async fn writes_answer_with_what_is_stored() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    visitor.put("/api/values/b", "2").await;
    for write in [
        request(Method::DELETE, "/api/values/b"),
        request(Method::POST, "/api/rotate"),
        request(Method::DELETE, "/api/values"),
        request(Method::POST, "/api/logout"),
    ] {
        let mut told = visitor.send(write, "").await.json();
        // It tells how the request began, not how it ended: only a visitor without a session begins as new.
        told["new"] = json!(told["handle"].is_null());
        assert_eq!(told, visitor.session().await);
    }
}

#[tokio::test]
async fn every_answer_keeps_other_sites_out() {
    let (_demo, visitor) = demo();
    for request in [
        request(Method::GET, "/"),
        request(Method::GET, "/demo.js"),
        request(Method::GET, "/api/session"),
        request(Method::GET, "/api/nowhere"),
        request(Method::PATCH, "/api/session"),
        request(Method::POST, "/api/login"),
        request(Method::POST, "/api/logout").header("origin", "http://evil.example"),
        request(Method::GET, "/plain"),
        request(Method::GET, "/health"),
    ] {
        let answer = visitor.send(request, "").await;
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    }
}

// What is refused

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_a_sentence() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/word", r#""seven""#).await;
    visitor.put("/api/values/most", &i64::MAX.to_string()).await;
    let before = visitor.session().await;
    let long_key = format!("/api/values/{}", "k".repeat(256));
    let large = format!("\"{}\"", "x".repeat(65_500));
    let too_large = "1".repeat(70_000);
    let deep = "[".repeat(10_000);
    #[rustfmt::skip]
    let refused = [
        ("PUT", "/api/values/a", "{", 400, "the body is not the JSON that is needed"),
        ("PUT", "/api/values/a", "", 400, "the body is not the JSON that is needed"),
        ("PUT", "/api/values/a", "1 2", 400, "the body is not the JSON that is needed"),
        ("PUT", "/api/values/a", "1e999", 400, "the body is not the JSON that is needed"),
        ("PUT", "/api/values/a", &deep, 400, "the body is not the JSON that is needed"),
        ("PUT", "/api/values/a", &large, 413, "the session would take"),
        ("PUT", "/api/values/a", &too_large, 413, "a body has at most 65536 bytes"),
        ("PUT", "/api/values/", "1", 400, "a key has 1 to 255 bytes"),
        ("GET", "/api/values/", "", 400, "a key has 1 to 255 bytes"),
        ("DELETE", "/api/values/", "", 400, "a key has 1 to 255 bytes"),
        ("POST", "/api/values//increment", "", 400, "a key has 1 to 255 bytes"),
        ("PUT", &long_key, "1", 400, "a key has 1 to 255 bytes, this one has 256"),
        ("PUT", "/api/values/%FF", "1", 400, "a key is UTF-8"),
        ("POST", "/api/values/word/increment", "", 409, r#"one can't be added to "word""#),
        ("POST", "/api/values/most/increment", "", 409, r#"one can't be added to "most""#),
        ("POST", &format!("{long_key}/increment"), "", 400, "a key has 1 to 255 bytes"),
        ("POST", "/api/slow?ms=10001", "", 400, "ms is at most 10000"),
        ("POST", "/api/slow?ms=soon", "", 400, "the query"),
        ("POST", "/api/slow?then=explode", "", 400, "the query"),
        ("POST", "/api/slow?ms=1&key=", "", 400, "a key has 1 to 255 bytes"),
        ("POST", "/api/login", "", 400, "the body is not the JSON that is needed"),
        ("POST", "/api/login", r#"{"name":"alice"}"#, 400, "the body is not the JSON that is needed"),
        ("POST", "/api/login", r#"{"user":""}"#, 400, "a principal has"),
        ("GET", "/api/nowhere", "", 404, "there is nothing at /api/nowhere"),
        ("PATCH", "/api/session", "", 405, "PATCH is not possible at /api/session"),
    ];
    for (method, path, body, status, sentence) in refused {
        let answer = visitor
            .send(request(method.parse().expect("a method"), path), body)
            .await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(
            error(&answer).starts_with(sentence),
            "{method} {path}: {}",
            answer.text()
        );
        assert_eq!(answer.set_cookie(), None, "{method} {path}");
    }
    assert_eq!(visitor.session().await, before);
}

#[tokio::test]
async fn a_refused_write_of_a_visitor_begins_no_session() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/a", "{").await;
    visitor.put("/api/values/", "1").await;
    visitor.delete("/api/values/a").await;
    assert_eq!(visitor.cookie(), None);
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let (demo, visitor) = demo();
    visitor.put("/api/values/a", "1").await;
    let here = format!("http://{}", demo.address);
    let refused = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "null"),
    ];
    for (name, value) in refused {
        for (method, path) in [
            (Method::PUT, "/api/values/a"),
            (Method::DELETE, "/api/values"),
            (Method::POST, "/api/logout"),
        ] {
            let answer = visitor
                .send(request(method, path).header(name, value), "2")
                .await;
            assert_eq!(answer.status, 403, "{name}: {value}");
            assert!(error(&answer).contains("other sites"));
        }
    }
    assert_eq!(visitor.get("/api/values/a").await.text(), "1");
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", &*here)] {
        let answer = visitor
            .send(
                request(Method::PUT, "/api/values/a").header(name, value),
                "2",
            )
            .await;
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
}

// What holds when requests meet

#[tokio::test]
async fn of_64_increments_at_once_none_is_lost_and_each_gets_a_number_of_its_own() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/n", "0").await;
    let answers = at_once(&visitor, Method::POST, |_| {
        "/api/values/n/increment".to_owned()
    })
    .await;
    let numbers: BTreeSet<u64> = answers
        .iter()
        .map(|answer| answer.text().parse().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=64).collect());
    assert_eq!(visitor.get("/api/values/n").await.text(), "64");
}

#[tokio::test]
async fn of_64_keys_set_at_once_none_is_lost() {
    let (_demo, visitor) = demo();
    visitor.put("/api/values/first", "1").await;
    let answers = at_once(&visitor, Method::PUT, |number| {
        format!("/api/values/k{number}")
    })
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let values = visitor.session().await["values"].clone();
    assert_eq!(values.as_object().expect("values").len(), 65);
}

#[tokio::test]
async fn logout_during_a_slow_request_stays_logged_out() {
    let (_demo, visitor) = demo();
    sign_in(&visitor).await;
    let old = visitor.copy();
    let slow = begin_slow(&visitor, "ms=2000&key=late").await;
    visitor.post("/api/logout").await;
    let late = slow.await.expect("the slow request ends");
    assert_eq!(late.json(), json!({ "outcome": "gone" }));
    assert_eq!(late.set_cookie(), None);
    for visitor in [&*visitor, &old] {
        assert_eq!(visitor.session().await["handle"], Value::Null);
    }
}

#[tokio::test]
async fn what_was_under_way_before_a_sign_in_changes_nothing_after_it() {
    for query in [
        "ms=2000&then=rotate",
        "ms=2000&then=clear",
        "ms=2000&key=late",
    ] {
        let (_demo, visitor) = demo();
        visitor.put("/api/values/a", "1").await;
        let slow = begin_slow(&visitor, query).await;
        sign_in(&visitor).await;
        let (before, cookie) = (visitor.session().await, visitor.cookie());
        let late = slow.await.expect("the slow request ends");
        assert_eq!(late.json(), json!({ "outcome": "superseded" }), "{query}");
        assert_eq!(late.set_cookie(), None, "{query}");
        assert_eq!(visitor.cookie(), cookie, "{query}");
        assert_eq!(visitor.session().await, before, "{query}");
    }
}

#[tokio::test]
async fn sessions_survive_a_stop_and_a_kill_of_the_demo() {
    let (mut demo, mut visitor) = demo();
    for (count, signal) in [(1, "TERM"), (2, "KILL"), (3, "TERM")] {
        let answer = visitor.post("/api/values/count/increment").await;
        assert_eq!(answer.text(), count.to_string(), "before {signal}");
        let folder = demo.folder();
        demo.end_by(signal);
        demo = Demo::start_in(folder);
        visitor = Arc::new(visitor.at(demo.address));
    }
}
