//! Operations in groups: one statement for many sessions. None waits for a row that another transaction holds; what is
//! about such a row is answered with `None`, and tried again by itself.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use fasthttpsession_store_common::Group;

use crate::connections::Connections;
use crate::database::Database;
use crate::error::unless_thwarted;

/// The answer, or `None` if the call must be made alone, and patiently.
pub(crate) type Answer<T> = Result<Option<T>, StoreError>;

/// Whether a statement may wait for rows that others hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Never,
    Patiently,
}

/// An operation that can be made on many sessions at once. Its clones are cheap, for it goes through many hands.
pub(crate) trait Operation: Clone + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// [`Group::handle`].
    fn handle(&self) -> Option<Handle>;

    fn run(
        database: &Database,
        calls: &[Self],
        waiting: Waiting,
    ) -> impl Future<Output = Result<Vec<Answer<Self::Answer>>, StoreError>> + Send;
}

/// Groups of one kind of operation.
pub(crate) struct Groups<O> {
    database: Arc<Database>,
    operation: PhantomData<fn() -> O>,
}

impl<O> Groups<O> {
    pub(crate) fn of(database: &Arc<Database>) -> Self {
        Self {
            database: Arc::clone(database),
            operation: PhantomData,
        }
    }
}

impl<O: Operation> Group for Groups<O> {
    type Call = O;
    type Answer = Option<O::Answer>;

    fn handle(call: &O) -> Option<Handle> {
        call.handle()
    }

    async fn run(&self, calls: Vec<O>) -> Vec<Answer<O::Answer>> {
        made(&self.database, calls, Waiting::Never).await
    }
}

/// The answers of calls that are made to their end, whoever gives up waiting for them.
pub(crate) async fn made<O: Operation>(
    database: &Arc<Database>,
    calls: Vec<O>,
    waiting: Waiting,
) -> Vec<Answer<O::Answer>> {
    let (database, count) = (Arc::clone(database), calls.len());
    let answers =
        Connections::finish(async move { O::run(&database, &calls, waiting).await }).await;
    let answers = answers.unwrap_or_else(|error| of_all(count, &error));
    let again = |answer| unless_thwarted(answer).map(Option::flatten);
    answers.into_iter().map(again).collect()
}

/// What a refusal of a whole group means to each call: if one of them has caused it, each gets a try of its own.
fn of_all<T>(count: usize, error: &StoreError) -> Vec<Answer<T>> {
    use StoreErrorKind::{Internal, TooLarge};
    let of_one = !error.may_have_applied() && matches!(error.kind(), TooLarge | Internal);
    let answer = || {
        if of_one && count > 1 {
            Ok(None)
        } else {
            Err(error.clone())
        }
    };
    (0..count).map(|_| answer()).collect()
}
