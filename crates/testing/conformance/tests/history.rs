//! The checker of histories tells possible ones from impossible ones.

use fasthttpsession_conformance::store::history::{Answer, Call, Entry, Live, Violation, check};
use fasthttpsession_core::Timestamp;

fn at(minute: u64) -> Timestamp {
    Timestamp::from_millis(minute * 60_000)
}

/// A record that lives until minute 100.
fn live(version: u64, body: &'static str) -> Live {
    let end = at(100);
    Live {
        version,
        idle_deadline: end,
        absolute_deadline: end,
        body: body.into(),
    }
}

/// A call from `called` to `answered`, at minute 0.
fn call(called: u64, answered: u64, call: Call, answer: Answer) -> Entry {
    let (now, latest) = (at(0), at(0));
    Entry {
        task: 0,
        called,
        answered: Some(answered),
        now,
        latest,
        call,
        answer,
    }
}

/// A call whose answer never came.
fn lost(called: u64, it: Call) -> Entry {
    Entry {
        answered: None,
        latest: at(u64::from(u32::MAX)),
        ..call(called, 0, it, Answer::None)
    }
}

/// The same call, told `now` at a time when others had been told `latest`.
fn told(entry: Entry, now: u64, latest: u64) -> Entry {
    Entry {
        now: at(now),
        latest: at(latest),
        ..entry
    }
}

fn create(body: &'static str) -> Call {
    Call::Create(live(1, body))
}

fn replace(expected: u64, body: &'static str) -> Call {
    Call::Replace {
        expected,
        with: live(expected + 1, body),
    }
}

fn touch(version: u64, minute: u64) -> Call {
    Call::Touch {
        version,
        idle_deadline: at(minute),
    }
}

fn loaded(version: u64, body: &'static str) -> Answer {
    Answer::Loaded(Some(live(version, body)))
}

const NOTHING: Answer = Answer::Loaded(None);

#[track_caller]
fn possible(history: &[Entry]) {
    if let Err(violation) = check(history) {
        panic!("{violation}");
    }
}

/// The entries that are left when what does not matter is taken away.
#[track_caller]
fn impossible(history: &[Entry]) -> Vec<Entry> {
    match check(history) {
        Err(Violation::Unexplained(core)) => core,
        other => panic!("an impossible history was called {other:?}"),
    }
}

#[test]
fn one_after_the_other_is_possible() {
    possible(&[
        call(1, 2, Call::Load, NOTHING),
        call(3, 4, create("a"), Answer::Created),
        call(5, 6, create("b"), Answer::Exists),
        call(7, 8, replace(1, "c"), Answer::Replaced),
        call(9, 10, replace(1, "d"), Answer::Conflict(live(2, "c"))),
        call(11, 12, touch(2, 50), Answer::Touched),
        call(13, 14, Call::Load, loaded(2, "c")),
        call(15, 16, Call::Delete, Answer::Deleted),
        call(17, 18, Call::Delete, Answer::Gone),
        call(19, 20, touch(2, 50), Answer::Gone),
        call(21, 22, replace(2, "e"), Answer::Gone),
    ]);
}

#[test]
fn overlapping_calls_may_take_either_order() {
    for found in [NOTHING, loaded(1, "a")] {
        possible(&[
            call(1, 4, create("a"), Answer::Created),
            call(2, 3, Call::Load, found),
        ]);
    }
}

#[test]
fn a_stale_read_is_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 4, replace(1, "b"), Answer::Replaced),
        call(5, 6, Call::Load, loaded(1, "a")),
    ]);
}

#[test]
fn a_read_may_not_go_back_behind_another() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 20, replace(1, "b"), Answer::Replaced),
        call(4, 5, Call::Load, loaded(2, "b")),
        call(6, 7, Call::Load, loaded(1, "a")),
    ]);
}

#[test]
fn two_swaps_of_one_version_are_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 6, replace(1, "b"), Answer::Replaced),
        call(4, 5, replace(1, "c"), Answer::Replaced),
    ]);
}

#[test]
fn two_creations_at_once_are_impossible() {
    impossible(&[
        call(1, 4, create("a"), Answer::Created),
        call(2, 3, create("b"), Answer::Created),
    ]);
}

#[test]
fn a_revival_is_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 8, replace(1, "b"), Answer::Replaced),
        call(4, 5, Call::Delete, Answer::Deleted),
        call(6, 7, Call::Load, NOTHING),
        call(9, 10, Call::Load, loaded(2, "b")),
    ]);
}

#[test]
fn a_lost_deletion_is_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 4, Call::Delete, Answer::Deleted),
        call(5, 6, create("b"), Answer::Exists),
    ]);
}

#[test]
fn a_conflict_with_an_old_record_is_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 4, replace(1, "b"), Answer::Replaced),
        call(5, 6, replace(7, "c"), Answer::Conflict(live(1, "a"))),
    ]);
}

#[test]
fn a_conflict_on_the_current_version_is_impossible() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 4, replace(1, "b"), Answer::Conflict(live(1, "a"))),
    ]);
}

#[test]
fn a_call_without_answer_may_take_effect_now_later_or_never() {
    let start = [
        call(1, 2, create("a"), Answer::Created),
        lost(3, replace(1, "b")),
    ];
    let seen = [
        call(4, 5, Call::Load, loaded(1, "a")),
        call(6, 7, Call::Load, loaded(2, "b")),
    ];
    possible(&[&start[..], &seen[..1]].concat());
    possible(&[&start[..], &seen[1..]].concat());
    possible(&[&start[..], &seen[..]].concat());
}

#[test]
fn a_call_without_answer_may_not_take_effect_twice() {
    impossible(&[
        lost(1, create("a")),
        call(2, 3, Call::Delete, Answer::Deleted),
        call(4, 5, Call::Delete, Answer::Deleted),
    ]);
}

#[test]
fn a_call_without_answer_may_not_be_undone() {
    impossible(&[
        call(1, 2, create("a"), Answer::Created),
        lost(3, replace(1, "b")),
        call(4, 5, Call::Load, loaded(2, "b")),
        call(6, 7, Call::Load, loaded(1, "a")),
    ]);
}

#[test]
fn a_call_without_answer_may_not_take_effect_before_it_is_made() {
    impossible(&[call(1, 2, Call::Load, loaded(1, "a")), lost(3, create("a"))]);
}

#[test]
fn a_touch_moves_the_deadline_later_only_and_of_its_version_only() {
    let later = |minute| Live {
        absolute_deadline: at(900),
        idle_deadline: at(minute),
        ..live(1, "a")
    };
    let history = |touched, found| {
        [
            call(1, 2, Call::Create(later(100)), Answer::Created),
            call(3, 4, touched, Answer::Touched),
            call(5, 6, Call::Load, Answer::Loaded(Some(later(found)))),
        ]
    };
    possible(&history(touch(1, 200), 200));
    impossible(&history(touch(1, 200), 100));
    possible(&history(touch(1, 50), 100));
    impossible(&history(touch(1, 50), 50));
    possible(&history(touch(2, 200), 100));
    impossible(&history(touch(2, 200), 200));
}

#[test]
fn a_touch_may_take_effect_after_the_swap_that_it_meets() {
    let longer = Live {
        idle_deadline: at(90),
        ..live(2, "b")
    };
    let with = Live {
        idle_deadline: at(80),
        ..live(2, "b")
    };
    possible(&[
        call(1, 2, create("a"), Answer::Created),
        call(3, 6, touch(2, 90), Answer::Touched),
        call(4, 5, Call::Replace { expected: 1, with }, Answer::Replaced),
        call(7, 8, Call::Load, Answer::Loaded(Some(longer))),
    ]);
}

#[test]
fn a_record_is_absent_from_its_deadline_on() {
    let created = call(1, 2, create("a"), Answer::Created);
    let load = |found| call(3, 4, Call::Load, found);
    possible(&[created.clone(), told(load(loaded(1, "a")), 99, 99)]);
    impossible(&[created.clone(), told(load(NOTHING), 99, 99)]);
    possible(&[created.clone(), told(load(NOTHING), 100, 100)]);
    impossible(&[created.clone(), told(load(loaded(1, "a")), 100, 100)]);
    possible(&[
        created.clone(),
        told(call(3, 4, create("b"), Answer::Created), 100, 100),
    ]);
    impossible(&[
        created,
        told(call(3, 4, create("b"), Answer::Exists), 100, 100),
    ]);
}

#[test]
fn what_somebody_may_have_removed_as_expired_may_be_absent_to_others_for_good() {
    let created = call(1, 2, create("a"), Answer::Created);
    let late = |called, found| told(call(called, called + 1, Call::Load, found), 50, 120);
    possible(&[created.clone(), late(3, NOTHING)]);
    possible(&[created.clone(), late(3, loaded(1, "a")), late(5, NOTHING)]);
    impossible(&[created, late(3, NOTHING), late(5, loaded(1, "a"))]);
}

#[test]
fn what_does_not_matter_is_left_out_of_the_report() {
    let mut history = vec![call(1, 2, create("a"), Answer::Created)];
    history.extend((0..20).map(|n| call(10 + 2 * n, 11 + 2 * n, Call::Load, loaded(1, "a"))));
    history.push(call(100, 101, replace(1, "b"), Answer::Replaced));
    history.push(call(102, 103, Call::Load, loaded(1, "a")));
    history.extend((0..20).map(|n| call(110 + 2 * n, 111 + 2 * n, create("c"), Answer::Exists)));
    let core = impossible(&history);
    assert_eq!(core.len(), 3, "{core:?}");
}

#[test]
fn a_long_history_of_many_at_once_is_decided() {
    let mut history = vec![call(1, 2, create("a"), Answer::Created)];
    for round in 1..60 {
        let start = round * 100;
        history.push(call(
            start,
            start + 50,
            replace(round, "x"),
            Answer::Replaced,
        ));
        for other in 1..8 {
            let conflict = Answer::Conflict(live(round + 1, "x"));
            history.push(call(
                start + other,
                start + 50 + other,
                replace(round, "y"),
                conflict,
            ));
            history.push(lost(start + 20 + other, replace(0, "z")));
        }
    }
    possible(&history);
}
