//! The page in a real browser, with real clicks.

#[path = "page/browser.rs"]
mod browser;
mod support;

use serde_json::json;

use browser::{Page, Screen};
use support::{Demo, Visitor};

const NONE: [String; 0] = [];

async fn page() -> Page {
    Page::open(Demo::start(), Screen::Desktop).await
}

#[tokio::test]
async fn a_visitor_sees_that_nothing_is_stored() {
    let page = page().await;
    assert_eq!(page.state().await, "visitor");
    assert!(
        page.text("#session")
            .await
            .contains("Your browser sent no cookie.")
    );
    assert!(page.text("#values").await.contains("No values yet."));
    assert_eq!(page.cookie().await, None);
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn values_are_set_counted_and_removed() {
    let page = page().await;
    page.set("color", "green").await;
    assert_eq!(page.text("#values-result").await, "“color” is set.");
    assert_eq!(page.text("[data-key=color] code").await, "\"green\"");
    assert_eq!(page.state().await, "anonymous");
    page.click("#count").await;
    page.click("#count-count").await;
    assert_eq!(page.text("#values-result").await, "“count” is now 2.");
    assert_eq!(page.text("[data-key=count] code").await, "2");
    page.click("#remove-color").await;
    assert_eq!(page.count("#values tbody tr").await, 1);
    page.click("#clear").await;
    assert_eq!(page.count("#values tbody tr").await, 0);
    assert_eq!(page.state().await, "anonymous");
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn signing_in_and_rotating_replace_the_cookie_and_signing_out_takes_it_away() {
    let page = page().await;
    page.click("#count").await;
    let (handle, first) = (page.text("#handle").await, page.cookie().await);
    page.fill("[name=user]", "ada").await;
    page.click("#login").await;
    let signed_in = page.cookie().await;
    assert_eq!(page.text("#badge").await, "Signed in as ada");
    page.click("#rotate").await;
    let rotated = page.cookie().await;
    assert_eq!(page.text("#handle").await, handle);
    assert!(first != signed_in && signed_in != rotated && rotated.is_some());
    page.click("#logout").await;
    assert_eq!(
        (page.state().await.as_str(), page.cookie().await),
        ("visitor", None)
    );
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn fifty_increments_at_once_are_fifty_for_a_visitor_too() {
    let page = page().await;
    for (before, after) in [(0, 50), (50, 100)] {
        page.click("#fifty").await;
        let result = page.text("#fifty-result").await;
        assert!(result.starts_with("50 of 50 arrived"), "{result}");
        assert!(
            result.contains(&format!("{before} → {after} in ")),
            "{result}"
        );
        assert!(result.ends_with("with 50 different answers."), "{result}");
        assert_eq!(page.count("#cells .in").await, 50);
        assert_eq!(page.text("[data-key=count] code").await, after.to_string());
    }
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn signing_out_during_a_slow_request_shows_that_the_session_stays_out() {
    let page = page().await;
    page.click("#login").await;
    let handle = page.text("#handle").await;
    page.click("#revive").await;
    let result = page.text("#revive-result").await;
    assert!(result.starts_with("The session stays out"), "{result}");
    assert!(result.contains(&handle[..8]), "{result}");
    assert_eq!(page.count("#steps .done").await, 4);
    assert!(page.text("#steps").await.contains("Its outcome: gone."));
    assert_eq!(
        (page.state().await.as_str(), page.cookie().await),
        ("visitor", None)
    );
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn a_refusal_is_a_sentence_beside_what_was_refused() {
    let page = page().await;
    page.set("count", "many").await;
    page.click("#count").await;
    let sentence = "One can't be added to \"count\", for it is no whole number in range.";
    assert_eq!(page.text("#values-result.error").await, sentence);
    page.click("#fifty").await;
    assert_eq!(page.text("#fifty-result.error").await, sentence);
    assert_eq!(page.text("#values-result").await, "");
    page.click("#remove-count").await;
    assert_eq!(page.count("output.error").await, 0);
    let console = page.console().await;
    assert!(
        console.iter().all(|line| line.contains("409")),
        "{console:?}"
    );
}

#[tokio::test]
async fn a_demo_that_has_stopped_is_a_sentence_too() {
    let mut page = page().await;
    page.stop_demo();
    page.click("#count").await;
    assert_eq!(
        page.text("#values-result.error").await,
        "The demo does not answer. Is it still running?"
    );
}

#[tokio::test]
async fn the_clocks_run() {
    let page = page().await;
    page.click("#count").await;
    for clock in ["[data-since]", "span[data-until]"] {
        let before = page.text(clock).await;
        page.until(&format!(
            "document.querySelector('{clock}').textContent !== '{before}'"
        ))
        .await;
    }
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn the_keyboard_stays_where_it_was_when_the_session_is_shown_anew() {
    let page = page().await;
    page.click("#count").await;
    for (pressed, focused) in [
        ("#count-count", "count-count"),
        ("#remove-count", "values-title"),
        ("#login", "session-title"),
    ] {
        page.click(pressed).await;
        assert_eq!(
            page.execute("return document.activeElement.id").await,
            json!(focused),
            "{pressed}"
        );
    }
}

#[tokio::test]
async fn nothing_sticks_out_on_a_phone() {
    let page = Page::open(Demo::start(), Screen::Phone).await;
    page.set(&"k".repeat(100), &"v".repeat(300)).await;
    page.fill("[name=user]", &"u".repeat(100)).await;
    page.click("#login").await;
    page.click("#fifty").await;
    let width = page
        .execute("return [innerWidth, document.documentElement.scrollWidth]")
        .await;
    assert_eq!(width, json!([390, 390]));
}

#[tokio::test]
async fn markup_in_keys_values_and_names_is_text() {
    let page = page().await;
    let markup = "<img src=x onerror=document.title='run'>";
    page.set(markup, markup).await;
    page.fill("[name=user]", markup).await;
    page.click("#login").await;
    assert_eq!(page.text("#values tbody th").await, markup);
    assert_eq!(page.text("#badge").await, format!("Signed in as {markup}"));
    assert_eq!(page.count("main img").await, 0);
    assert_eq!(page.console().await, NONE);
}

#[tokio::test]
async fn the_session_is_in_the_page_before_any_script_runs() {
    let demo = Demo::start();
    let visitor = Visitor::of(demo.address);
    visitor.put("/api/values/color", "\"green\"").await;
    let session = visitor.session().await;
    let page = visitor.get("/").await;
    assert!(
        page.text()
            .contains(session["handle"].as_str().expect("a handle"))
    );
    assert!(page.text().contains("&quot;green&quot;"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
}
