//! Turns without sessions: who gets them, and when a lane is closed.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::super::change::{Applied, Change, Updater};
use super::super::job::Aboard;
use super::*;
use crate::codec::Format;
use crate::csrf::Seed;
use crate::limits::Limits;
use crate::record::envelope::Control;
use crate::record::secrets::Secrets;
use crate::record::{Header, Record, commits::Commits};
use crate::time::Timestamp;
use crate::token::SecretHash;
use crate::values::{Rules, Values};

const HANDLE: Handle = Handle::from_bytes([7; Handle::BYTES]);

type Entering = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// One who wants a turn of their own, and has asked for it.
fn enter(lanes: &Arc<Lanes>) -> (Entering, Option<Turn>) {
    let lanes = Arc::clone(lanes);
    let mut entering: Entering = Box::pin(async move { lanes.enter(HANDLE, None).await });
    let turn = turn(&mut entering);
    (entering, turn)
}

fn turn(entering: &mut Entering) -> Option<Turn> {
    match entering.as_mut().now_or_never()? {
        Reply::Turn(turn) if turn.own.is_none() => Some(turn),
        _ => panic!("nobody handed in a log"),
    }
}

fn is_empty(lanes: &Lanes) -> bool {
    lanes.shard(HANDLE).lanes.is_empty()
}

#[test]
fn turns_are_taken_in_order_and_the_last_closes_the_lane() {
    let lanes = Arc::new(Lanes::new());
    let first = enter(&lanes).1.unwrap();
    let (mut second, none) = enter(&lanes);
    assert!(none.is_none());
    let (mut third, none) = enter(&lanes);
    assert!(none.is_none());
    drop(first);
    assert!(turn(&mut third).is_none());
    let next = turn(&mut second).unwrap();
    assert!(turn(&mut third).is_none());
    drop(next);
    assert!(!is_empty(&lanes));
    drop(turn(&mut third).unwrap());
    assert!(is_empty(&lanes));
}

#[test]
fn who_gave_up_waiting_is_passed_over() {
    let lanes = Arc::new(Lanes::new());
    let first = enter(&lanes).1.unwrap();
    let waiting: Vec<_> = (0..5).map(|_| enter(&lanes).0).collect();
    let (mut last, _) = enter(&lanes);
    drop(waiting);
    drop(first);
    drop(turn(&mut last).unwrap());
    assert!(is_empty(&lanes));
}

#[test]
fn a_turn_that_nobody_picked_up_is_passed_on() {
    let lanes = Arc::new(Lanes::new());
    let first = enter(&lanes).1.unwrap();
    let (second, _) = enter(&lanes);
    let (mut third, _) = enter(&lanes);
    drop(first);
    // The turn is in its hands, but it never looked.
    drop(second);
    drop(turn(&mut third).unwrap());
    assert!(is_empty(&lanes));
}

/// As if the turn had been waited for for as long as that.
fn lose_patience(lanes: &Lanes) {
    let mut shard = lanes.shard(HANDLE);
    let lane = shard.lanes.get_mut(&HANDLE).unwrap();
    lane.since = Instant::now().checked_sub(PATIENCE);
}

/// As in a runtime that does not run.
#[tokio::test]
async fn who_keeps_the_turn_and_is_not_polled_is_overtaken() {
    let lanes = Arc::new(Lanes::with_patience(Duration::from_millis(10)));
    let kept = enter(&lanes).1.unwrap();
    let (second, none) = enter(&lanes);
    assert!(none.is_none());
    let Reply::Turn(taken_over) = second.await else {
        panic!("nobody is aboard");
    };
    assert!(taken_over.own.is_none());
    // What is no turn any more closes no lane.
    drop(kept);
    let turn = lanes.shard(HANDLE).lanes[&HANDLE].turn;
    assert_eq!(turn, taken_over.number);
    drop(taken_over);
    assert!(is_empty(&lanes));
}

/// Its request gives up before it has waited for so long itself, and so did those before it.
#[tokio::test]
async fn who_waits_briefly_takes_over_what_others_have_waited_for_for_long() {
    let patience = Duration::from_millis(20);
    let lanes = Arc::new(Lanes::with_patience(patience));
    let _kept = enter(&lanes).1.unwrap();
    let mut tries = 0;
    let mut turn = loop {
        let (entering, turn) = enter(&lanes);
        if let Some(turn) = turn {
            break turn;
        }
        if let Ok(Reply::Turn(turn)) = timeout(patience * 3 / 4, entering).await {
            assert!(turn.own.is_none());
            break turn;
        }
        tries += 1;
        assert!(tries < 10, "nobody ever gets the turn");
    };
    assert!(turn.board().is_empty());
    assert!(lanes.shard(HANDLE).lanes[&HANDLE].waiting.is_empty());
}

#[test]
fn who_waits_for_long_in_a_lane_that_goes_on_takes_nothing_over() {
    let lanes = Arc::new(Lanes::new());
    let first = enter(&lanes).1.unwrap();
    let (mut second, none) = enter(&lanes);
    assert!(none.is_none());
    let (_third, none) = enter(&lanes);
    assert!(none.is_none());
    let number = lanes.shard(HANDLE).lanes[&HANDLE].waiting[1].number;
    let look = || lanes.look(HANDLE, number);
    assert!(matches!(look(), Look::Waits(_)));
    lose_patience(&lanes);
    drop(first);
    let kept = turn(&mut second).unwrap();
    assert!(matches!(look(), Look::Waits(_)));
    lose_patience(&lanes);
    assert!(matches!(look(), Look::TakesOver(turn) if turn.own.is_none()));
    drop(kept);
    assert!(is_empty(&lanes));
}

/// Who inherits a flight has only begun with it.
#[test]
fn who_inherits_what_others_have_waited_for_for_long_is_not_overtaken_at_once() {
    let lanes = Arc::new(Lanes::new());
    let mut first = enter(&lanes).1.unwrap();
    let (mut aboard, none) = enter(&lanes);
    assert!(none.is_none());
    let second = first_waiting(&lanes);
    let seat = Seat {
        number: second.number,
        job: job(Vec::new()),
        reply: Some(second.reply),
    };
    let mut under_way = flight();
    under_way.seats.push((seat, Applied::Fully));
    first.flight = Some(under_way);
    let (_third, none) = enter(&lanes);
    assert!(none.is_none());
    let number = lanes.shard(HANDLE).lanes[&HANDLE].waiting[0].number;
    lose_patience(&lanes);
    drop(first);
    let kept = turn(&mut aboard).unwrap();
    assert!(kept.flight.is_some());
    assert!(matches!(lanes.look(HANDLE, number), Look::Waits(_)));
    lose_patience(&lanes);
    assert!(matches!(
        lanes.look(HANDLE, number),
        Look::TakesOver(turn) if turn.own.is_none()
    ));
}

fn first_waiting(lanes: &Lanes) -> Waiting {
    let mut shard = lanes.shard(HANDLE);
    let lane = shard.lanes.get_mut(&HANDLE).unwrap();
    lane.waiting.pop_front().unwrap()
}

#[tokio::test]
async fn who_is_aboard_of_what_is_not_polled_goes_without_an_answer_in_the_end() {
    let lanes = Arc::new(Lanes::with_patience(Duration::from_millis(1)));
    let _kept = enter(&lanes).1.unwrap();
    let (aboard, none) = enter(&lanes);
    assert!(none.is_none());
    let seats = lanes
        .shard(HANDLE)
        .lanes
        .get_mut(&HANDLE)
        .unwrap()
        .waiting
        .split_off(0);
    assert!(matches!(
        aboard.await,
        Reply::Done(Done { end: Err(_), .. })
    ));
    drop(seats);
}

#[test]
fn who_gave_up_just_now_takes_neither_the_turn_nor_its_flight_along() {
    let lanes = Arc::new(Lanes::new());
    let mut first = enter(&lanes).1.unwrap();
    let (mut second, none) = enter(&lanes);
    assert!(none.is_none());
    first.flight = Some(flight());
    first.newest = Some(stored());
    let (reply, answer) = oneshot::channel();
    drop(answer);
    assert!(!first.hand_to(Waiting {
        number: 0,
        job: None,
        reply
    }));
    assert!(first.flight.is_some() && first.newest.is_some());
    assert!(turn(&mut second).is_none());
    drop(first);
    assert!(turn(&mut second).unwrap().newest.is_some());
}

/// What it holds may be a commit under way, even of a session whose lane is behind the same lock.
#[test]
fn a_log_that_was_given_up_is_dropped_outside_of_the_lock() {
    let (done, ended) = mpsc::channel();
    // It would hang in the lock of its own thread.
    thread::spawn(move || {
        let lanes = Arc::new(Lanes::new());
        let mut neighbour = [0; Handle::BYTES];
        neighbour[0] = HANDLE.as_bytes()[0];
        for leaves in [|mut turn: Turn| assert!(turn.board().is_empty()), drop] {
            let entering = lanes.enter(Handle::from_bytes(neighbour), None);
            let Some(Reply::Turn(held)) = entering.now_or_never() else {
                panic!("it is alone");
            };
            assert!(held.own.is_none());
            let turn = enter(&lanes).1.unwrap();
            let entering = lanes.enter(HANDLE, Some(job_that_holds(held)));
            assert!(entering.now_or_never().is_none());
            leaves(turn);
            assert!(is_empty(&lanes));
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(10)).unwrap();
}

fn job_that_holds(turn: Turn) -> Box<Job> {
    let updater: Updater = Box::new(move |_| {
        let _ = &turn;
        unreachable!("it was given up")
    });
    let key = "n".into();
    job(vec![Change::Update { key, updater }])
}

fn job(changes: Vec<Change>) -> Box<Job> {
    Box::new(Job {
        authority: None,
        changes,
        known: stored(),
        view: None,
        conflicts: 0,
        alone: false,
        silent: false,
    })
}

/// A flight with nobody aboard who waits.
fn flight() -> Box<Flight> {
    let stored = stored();
    let record = Record {
        header: stored.header.clone(),
        body: Bytes::new(),
    };
    let swap = Swap {
        expected: 1,
        record,
        commit: 1,
        now: NOW,
        stored,
    };
    Box::new(Flight {
        seats: Aboard::new(),
        swap,
    })
}

const NOW: Timestamp = Timestamp::from_millis(1);

fn stored() -> Arc<Stored> {
    let secret = SecretHash::from_bytes([1; SecretHash::BYTES]);
    let header = Header {
        version: 2,
        created_at: NOW,
        idle_deadline: NOW,
        absolute_deadline: NOW,
        principal: None,
        label: None,
    };
    let control = Control {
        sign_in: 0,
        csrf: Seed::of(&secret),
        stamp: None,
        since: NOW,
        lifetimes: None,
        secrets: Secrets::one(secret, NOW),
        commits: Commits::default(),
    };
    let rules = Rules {
        format: Format::Json,
        limits: Limits::default(),
    };
    Arc::new(Stored {
        header,
        control,
        values: Values::empty(rules),
    })
}

#[test]
fn when_all_gave_up_the_lane_is_closed() {
    let lanes = Arc::new(Lanes::new());
    let mut first = enter(&lanes).1.unwrap();
    let waiting: Vec<_> = (0..5).map(|_| enter(&lanes).0).collect();
    drop(waiting);
    assert!(first.board().is_empty());
    drop(first);
    assert!(is_empty(&lanes));
}
