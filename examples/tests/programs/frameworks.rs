//! The program of each framework: counting, signing in and signing out are the same in all.

use fasthttpsession_servers::Redis;
use tokio::task::JoinSet;

use crate::program::Program;
use crate::visitor::Visitor;

#[tokio::test]
async fn axum_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-axum")).await;
}

#[tokio::test]
async fn axum_with_a_runtime_on_each_thread_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-axum-per-thread")).await;
}

#[tokio::test]
async fn actix_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-actix")).await;
}

#[tokio::test]
async fn hyper_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-hyper")).await;
}

#[tokio::test]
async fn salvo_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-salvo")).await;
}

#[tokio::test]
async fn poem_counts_signs_in_and_signs_out() {
    tour(env!("CARGO_BIN_EXE_framework-poem")).await;
}

async fn tour(path: &str) {
    let program = Program::start(path, "memory:");
    let nobody = || Visitor::of(program.address);
    visits_are_counted_for_each_visitor(nobody(), nobody()).await;
    visits_at_once_are_all_counted(nobody()).await;
    signing_in_keeps_the_count_and_kills_the_old_cookie(nobody()).await;
    signing_out_leaves_nothing(nobody()).await;
    what_is_not_there_costs_no_session(nobody()).await;
    a_response_with_a_cookie_is_nobody_elses(nobody()).await;
    a_dead_store_is_an_error_without_detail(path).await;
}

async fn visits_are_counted_for_each_visitor(mut one: Visitor, mut other: Visitor) {
    assert_eq!(one.get("/").await.text, "Visit 1 of a stranger.");
    assert_eq!(one.get("/").await.text, "Visit 2 of a stranger.");
    assert_eq!(other.get("/").await.text, "Visit 1 of a stranger.");
}

async fn visits_at_once_are_all_counted(mut visitor: Visitor) {
    visitor.get("/").await;
    let mut visits = JoinSet::new();
    for _ in 0..64 {
        let mut visitor = visitor.clone();
        visits.spawn(async move { visitor.get("/").await });
    }
    visits.join_all().await;
    assert_eq!(visitor.get("/").await.text, "Visit 66 of a stranger.");
}

async fn signing_in_keeps_the_count_and_kills_the_old_cookie(mut visitor: Visitor) {
    visitor.get("/").await;
    let mut thief = visitor.clone();
    assert_eq!(visitor.post("/login", "").await.text, "Hello Ada.");
    assert_ne!(visitor.cookie, thief.cookie);
    assert_eq!(visitor.get("/").await.text, "Visit 2 of ada.");
    assert_eq!(thief.get("/").await.text, "Visit 1 of a stranger.");
}

async fn signing_out_leaves_nothing(mut visitor: Visitor) {
    visitor.post("/login", "").await;
    let mut thief = visitor.clone();
    assert_eq!(visitor.post("/logout", "").await.text, "Goodbye.");
    assert_eq!(visitor.cookie, None);
    assert_eq!(thief.get("/").await.text, "Visit 1 of a stranger.");
}

async fn what_is_not_there_costs_no_session(mut visitor: Visitor) {
    assert_eq!(visitor.get("/nowhere").await.status, 404);
    assert_eq!(visitor.cookie, None);
}

async fn a_response_with_a_cookie_is_nobody_elses(mut visitor: Visitor) {
    let headers = visitor.get("/").await.headers;
    assert!(visitor.cookie.is_some());
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["vary"], "Cookie");
}

async fn a_dead_store_is_an_error_without_detail(path: &str) {
    let redis = Redis::start();
    let program = Program::start(path, &redis.url());
    let mut visitor = Visitor::of(program.address);
    visitor.get("/").await;
    redis.kill();
    let answer = visitor.get("/").await;
    assert_eq!((answer.status, answer.text.as_str()), (503, ""));
}
