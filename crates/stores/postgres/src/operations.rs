//! Every operation on a session by its handle, each of one session or of many by one statement.

use std::collections::HashSet;
use std::sync::Arc;

use fasthttpsession_core::{Created, Deleted, Handle, Record, Replaced, StoreError, Touched};
use fasthttpsession_store_common::{Create, Delete, Load, Replace, Touch};

use crate::database::Database;
use crate::groups::{Answer, Operation, Waiting};
use crate::row::{Columns, Held, Key, millis};

impl Operation for Arc<Create> {
    type Answer = Created;

    fn handle(&self) -> Option<Handle> {
        Some(self.handle)
    }

    /// In a group, whatever is there already stands in the way; alone, an expired record does not.
    async fn run(
        database: &Database,
        calls: &[Self],
        waiting: Waiting,
    ) -> Result<Vec<Answer<Created>>, StoreError> {
        let mut columns = Columns::default();
        for call in calls {
            columns.push(call.handle, &call.record, call.now);
        }
        let created = database
            .written(
                &database.statements.create,
                calls.len(),
                waiting,
                &columns.parameters(),
            )
            .await?;
        let answer = |call: &Self| match (created.contains(&call.handle), waiting) {
            (true, _) => Ok(Some(Created::Created)),
            (false, Waiting::Never) => Ok(None),
            (false, Waiting::Patiently) => Ok(Some(Created::Exists)),
        };
        Ok(calls.iter().map(answer).collect())
    }
}

impl Operation for Arc<Replace> {
    type Answer = Replaced;

    fn handle(&self) -> Option<Handle> {
        Some(self.handle)
    }

    async fn run(
        database: &Database,
        calls: &[Self],
        waiting: Waiting,
    ) -> Result<Vec<Answer<Replaced>>, StoreError> {
        let mut columns = Columns::default();
        for call in calls {
            columns.push(call.handle, &call.record, call.now);
        }
        let expected: Vec<_> = calls.iter().map(|call| version(call.expected)).collect();
        let parameters = [&columns.parameters()[..], &[&expected]].concat();
        let replaced = database
            .written(
                &database.statements.replace,
                calls.len(),
                waiting,
                &parameters,
            )
            .await?;
        let done = || Replaced::Replaced;
        Ok(answers(database, calls, &replaced, done, not_replaced).await)
    }
}

fn not_replaced(call: &Arc<Replace>, held: &mut Held) -> Answer<Replaced> {
    match held.remove(&call.handle).transpose()? {
        Some(record) if !record.is_live(call.now) => Ok(Some(Replaced::Gone)),
        Some(record) if record.header.version == call.expected => Ok(None),
        Some(record) => Ok(Some(Replaced::Conflict(record))),
        None => Ok(Some(Replaced::Gone)),
    }
}

impl Operation for Touch {
    type Answer = Touched;

    fn handle(&self) -> Option<Handle> {
        Some(self.handle)
    }

    async fn run(
        database: &Database,
        calls: &[Self],
        waiting: Waiting,
    ) -> Result<Vec<Answer<Touched>>, StoreError> {
        let keys: Vec<_> = calls.iter().map(|call| Key(call.handle)).collect();
        let versions: Vec<_> = calls.iter().map(|call| version(call.version)).collect();
        let deadlines: Vec<_> = calls
            .iter()
            .map(|call| millis(call.idle_deadline))
            .collect();
        let nows: Vec<_> = calls.iter().map(|call| millis(call.now)).collect();
        let touched = database
            .written(
                &database.statements.touch,
                calls.len(),
                waiting,
                &[&keys, &versions, &deadlines, &nows],
            )
            .await?;
        let done = || Touched::Touched;
        Ok(answers(database, calls, &touched, done, not_touched).await)
    }
}

fn not_touched(call: &Touch, held: &mut Held) -> Answer<Touched> {
    let Some(record) = held.remove(&call.handle).transpose()? else {
        return Ok(Some(Touched::Gone));
    };
    let header = &record.header;
    let to_be_moved = header.version == call.version && header.idle_deadline < call.idle_deadline;
    match header.is_live(call.now) {
        false => Ok(Some(Touched::Gone)),
        true if to_be_moved => Ok(None),
        true => Ok(Some(Touched::Touched)),
    }
}

impl Operation for Delete {
    type Answer = Deleted;

    fn handle(&self) -> Option<Handle> {
        Some(self.handle)
    }

    async fn run(
        database: &Database,
        calls: &[Self],
        waiting: Waiting,
    ) -> Result<Vec<Answer<Deleted>>, StoreError> {
        let keys: Vec<_> = calls.iter().map(|call| Key(call.handle)).collect();
        let nows: Vec<_> = calls.iter().map(|call| millis(call.now)).collect();
        let deleted = database
            .written(
                &database.statements.delete,
                calls.len(),
                waiting,
                &[&keys, &nows],
            )
            .await?;
        let done = || Deleted::Deleted;
        let not_done = |call: &Self, held: &mut Held| Ok(not_deleted(call, held, waiting));
        Ok(answers(database, calls, &deleted, done, not_done).await)
    }
}

fn not_deleted(call: &Delete, held: &Held, waiting: Waiting) -> Option<Deleted> {
    let lives = match held.get(&call.handle) {
        Some(Ok(record)) => record.is_live(call.now),
        // What is no record can't be read, but a statement that waits passes over nothing that lives.
        Some(Err(_)) => waiting == Waiting::Never,
        None => false,
    };
    (!lives).then_some(Deleted::Gone)
}

impl Operation for Load {
    type Answer = Option<Record>;

    fn handle(&self) -> Option<Handle> {
        None
    }

    async fn run(
        database: &Database,
        calls: &[Self],
        _: Waiting,
    ) -> Result<Vec<Answer<Option<Record>>>, StoreError> {
        let held = database.held(calls.iter().map(|call| call.handle)).await?;
        let answer = |call: &Self| {
            let record = held.get(&call.handle).cloned().transpose()?;
            Ok(Some(record.filter(|record| record.is_live(call.now))))
        };
        Ok(calls.iter().map(answer).collect())
    }
}

/// What became of each call: `done` of those whose session was written, and of the others what `not_written` says by how
/// their rows are now. That is another question, and if it fails, it fails for them alone: what was written is committed.
async fn answers<O: Operation>(
    database: &Database,
    calls: &[O],
    written: &HashSet<Handle>,
    done: impl Fn() -> O::Answer,
    not_written: impl Fn(&O, &mut Held) -> Answer<O::Answer>,
) -> Vec<Answer<O::Answer>> {
    let is_written = |handle: &Handle| written.contains(handle);
    let others = calls.iter().filter_map(O::handle);
    let mut held = database
        .held(others.filter(|handle| !is_written(handle)))
        .await;
    let answer = |call: &O| match &mut held {
        _ if call.handle().as_ref().is_some_and(is_written) => Ok(Some(done())),
        Ok(held) => not_written(call, held),
        Err(error) => Err(error.clone()),
    };
    calls.iter().map(answer).collect()
}

/// A version that callers ask for: one that no record can have becomes one that none has.
fn version(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}
