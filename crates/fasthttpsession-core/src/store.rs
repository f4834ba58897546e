//! The extension point: where records live.
//!
//! Five operations carry a session: [`load`](Store::load), [`create`](Store::create),
//! [`replace`](Store::replace), [`touch`](Store::touch) and [`delete`](Store::delete). Each is atomic for one
//! handle; no store needs a transaction across two. What a store can do beside them it says in
//! [`Capabilities`].

mod erased;
mod error;
mod shared;
mod timed;
mod two;

use std::future::Future;

pub use erased::AnyStore;
pub use error::{StoreError, StoreErrorKind};
pub use two::TwoStores;

use crate::record::{Principal, Record};
use crate::time::Timestamp;
use crate::token::Handle;

/// Where records live.
///
/// # Contract
///
/// *Who calls it*: [`Sessions`](crate::Sessions), from many tasks at once. *Who implements it*: the crates under
/// `crates/stores`, and anybody; the suite in `fasthttpsession-conformance` tells whether it was done right. Its
/// answers need the crate `bytes`: a [`Record`]'s body and a [`Cursor`] are [`Bytes`](bytes::Bytes).
///
/// * **Atomic.** An operation happens as a whole or not at all, as if at one moment between its call and its answer.
/// * **Told the time.** Every operation gets `now`. A record for which [`Header::is_live`] is false at `now` is
///   absent, purged or not: it is not returned, replaced, touched, listed or counted, and it does not stand in the
///   way of a creation.
/// * **Never revives.** Only [`create`](Store::create) makes a record. What was deleted or has expired stays so
///   whatever `replace` or `touch` was under way.
/// * **Corrupt bytes stay.** What is not a record is an error of kind [`Corrupt`](StoreErrorKind::Corrupt) to whatever
///   reads or would change it. Only `delete` may remove it and, where a deadline is kept beside it, a `purge` once that has
///   passed. Any other purge passes it by; whoever lists gets all others, or the error.
/// * **Durable as documented.** Once an operation has answered, its effect lasts as the store's page promises.
/// * **Bounded.** Every wait of an operation has a limit; past it the answer is a [`StoreError`].
/// * **Does not block.** A future waits by giving its thread back. What blocks for more than a moment, such as a
///   disk, a lock that is held across a wait or a driver without `async`, has a thread of its own
///   (`tokio::task::spawn_blocking`), or all requests of the runtime's thread wait with it. The suite can't tell
///   this.
/// * **In any runtime.** Several tokio runtimes may use a store at once, as where a server has one for each thread, and
///   any of them may stand still or end. What the others call does not wait for it: connections that tasks serve are each
///   runtime's own (by its `tokio::runtime::Handle::id`; `PerRuntime` of `fasthttpsession-store-common` has them so), or
///   the store's own runtime serves them all.
/// * **Cancel-safe.** A future may be dropped at any await point. The operation then happened or did not; no later
///   caller gets its answer, and nothing stays locked.
/// * **Says what may have happened.** An error after which a write may still take effect is
///   [`may_have_applied`](StoreError::may_have_applied). The caller then sends the *identical* operation again; in
///   place of a creation it makes another, under another handle, and then deletes the first. When a write lands that
///   was said to be [`not_applied`](StoreError::not_applied), its request fails and its changes show. A load is sent
///   again if its connection was cut before the answer came: it is [`Unavailable`](StoreErrorKind::Unavailable) then,
///   and not said to be `not_applied`, which is for one that did not reach the server.
///
/// *Untrusted*: nothing that a client sent reaches a store but 16 bytes of a handle. *Secret*: bodies hold hashes of
/// secrets and the application's values; a store never prints them, and its errors show none.
///
/// # Without its type
///
/// The trait has `async` operations, so there is no `dyn Store`: a store whose type is known only when the program
/// runs is an [`AnyStore`], which is a store as well. So is an [`Arc`](std::sync::Arc) of a store.
///
/// # Around another store
///
/// A wrapper passes on *every* operation, also those that have a body here: one that answers
/// [`capabilities`](Store::capabilities) with those of the store inside, and leaves
/// [`sessions_of`](Store::sessions_of) as it is here, says that it can list and then answers that it can't. The suite
/// finds it (`capabilities_are_as_declared`).
///
/// [`Header::is_live`]: crate::Header::is_live
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    note = "a store is a type that implements `Store`, an `Arc` of one, or an `AnyStore`: \
            `AnyStore::new(store)` takes the place of a `Box<dyn Store>`"
)]
pub trait Store: Send + Sync + 'static {
    /// A short lower-case name for messages: `"memory"`, `"redis"`.
    fn name(&self) -> &'static str;

    /// What this store, as configured, can do beside the five operations.
    fn capabilities(&self) -> Capabilities;

    /// Reads the record of `handle`.
    ///
    /// * Missing or expired: `None`.
    /// * Bytes that are not a record: an error of kind [`Corrupt`](StoreErrorKind::Corrupt), and they stay as
    ///   they are.
    fn load(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Writes a record under a handle that has none.
    ///
    /// * A live record is there: [`Created::Exists`], and it stays as it is.
    /// * `record` has expired at `now`: no error, and nothing live is left.
    /// * No room: an error of kind [`Full`](StoreErrorKind::Full).
    /// * Another handle may fare better, because it may belong to another server:
    ///   [`of_one_server`](StoreError::of_one_server).
    fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Writes `record` in place of the one whose version is `expected`. The caller has set the new record's version
    /// to `expected + 1`.
    ///
    /// * The record has another version: [`Replaced::Conflict`] with the record as it is now, nothing is written.
    /// * Missing or expired: [`Replaced::Gone`], nothing is written.
    fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send;

    /// Moves the idle deadline of the record to `idle_deadline` without writing anything else.
    ///
    /// * The record has another version, or a later idle deadline: nothing changes, [`Touched::Touched`].
    /// * Missing or expired: [`Touched::Gone`].
    fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send;

    /// Removes the record of `handle`, whatever its version.
    ///
    /// * Missing or expired: [`Deleted::Gone`].
    fn delete(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> impl Future<Output = Result<Deleted, StoreError>> + Send;

    /// Every live session of `principal`, in no particular order; empty when there is none. A session is listed from
    /// the answer of the operation that bound it to `principal` until it ends.
    ///
    /// Needs [`Capabilities::sessions_of`].
    fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<(Handle, Record)>, StoreError>> + Send {
        let _ = (principal, now);
        async { Err(unsupported(self.name(), "list the sessions of a principal")) }
    }

    /// About `limit` live sessions (0 counts as 1) that follow `after`, and where to go on. A session that lives during
    /// the whole scan is returned at least once, also if the one at which a page ended is deleted before the next; one
    /// that begins or ends meanwhile may be.
    ///
    /// Needs [`Capabilities::scan`].
    fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send {
        let _ = (after, limit, now);
        async { Err(unsupported(self.name(), "scan its sessions")) }
    }

    /// How many live sessions there are.
    ///
    /// Needs [`Capabilities::count`].
    fn count(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = now;
        async { Err(unsupported(self.name(), "count its sessions")) }
    }

    /// Removes at most `limit` expired records (none for 0) and answers how many it removed; fewer than `limit` when no
    /// more are due. Costs what it removes, not what is stored. Two callers at once share the work.
    ///
    /// *Who calls it*: a task that the store itself starts when it is opened, such as `Purging` of
    /// `fasthttpsession-store-common`, or the application. [`Sessions`](crate::Sessions) never does: what nobody purges
    /// stays where it is for ever.
    ///
    /// Needs [`Capabilities::purge`]. A store whose server expires records by itself lacks it.
    fn purge(
        &self,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = (limit, now);
        async {
            Err(unsupported(
                self.name(),
                "purge: either its server removes expired sessions by itself, or nobody does",
            ))
        }
    }

    /// Asks whether the store answers.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a store can do beside the five operations. Documentation tables, builders and suites read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a capability of its own"
)]
pub struct Capabilities {
    /// [`Store::sessions_of`].
    pub sessions_of: bool,
    /// [`Store::scan`].
    pub scan: bool,
    /// [`Store::count`].
    pub count: bool,
    /// [`Store::purge`], which somebody has to call: the store's own task or the application.
    pub purge: bool,
}

impl Capabilities {
    /// The five operations and nothing else.
    pub const fn none() -> Self {
        Self {
            sessions_of: false,
            scan: false,
            count: false,
            purge: false,
        }
    }

    /// Everything a store can do.
    pub const fn all() -> Self {
        Self {
            sessions_of: true,
            scan: true,
            count: true,
            purge: true,
        }
    }
}

/// What [`Store::create`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The record was written.
    Created,
    /// A live record was there already; nothing was written.
    Exists,
}

/// What [`Store::replace`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The record was written.
    Replaced,
    /// The record has another version; this is the record as it is now.
    Conflict(Record),
    /// There is no record any more.
    Gone,
}

/// What [`Store::touch`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The record lives at least until the deadline asked for, or has a newer version.
    Touched,
    /// There is no record any more.
    Gone,
}

/// What [`Store::delete`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The record was removed.
    Deleted,
    /// There was no record.
    Gone,
}

/// Where a [`Store::scan`] goes on: bytes that only the store which made them understands. What another has made is an
/// error of kind [`Internal`](StoreErrorKind::Internal) that is said to be [`not_applied`](StoreError::not_applied).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub bytes::Bytes);

/// One page of a [`Store::scan`].
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The sessions of this page; may be empty although the scan goes on.
    pub sessions: Vec<(Handle, Record)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

fn unsupported(store: &'static str, what: &'static str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unsupported,
        format!("the {store} store can't {what}"),
    )
}
