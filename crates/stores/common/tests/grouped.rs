//! Calls made together: who waits for whom, and what each is answered.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::array;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use fasthttpsession_store_common::{Group, GroupLimits, Grouped};
use futures_util::FutureExt as _;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, timeout};

/// Answers each call with ten times its number; 13 fails. Each group waits for a permit, and is noted when it begins.
struct Gated {
    begun: mpsc::UnboundedSender<Vec<u32>>,
    permits: Arc<Semaphore>,
}

/// How long a group may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of a call that may stand beside any.
const READ: u8 = 0xff;

#[derive(Clone, Copy)]
struct Call {
    handle: u8,
    number: u32,
}

impl Group for Gated {
    type Call = Call;
    type Answer = u32;

    fn handle(call: &Call) -> Option<Handle> {
        (call.handle != READ).then(|| Handle::from_bytes([call.handle; 16]))
    }

    async fn run(&self, calls: Vec<Call>) -> Vec<Result<u32, StoreError>> {
        let numbers: Vec<_> = calls.iter().map(|call| call.number).collect();
        self.begun.send(numbers.clone()).unwrap();
        self.permits.acquire().await.unwrap().forget();
        numbers.into_iter().map(answer).collect()
    }
}

fn answer(number: u32) -> Result<u32, StoreError> {
    match number {
        13 => Err(StoreError::new(StoreErrorKind::TooLarge, "13 is too much")),
        number => Ok(number * 10),
    }
}

struct Stage {
    grouped: Arc<Grouped<Gated>>,
    begun: mpsc::UnboundedReceiver<Vec<u32>>,
    permits: Arc<Semaphore>,
}

type Running = JoinHandle<Result<u32, StoreError>>;

impl Stage {
    fn new(limits: GroupLimits) -> Self {
        let (sender, begun) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(0));
        let gated = Gated {
            begun: sender,
            permits: Arc::clone(&permits),
        };
        Self {
            grouped: Arc::new(Grouped::new(gated, limits)),
            begun,
            permits,
        }
    }

    /// Makes a call and lets it get as far as it can.
    async fn call(&self, handle: u8, number: u32) -> Running {
        let grouped = Arc::clone(&self.grouped);
        let call = tokio::spawn(async move { grouped.call(Call { handle, number }).await });
        // In a runtime of one thread, whoever was made ready goes first.
        yield_now().await;
        call
    }

    /// Makes tasks ready that call, and none of which has run yet.
    fn ready<const N: usize>(&self, calls: [(u8, u32); N]) -> [Running; N] {
        calls.map(|(handle, number)| {
            let grouped = Arc::clone(&self.grouped);
            tokio::spawn(async move { grouped.call(Call { handle, number }).await })
        })
    }

    async fn begun(&mut self) -> Vec<u32> {
        let begun = timeout(PATIENCE, self.begun.recv()).await;
        begun.expect("no group begins").unwrap()
    }

    /// Of a clock that stands still as long as there is something to do.
    async fn begun_at_once(&mut self) -> Vec<u32> {
        let since = Instant::now();
        let begun = self.begun().await;
        assert_eq!(since.elapsed(), Duration::ZERO);
        begun
    }

    /// Calls 0, alone, and then 1 and 2 together.
    async fn begin_a_group_of_two(&mut self) -> Vec<Running> {
        let mut calls = vec![self.call(0, 0).await];
        assert_eq!(self.begun().await, [0]);
        calls.extend(self.ready([(1, 1), (2, 2)]));
        assert_eq!(self.begun().await, [1, 2]);
        calls
    }

    fn let_one_end(&self) {
        self.permits.add_permits(1);
    }
}

const ONE: GroupLimits = GroupLimits {
    at_once: 1,
    calls: 3,
    waiting: 10,
};

#[tokio::test]
async fn a_lone_call_is_made_at_once_and_those_that_come_meanwhile_together() {
    let mut stage = Stage::new(ONE);
    let first = stage.call(9, 1).await;
    assert_eq!(stage.begun().await, [1]);
    let (second, third) = (stage.call(5, 2).await, stage.call(4, 3).await);
    stage.let_one_end();
    assert_eq!(first.await.unwrap().unwrap(), 10);
    assert_eq!(stage.begun().await, [3, 2], "in the order of their handles");
    stage.let_one_end();
    assert_eq!(second.await.unwrap().unwrap(), 20);
    assert_eq!(third.await.unwrap().unwrap(), 30);
}

#[tokio::test]
async fn a_group_has_one_call_for_a_session_and_keeps_to_its_size() {
    let mut stage = Stage::new(ONE);
    let mut calls = vec![stage.call(0, 0).await];
    for (handle, number) in [(1, 1), (1, 2), (2, 3), (1, 4), (3, 5), (4, 6)] {
        calls.push(stage.call(handle, number).await);
    }
    stage.permits.add_permits(5);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.begun().await, [0]);
    assert_eq!(stage.begun().await, [1, 3, 5]);
    assert_eq!(stage.begun().await, [2, 6]);
    assert_eq!(stage.begun().await, [4]);
}

#[tokio::test]
async fn reads_stand_in_one_group_whichever_session_they_are_of_and_keep_their_order() {
    let mut stage = Stage::new(ONE);
    let first = stage.call(READ, 1).await;
    assert_eq!(stage.begun().await, [1]);
    let mut calls = vec![first];
    for number in 2..=5 {
        calls.push(stage.call(READ, number).await);
    }
    stage.permits.add_permits(calls.len());
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.begun().await, [2, 3, 4]);
    assert_eq!(stage.begun().await, [5]);
}

#[tokio::test]
async fn a_call_that_fails_leaves_its_neighbours_alone() {
    let mut stage = Stage::new(ONE);
    let first = stage.call(0, 0).await;
    let (bad, good) = (stage.call(1, 13).await, stage.call(2, 14).await);
    stage.permits.add_permits(2);
    first.await.unwrap().unwrap();
    assert_eq!(
        bad.await.unwrap().unwrap_err().kind(),
        StoreErrorKind::TooLarge
    );
    assert_eq!(good.await.unwrap().unwrap(), 140);
    assert_eq!(stage.begun().await, [0]);
    assert_eq!(stage.begun().await, [13, 14]);
}

#[tokio::test]
async fn more_than_may_wait_are_refused_and_certainly_not_made() {
    let stage = Stage::new(GroupLimits { waiting: 1, ..ONE });
    let (first, second) = (stage.call(0, 0).await, stage.call(1, 1).await);
    let refused = stage.call(2, 2).await.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    assert!(!refused.may_have_applied());
    stage.permits.add_permits(2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_who_gives_up_in_the_middle_holds_up_nobody() {
    let mut stage = Stage::new(ONE);
    let first = stage.call(0, 0).await;
    assert_eq!(stage.begun().await, [0]);
    let (gives_up, stays) = (stage.call(1, 1).await, stage.call(2, 2).await);
    gives_up.abort();
    assert!(gives_up.await.unwrap_err().is_cancelled());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(stage.begun().await, [2], "who gave up is not made");
    stage.let_one_end();
    assert_eq!(stays.await.unwrap().unwrap(), 20);
    let last = stage.call(3, 3).await;
    assert_eq!(stage.begun().await, [3]);
    stage.let_one_end();
    assert_eq!(last.await.unwrap().unwrap(), 30);
}

#[tokio::test]
async fn as_many_groups_as_may_are_under_way_at_once() {
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    let calls = [
        stage.call(0, 0).await,
        stage.call(1, 1).await,
        stage.call(2, 2).await,
    ];
    assert_eq!(
        (stage.begun().await, stage.begun().await),
        (vec![0], vec![1])
    );
    assert!(stage.begun.try_recv().is_err(), "the third has to wait");
    stage.permits.add_permits(3);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.begun().await, [2]);
}

#[tokio::test]
async fn calls_of_tasks_that_are_ready_together_are_one_group_while_others_are_under_way() {
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    let first = stage.call(0, 0).await;
    assert_eq!(stage.begun().await, [0]);
    let calls = stage.ready([(3, 1), (2, 2), (1, 3)]);
    assert_eq!(stage.begun().await, [3, 2, 1]);
    stage.permits.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap(), 0);
    for (call, answer) in calls.into_iter().zip([10, 20, 30]) {
        assert_eq!(call.await.unwrap().unwrap(), answer);
    }
}

#[tokio::test]
async fn who_calls_again_once_answered_joins_the_group_that_follows() {
    let mut stage = Stage::new(ONE);
    let first = stage.call(0, 0).await;
    assert_eq!(stage.begun().await, [0]);
    let grouped = Arc::clone(&stage.grouped);
    let twice = tokio::spawn(async move {
        for number in [1, 4] {
            grouped.call(Call { handle: 1, number }).await.unwrap();
        }
    });
    let second = stage.call(2, 2).await;
    stage.let_one_end();
    assert_eq!(stage.begun().await, [1, 2]);
    let third = stage.call(3, 3).await;
    stage.let_one_end();
    assert_eq!(stage.begun().await, [4, 3]);
    stage.let_one_end();
    for call in [first, second, third] {
        call.await.unwrap().unwrap();
    }
    twice.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_group_of_several_has_others_wait_for_a_moment_and_no_longer() {
    let mut stage = Stage::new(GroupLimits { at_once: 3, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    advance(Duration::from_millis(1)).await;
    calls.push(stage.call(3, 3).await);
    calls.push(stage.call(4, 4).await);
    yield_now().await;
    assert!(stage.begun.try_recv().is_err(), "those two wait");
    advance(Duration::from_millis(1)).await;
    calls.push(stage.call(5, 5).await);
    assert_eq!(stage.begun_at_once().await, [3, 4, 5]);
    stage.permits.add_permits(3);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_for_a_group_of_several_go_as_soon_as_any_ends() {
    let mut stage = Stage::new(GroupLimits { at_once: 3, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    calls.push(stage.call(3, 3).await);
    stage.let_one_end();
    assert_eq!(stage.begun().await, [3]);
    stage.permits.add_permits(2);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_that_their_group_would_gain_little_wait_for_none() {
    let mut stage = Stage::new(GroupLimits {
        at_once: 3,
        calls: 64,
        waiting: 64,
    });
    let mut calls = stage.begin_a_group_of_two().await;
    for _ in 0..31 {
        calls.push(stage.call(READ, 3).await);
    }
    yield_now().await;
    assert!(stage.begun.try_recv().is_err(), "31 wait");
    calls.push(stage.call(READ, 3).await);
    assert_eq!(stage.begun_at_once().await, [3; 32]);
    stage.permits.add_permits(3);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_for_a_group_of_several_are_made_though_it_hangs_and_nobody_else_calls() {
    let mut stage = Stage::new(GroupLimits { at_once: 3, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    let since = Instant::now();
    calls.push(stage.call(3, 3).await);
    calls.push(stage.call(4, 4).await);
    assert_eq!(stage.begun().await, [3, 4]);
    assert!(since.elapsed() <= Duration::from_millis(3));
    stage.permits.add_permits(3);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

/// What a group leaves for those who call next: a second call for a session of it.
#[tokio::test(start_paused = true)]
async fn who_joins_what_a_hung_group_has_left_waits_no_longer_than_others() {
    let mut stage = Stage::new(GroupLimits { at_once: 4, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    for (handle, number) in [(3, 3), (3, 4), (5, 5)] {
        calls.push(stage.call(handle, number).await);
    }
    assert_eq!(stage.begun().await, [3, 5]);
    let since = Instant::now();
    advance(Duration::from_millis(1)).await;
    calls.push(stage.call(6, 6).await);
    assert_eq!(stage.begun().await, [4, 6]);
    assert!(since.elapsed() <= Duration::from_millis(4));
    stage.permits.add_permits(4);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_hung_group_has_left_is_made_though_nobody_else_calls() {
    let mut stage = Stage::new(GroupLimits { at_once: 4, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    calls.push(stage.call(3, 3).await);
    calls.push(stage.call(3, 4).await);
    assert_eq!(stage.begun().await, [3]);
    let since = Instant::now();
    assert_eq!(stage.begun().await, [4]);
    assert!(since.elapsed() <= Duration::from_millis(3));
    stage.permits.add_permits(4);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_those_that_waited_is_answered_and_those_who_wait_then_wait_on() {
    let mut stage = Stage::new(GroupLimits { at_once: 3, ..ONE });
    let mut calls = stage.begin_a_group_of_two().await;
    let grouped = Arc::clone(&stage.grouped);
    let third = Call {
        handle: 3,
        number: 3,
    };
    let mut third = pin!(grouped.call(third));
    assert!(third.as_mut().now_or_never().is_none(), "3 waits");
    calls.push(stage.call(4, 4).await);
    stage.let_one_end();
    assert_eq!(stage.begun().await, [3, 4]);
    calls.push(stage.call(5, 5).await);
    stage.let_one_end();
    assert_eq!(stage.begun().await, [5]);
    stage.let_one_end();
    assert_eq!(calls.remove(3).await.unwrap().unwrap(), 40);
    yield_now().await;
    // It calls before 3 has seen its answer, and when the group of 3 has ended.
    calls.push(stage.call(6, 6).await);
    let answer = third.as_mut().now_or_never();
    assert_eq!(answer.expect("3 has its answer").unwrap(), 30);
    yield_now().await;
    assert!(stage.begun.try_recv().is_err(), "6 waits for 5");
    stage.permits.add_permits(2);
    for (number, call) in [0, 1, 2, 5, 6].into_iter().zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_those_that_wait_gives_up_and_the_others_go_at_once() {
    let mut stage = Stage::new(GroupLimits { at_once: 3, ..ONE });
    let hung = stage.begin_a_group_of_two().await;
    let (first, second) = (stage.call(3, 3).await, stage.call(4, 4).await);
    yield_now().await;
    assert!(stage.begun.try_recv().is_err(), "those two wait");
    first.abort();
    assert_eq!(stage.begun_at_once().await, [4]);
    stage.permits.add_permits(3);
    assert_eq!(second.await.unwrap().unwrap(), 40);
    for call in hung {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_none_under_way_has_others_join_only_just_after_a_group_of_several() {
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    let busy = stage.begin_a_group_of_two().await;
    stage.permits.add_permits(2);
    for call in busy {
        call.await.unwrap().unwrap();
    }
    let together = stage.ready([(1, 1), (2, 2)]);
    assert_eq!(stage.begun_at_once().await, [1, 2]);
    stage.let_one_end();
    for call in together {
        call.await.unwrap().unwrap();
    }
    advance(Duration::from_millis(2)).await;
    let apart = stage.ready([(1, 1), (2, 2)]);
    assert_eq!(stage.begun_at_once().await, [1]);
    stage.permits.add_permits(2);
    for call in apart {
        call.await.unwrap().unwrap();
    }
    assert_eq!(stage.begun().await, [2]);
}

/// Nor does one whose thread is held up: no other takes up what has yielded there.
#[tokio::test(start_paused = true)]
async fn a_caller_who_is_not_polled_before_others_have_joined_holds_up_nobody() {
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    let first = stage.call(0, 0).await;
    assert_eq!(stage.begun().await, [0]);
    let grouped = Arc::clone(&stage.grouped);
    let mut held_up = pin!(grouped.call(Call {
        handle: 1,
        number: 1
    }));
    assert!(held_up.as_mut().now_or_never().is_none());
    stage.let_one_end();
    assert_eq!(first.await.unwrap().unwrap(), 0);
    let joins = stage.ready([(2, 2), (3, 3)]);
    assert_eq!(stage.begun().await, [2, 3]);
    stage.permits.add_permits(2);
    for (call, answer) in joins.into_iter().zip([20, 30]) {
        assert_eq!(call.await.unwrap().unwrap(), answer);
    }
    assert_eq!(held_up.await.unwrap(), 10);
}

#[tokio::test]
async fn a_caller_who_gives_up_before_others_have_joined_holds_up_nobody() {
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    let other = stage.call(0, 0).await;
    assert_eq!(stage.begun().await, [0]);
    let [first, second] = stage.ready([(1, 1), (2, 2)]);
    yield_now().await;
    first.abort();
    assert_eq!(stage.begun().await, [2]);
    stage.permits.add_permits(2);
    assert_eq!(second.await.unwrap().unwrap(), 20);
    assert_eq!(other.await.unwrap().unwrap(), 0);
    assert!(first.await.unwrap_err().is_cancelled());
}

/// Whether a call of its was under way, or was waiting for others to join.
#[test]
fn a_runtime_that_stops_with_calls_under_way_holds_up_no_other() {
    let runtime = || Builder::new_current_thread().enable_time().build().unwrap();
    let runtimes: [_; 3] = array::from_fn(|_| runtime());
    let mut stage = Stage::new(GroupLimits { at_once: 2, ..ONE });
    runtimes[0].block_on(async {
        stage.call(0, 0).await;
        assert_eq!(stage.begun().await, [0]);
    });
    runtimes[1].block_on(async {
        stage.begin_a_group_of_two().await;
        // One for each group that has begun, also where nobody runs it, and one for what comes.
        stage.permits.add_permits(4);
        stage.ready([(3, 3)]);
        yield_now().await;
    });
    let answer = runtimes[2].block_on(async {
        let call = stage.call(4, 4).await;
        timeout(PATIENCE, call).await
    });
    assert_eq!(answer.expect("it is held up").unwrap().unwrap(), 40);
}

/// Where one group panics, after it has said so.
struct Panics(Mutex<Option<oneshot::Sender<()>>>);

impl Group for Panics {
    type Call = u8;
    type Answer = u8;

    fn handle(call: &u8) -> Option<Handle> {
        Some(Handle::from_bytes([*call; 16]))
    }

    async fn run(&self, calls: Vec<u8>) -> Vec<Result<u8, StoreError>> {
        let about_to_panic = self.0.lock().unwrap().take();
        if let Some(told) = about_to_panic {
            told.send(()).unwrap();
            yield_now().await;
            panic!("this group was told to panic");
        }
        calls.into_iter().map(Ok).collect()
    }
}

#[tokio::test]
async fn a_group_that_panics_takes_no_other_with_it() {
    let (told, about_to_panic) = oneshot::channel();
    let panics = Panics(Mutex::new(Some(told)));
    let grouped = Arc::new(Grouped::new(panics, ONE));
    let call = |number| {
        let grouped = Arc::clone(&grouped);
        tokio::spawn(async move { grouped.call(number).await })
    };
    let first = call(1);
    about_to_panic.await.unwrap();
    let second = call(2);
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(second.await.unwrap().unwrap(), 2);
    assert_eq!(call(3).await.unwrap().unwrap(), 3);
}
