//! Calls that would wait for each other anyway, made together: one statement for many sessions.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use futures_channel::oneshot;
use tokio::runtime;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::PerRuntime;

/// How long after a group of several has begun calls have company: as long as one takes on a server that is near. On one that
/// is far away groups go side by side.
const COMPANY: Duration = Duration::from_millis(2);
/// So many calls wait for no others: a group that is larger costs each of them hardly less.
const ENOUGH: usize = 32;

/// One kind of call that can be made for many sessions at once.
pub trait Group: Send + Sync + 'static {
    /// What a caller asks for.
    type Call: Send + 'static;
    /// What a caller gets.
    type Answer: Send + 'static;

    /// The session that no group may have a second call for, because this one changes it; `None` of a call that may stand
    /// beside any, like a read.
    fn handle(call: &Self::Call) -> Option<Handle>;

    /// Makes `calls`, which are in the order of those handles, and answers each: as many answers, in the same order.
    /// A call that stands alone comes alone. May be dropped at any await point.
    fn run(
        &self,
        calls: Vec<Self::Call>,
    ) -> impl Future<Output = Vec<Result<Self::Answer, StoreError>>> + Send;
}

/// How much goes on at once.
#[derive(Clone, Copy, Debug)]
pub struct GroupLimits {
    /// The most groups of a runtime under way at once; at least 1.
    pub at_once: usize,
    /// The most calls in a group; at least 1.
    pub calls: usize,
    /// The most calls of a runtime that wait; one more is refused as [`Unavailable`](StoreErrorKind::Unavailable).
    pub waiting: usize,
}

/// Makes calls in groups. A call that finds none under way is made at once, by its caller, alone. One that finds fewer
/// groups under way than [`at_once`](GroupLimits::at_once), or none but that one of several calls began less than 2 ms ago,
/// has the tasks run first that are ready, and makes one group with those that call too; if such a group is still under way,
/// it waits for any to end, or for 32 calls, but no longer than 2 ms. Further calls wait, and are one group as soon as one has
/// ended; if that one's calls had waited too, tasks that are ready run before, and may join. So a lone call waits for nobody,
/// and the busier it is, the larger the groups are.
///
/// A caller may give up: a call that waits is then not made, one that is under way may be. If the first of those that wait
/// gives up, the others wait no longer. What a group leaves, such as a second call for a session of it, waits for company in
/// the same way. So does what would join a group whose thread is held up before it is made: it is made without it then, if one
/// more may be under way.
///
/// Each runtime has its own groups, for one that does not run at present must not hold up others.
pub struct Grouped<G: Group>(PerRuntime<Inner<G>>);

/// The groups of a runtime.
struct Inner<G: Group> {
    group: Arc<G>,
    limits: GroupLimits,
    runtime: runtime::Handle,
    queue: Mutex<Queue<G>>,
}

struct Queue<G: Group> {
    under_way: usize,
    /// Whether one of those under way still has others join it.
    gathering: bool,
    /// When the last group of several calls began.
    several_began: Option<Instant>,
    waiting: VecDeque<Waiting<G>>,
}

struct Waiting<G: Group> {
    call: G::Call,
    reply: oneshot::Sender<Result<G::Answer, StoreError>>,
    /// Whether somebody sees that those that wait don't do so for long, as long as this call is one of them. It goes with
    /// the call, for who has had an answer may be long in looking at it.
    lingers: bool,
}

/// What a caller is to do.
enum Next<G: Group> {
    /// Make the call itself.
    Make(Slot<G>, G::Call),
    /// See who joins, and that it is made with them.
    Gather(Slot<G>, G::Call),
    /// Wait for whoever makes it.
    Wait(Answer<G>),
    /// Wait for company, and see that nobody waits long.
    Linger(Answer<G>),
}

type Answer<G> = oneshot::Receiver<Result<<G as Group>::Answer, StoreError>>;

/// The right to have a group under way. Dropped, it goes to those who wait.
struct Slot<G: Group>(Arc<Inner<G>>);

impl<G: Group> Grouped<G> {
    /// Makes calls by `group`.
    pub fn new(group: G, limits: GroupLimits) -> Self {
        let group = Arc::new(group);
        Self(PerRuntime::new(move || Inner {
            group: Arc::clone(&group),
            limits,
            runtime: runtime::Handle::current(),
            queue: Mutex::new(Queue {
                under_way: 0,
                gathering: false,
                several_began: None,
                waiting: VecDeque::new(),
            }),
        }))
    }

    /// Makes `call`, alone or with others. Needs a tokio runtime, which may have to make those of others who wait.
    pub async fn call(&self, call: G::Call) -> Result<G::Answer, StoreError> {
        let inner = self.0.get();
        let (slot, call) = match Inner::enter(&inner, call)? {
            Next::Make(slot, call) => (slot, call),
            Next::Gather(slot, call) => match slot.gather(call).await {
                Ok(answer) => return received(answer).await,
                Err(nobody_joined) => nobody_joined,
            },
            Next::Wait(answer) => return received(answer).await,
            Next::Linger(answer) => return inner.linger(answer).await,
        };
        slot.run_alone(call).await
    }
}

impl<G: Group> Inner<G> {
    fn enter(this: &Arc<Self>, call: G::Call) -> Result<Next<G>, StoreError> {
        let mut queue = this.lock();
        let is_only = queue.under_way == 0;
        if is_only && !queue.is_busy() {
            queue.under_way = 1;
            return Ok(Next::Make(Slot(Arc::clone(this)), call));
        }
        let may_begin = queue.under_way < this.limits.at_once;
        if may_begin && !queue.gathering && (is_only || !queue.has_company()) {
            queue.under_way += 1;
            queue.gathering = true;
            return Ok(Next::Gather(Slot(Arc::clone(this)), call));
        }
        if queue.waiting.len() >= this.limits.waiting {
            return Err(too_many(this.limits.waiting));
        }
        let lingers = may_begin && !queue.is_attended();
        let answer = queue.push(call, lingers);
        Ok(if lingers {
            Next::Linger(answer)
        } else {
            Next::Wait(answer)
        })
    }

    /// Has those that wait be made after a moment, if nobody has made them by then, or as soon as this caller gives up.
    async fn linger(self: &Arc<Self>, answer: Answer<G>) -> Result<G::Answer, StoreError> {
        let others = Others(self);
        // Of a caller who gives up it is dropped first: nobody makes that call.
        let mut answer = answer;
        if let Ok(answer) = timeout(COMPANY, received(&mut answer)).await {
            mem::forget(others);
            return answer;
        }
        if self.lock().waits(&answer) {
            drop(others);
        } else {
            // It is being made, and who waits by now has somebody else.
            mem::forget(others);
        }
        received(answer).await
    }

    /// The same for what a group has left. Those callers wait for answers only.
    fn linger_for_those_left(self: &Arc<Self>) {
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            let _others = Others(&this);
            sleep(COMPANY).await;
        });
    }

    fn lock(&self) -> MutexGuard<'_, Queue<G>> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G: Group> Slot<G> {
    /// Has those join that are ready to, and all of them made by a task of its own, for this caller may give up. If nobody
    /// joins, `call` comes back.
    async fn gather(self, call: G::Call) -> Result<Answer<G>, (Self, G::Call)> {
        let open = Open(&self.0);
        yield_now().await;
        drop(open);
        let joined = self.0.lock().join(call);
        joined.map_err(|call| (self, call))
    }

    async fn run_alone(self, call: G::Call) -> Result<G::Answer, StoreError> {
        let answers = self.0.group.run(vec![call]).await;
        answers
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(forsaken()))
    }

    /// Makes those calls that wait, group after group. Before each but the first the tasks run that are ready, for those of
    /// them that call make it larger.
    async fn serve(self, mut group: Vec<Waiting<G>>) {
        while !group.is_empty() {
            self.run(group).await;
            yield_now().await;
            let left;
            (group, left) = self.0.lock().next_group(self.0.limits);
            if left {
                self.0.linger_for_those_left();
            }
        }
    }

    async fn run(&self, group: Vec<Waiting<G>>) {
        let (calls, replies): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.call, waiting.reply))
            .unzip();
        for (reply, answer) in replies.into_iter().zip(self.0.group.run(calls).await) {
            // Whoever gave up wants no answer.
            let _ = reply.send(answer);
        }
    }
}

impl<G: Group> Drop for Slot<G> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        let (group, left) = queue.next_group(self.0.limits);
        if group.is_empty() {
            queue.under_way -= 1;
            return;
        }
        drop(queue);
        if left {
            self.0.linger_for_those_left();
        }
        let heir = Self(Arc::clone(&self.0));
        self.0.runtime.spawn(heir.serve(group));
    }
}

/// Those that wait for company. Dropped, they wait no longer, if there may be one more group; also the caller who would see
/// to that may give up.
struct Others<'a, G: Group>(&'a Arc<Inner<G>>);

impl<G: Group> Drop for Others<'_, G> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        if queue.under_way < self.0.limits.at_once {
            queue.under_way += 1;
            drop(queue);
            // Goes to those who wait.
            drop(Slot(Arc::clone(self.0)));
        }
    }
}

/// As long as it is there, calls wait for the one that is to be made next. Also the caller of that one may give up.
struct Open<'a, G: Group>(&'a Inner<G>);

impl<G: Group> Drop for Open<'_, G> {
    fn drop(&mut self) {
        self.0.lock().gathering = false;
    }
}

impl<G: Group> Queue<G> {
    /// Has `call` wait.
    fn push(&mut self, call: G::Call, lingers: bool) -> Answer<G> {
        let (waiting, answer) = Waiting::new(call, lingers);
        self.waiting.push_back(waiting);
        answer
    }

    /// Has `call` wait before those that wait, if there are any.
    fn join(&mut self, call: G::Call) -> Result<Answer<G>, G::Call> {
        if self.waiting.is_empty() {
            return Err(call);
        }
        let (waiting, answer) = Waiting::new(call, false);
        self.waiting.push_front(waiting);
        Ok(answer)
    }

    /// Whether a group of several has just begun, so that others are likely to call as well.
    fn is_busy(&self) -> bool {
        self.several_began
            .is_some_and(|began| began.elapsed() < COMPANY)
    }

    /// Whether one more call had better wait, for it would go with few.
    fn has_company(&self) -> bool {
        self.waiting.len() + 1 < ENOUGH && self.is_busy()
    }

    /// Whether the call that is to get `answer` waits.
    fn waits(&self, answer: &Answer<G>) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|waiting| waiting.reply.is_connected_to(answer))
    }

    /// Whether somebody sees that those that wait don't do so for long.
    fn is_attended(&self) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|waiting| waiting.lingers && !waiting.reply.is_canceled())
    }

    /// A group, and whether it leaves some to whom somebody is to see now, for one more may begin.
    fn next_group(&mut self, limits: GroupLimits) -> (Vec<Waiting<G>>, bool) {
        let group = self.take_group(limits.calls.max(1));
        let is_left = self.under_way < limits.at_once && !self.is_attended();
        let left = self.waiting.front_mut().filter(|_| is_left);
        let left = left.map(|first| first.lingers = true);
        (group, left.is_some())
    }

    /// The first calls that wait, in the order of their handles, and no two that change one session. A second one stays, and
    /// keeps its place.
    fn take_group(&mut self, most: usize) -> Vec<Waiting<G>> {
        let (mut group, mut left, mut handles) = (Vec::new(), VecDeque::new(), HashSet::new());
        while group.len() < most
            && let Some(waiting) = self.waiting.pop_front()
        {
            if waiting.reply.is_canceled() {
                continue;
            }
            if G::handle(&waiting.call).is_none_or(|handle| handles.insert(handle)) {
                group.push(waiting);
            } else {
                left.push_back(waiting);
            }
        }
        left.append(&mut self.waiting);
        self.waiting = left;
        if group.len() > 1 {
            self.several_began = Some(Instant::now());
        }
        group.sort_by_key(|waiting| G::handle(&waiting.call).map(|handle| *handle.as_bytes()));
        group
    }
}

impl<G: Group> Waiting<G> {
    fn new(call: G::Call, lingers: bool) -> (Self, Answer<G>) {
        let (reply, answer) = oneshot::channel();
        let waiting = Self {
            call,
            reply,
            lingers,
        };
        (waiting, answer)
    }
}

async fn received<T>(
    answer: impl Future<Output = Result<Result<T, StoreError>, oneshot::Canceled>>,
) -> Result<T, StoreError> {
    answer
        .await
        .unwrap_or_else(|oneshot::Canceled| Err(forsaken()))
}

fn too_many(limit: usize) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("{limit} calls wait for the store already, which is as many as may"),
    )
    .not_applied()
}

/// The group panicked, or the runtime has ended and its caller is polled by another.
fn forsaken() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "the call was abandoned by the task that made it",
    )
}
