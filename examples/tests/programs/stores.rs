//! The program of each store, on the real thing: all its routes, and a second process beside it.

use fasthttpsession_servers::{Mariadb, Memcached, Postgres, Redis};
use tempfile::TempDir;

use crate::program::Program;
use crate::visitor::Visitor;

const MEMORY: &str = env!("CARGO_BIN_EXE_store-memory");

#[tokio::test]
async fn memory_keeps_all_promises_of_the_routes() {
    let program = Program::start(MEMORY, "");
    all_routes(&program).await;
}

#[tokio::test]
async fn memory_is_one_process_own() {
    let (one, other) = (Program::start(MEMORY, ""), Program::start(MEMORY, ""));
    let mut visitor = Visitor::of(one.address);
    visitor.post("/set", "key=name&value=ada").await;
    let mut visitor = visitor.at(other.address);
    assert_eq!(visitor.get("/get?key=name").await.status, 404);
}

#[tokio::test]
async fn files_keep_all_promises_of_the_routes() {
    let folder = folder();
    let store = folder.path().join("sessions").display().to_string();
    shared(env!("CARGO_BIN_EXE_store-file"), &store).await;
}

#[tokio::test]
async fn sqlite_keeps_all_promises_of_the_routes() {
    let folder = folder();
    let store = folder.path().join("sessions.db").display().to_string();
    shared(env!("CARGO_BIN_EXE_store-sqlite"), &store).await;
}

#[tokio::test]
async fn postgres_keeps_all_promises_of_the_routes() {
    let database = Postgres::shared().database();
    shared(env!("CARGO_BIN_EXE_store-postgres"), &database.url()).await;
}

#[tokio::test]
async fn mariadb_keeps_all_promises_of_the_routes() {
    let database = Mariadb::shared().database();
    shared(env!("CARGO_BIN_EXE_store-mysql"), &database.url()).await;
}

#[tokio::test]
async fn redis_keeps_all_promises_of_the_routes() {
    let server = Redis::shared();
    shared(env!("CARGO_BIN_EXE_store-redis"), &server.url()).await;
}

#[tokio::test]
async fn memcached_keeps_all_promises_of_the_routes() {
    let server = Memcached::shared();
    shared(env!("CARGO_BIN_EXE_store-memcached"), &server.url()).await;
}

fn folder() -> TempDir {
    TempDir::new().expect("there is room for temporary files")
}

/// For a store that outlives the process and is open to several.
async fn shared(path: &str, store: &str) {
    let program = Program::start(path, store);
    all_routes(&program).await;
    another_process_has_the_session(&program, &Program::start(path, store)).await;
}

async fn all_routes(program: &Program) {
    let nobody = || Visitor::of(program.address);
    the_page_has_a_form_for_every_route(nobody()).await;
    a_visitor_who_only_reads_gets_no_session(nobody()).await;
    values_are_set_read_and_deleted(nobody()).await;
    flush_removes_all_values_and_keeps_the_session(nobody()).await;
    regenerate_keeps_the_session_and_kills_the_old_cookie(nobody()).await;
    destroy_leaves_nothing(nobody()).await;
}

async fn the_page_has_a_form_for_every_route(mut visitor: Visitor) {
    let page = visitor.get("/").await;
    assert_eq!(page.status, 200);
    let actions = page.text.matches("<form action=").count();
    assert_eq!(actions, 8);
    assert_eq!(visitor.cookie, None);
}

async fn a_visitor_who_only_reads_gets_no_session(mut visitor: Visitor) {
    assert_eq!(visitor.get("/get?key=name").await.status, 404);
    assert_eq!(visitor.get("/getAll").await.text, "");
    let id = visitor.get("/sessionid").await.text;
    assert_eq!(id, "There is no session yet.");
    assert_eq!(visitor.cookie, None);
}

async fn values_are_set_read_and_deleted(mut visitor: Visitor) {
    assert_eq!(visitor.post("/set", "key=name&value=ada").await.status, 200);
    assert_eq!(
        visitor
            .post("/set", "key=city&value=k%C3%B6ln")
            .await
            .status,
        200
    );
    assert_eq!(visitor.get("/get?key=name").await.text, "ada");
    assert_eq!(visitor.get("/getAll").await.text, "city=köln\nname=ada");
    assert_eq!(visitor.post("/delete", "key=name").await.status, 200);
    assert_eq!(visitor.get("/get?key=name").await.status, 404);
    assert_eq!(visitor.get("/getAll").await.text, "city=köln");
}

async fn flush_removes_all_values_and_keeps_the_session(mut visitor: Visitor) {
    let id = begun(&mut visitor).await;
    assert_eq!(visitor.post("/flush", "").await.status, 200);
    assert_eq!(visitor.get("/getAll").await.text, "");
    assert_eq!(visitor.get("/sessionid").await.text, id);
}

async fn regenerate_keeps_the_session_and_kills_the_old_cookie(mut visitor: Visitor) {
    let id = begun(&mut visitor).await;
    let mut thief = visitor.clone();
    assert_eq!(visitor.post("/regenerate", "").await.status, 200);
    assert_ne!(visitor.cookie, thief.cookie);
    assert_eq!(visitor.get("/sessionid").await.text, id);
    assert_eq!(visitor.get("/get?key=name").await.text, "ada");
    assert_eq!(thief.get("/get?key=name").await.status, 404);
}

async fn destroy_leaves_nothing(mut visitor: Visitor) {
    begun(&mut visitor).await;
    let mut thief = visitor.clone();
    assert_eq!(visitor.post("/destroy", "").await.status, 200);
    assert_eq!(visitor.cookie, None);
    for mut whoever in [visitor, thief.clone()] {
        assert_eq!(whoever.get("/getAll").await.text, "");
    }
    let id = thief.get("/sessionid").await.text;
    assert_eq!(id, "There is no session yet.");
}

/// So the store is the one that was named, and not this process's memory.
async fn another_process_has_the_session(one: &Program, other: &Program) {
    let mut visitor = Visitor::of(one.address);
    let id = begun(&mut visitor).await;
    let mut there = visitor.at(other.address);
    assert_eq!(there.get("/sessionid").await.text, id);
    assert_eq!(there.get("/get?key=name").await.text, "ada");
    there.post("/destroy", "").await;
    assert_eq!(visitor.get("/get?key=name").await.status, 404);
}

/// Begins a session with one value, and returns its id.
async fn begun(visitor: &mut Visitor) -> String {
    visitor.post("/set", "key=name&value=ada").await;
    let id = visitor.get("/sessionid").await.text;
    assert_eq!(id.len(), 22, "{id} is a handle");
    id
}
