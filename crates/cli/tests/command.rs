//! The command itself: what it says, and how it begins and ends.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use support::{Demo, refused};

/// That the command failed with exactly one line, which holds `sentence`.
fn assert_fails(arguments: &[&str], sentence: &str) {
    let output = refused(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_taken_port_is_said_in_one_sentence() {
    let demo = Demo::start();
    assert_fails(
        &["--listen", &demo.address.to_string()],
        &format!("{} is taken by another program", demo.address),
    );
}

#[test]
fn an_unknown_store_is_said_in_one_sentence_without_its_password() {
    assert_fails(
        &["demo", "--store", "nosql://ann:hunter2@host"],
        "no store has the scheme \"nosql\"",
    );
    let said = refused(&["demo", "--store", "nosql://ann:hunter2@host"]).stderr;
    assert!(!String::from_utf8_lossy(&said).contains("hunter2"));
}

#[test]
fn an_address_that_is_none_is_said_in_one_sentence() {
    assert_fails(
        &["demo", "--listen", "nowhere"],
        "can't listen on \"nowhere\"",
    );
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let output = refused(&["demo", "--stroe", "memory:"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--store"));
}

#[test]
fn help_names_the_options_and_every_route() {
    let help = refused(&["demo", "--help"]).stdout;
    let help = String::from_utf8_lossy(&help);
    for word in [
        "--store",
        "--listen",
        "127.0.0.1:8086",
        "/api/session",
        "/api/values/{key}/increment",
        "/api/slow",
        "/api/login",
        "/api/rotate",
        "/api/logout",
        "/plain",
        "/health",
    ] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
    let top = refused(&["--help"]).stdout;
    assert!(String::from_utf8_lossy(&top).contains("never come back from the dead"));
}

#[test]
fn without_a_command_the_demo_runs() {
    let demo = Demo::start();
    let address = demo.address.to_string();
    for arguments in [
        &["--listen", &*address][..],
        &["demo", "--listen", &*address],
    ] {
        assert_fails(arguments, &format!("{address} is taken"));
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_demo_stops() {
    for signal in ["TERM", "INT"] {
        let demo = Demo::start();
        let _idle = TcpStream::connect(demo.address).expect("it listens");
        let slow = send(demo.address, "POST /api/slow?ms=2000");
        wait_for_slow_request(&demo);
        let status = demo.end_by(signal);
        assert!(status.success(), "{signal}: {status}");
        let answer = read(slow);
        assert!(answer.contains("\"outcome\":\"committed\""), "{answer}");
    }
}

#[test]
fn a_second_signal_ends_the_demo_without_waiting_for_requests() {
    let demo = Demo::start();
    let _slow = send(demo.address, "POST /api/slow?ms=10000");
    wait_for_slow_request(&demo);
    let start = Instant::now();
    demo.signal("INT");
    // It has taken the first signal when it listens no more.
    while TcpStream::connect(demo.address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(9), "it still listens");
    }
    assert!(demo.end_by("INT").success());
    assert!(start.elapsed() < Duration::from_secs(9));
}

fn wait_for_slow_request(demo: &Demo) {
    let start = Instant::now();
    loop {
        let answer = read(send(demo.address, "GET /api/slow"));
        if answer.contains("\"waiting\":1") {
            return;
        }
        // By then it has begun and ended unseen.
        assert!(start.elapsed() < Duration::from_secs(20), "{answer}");
    }
}

/// Sends a request on a connection of its own, as a visitor.
fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("{request} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    stream
}

fn read(mut stream: impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_store_that_does_not_answer_is_said_without_its_password() {
    let store = "postgres://ann:hunter2@127.0.0.1:1/db";
    assert_fails(
        &["--store", store],
        "can't use the store given with --store",
    );
    let said = refused(&["--store", store]).stderr;
    assert!(!String::from_utf8_lossy(&said).contains("hunter2"));
}
