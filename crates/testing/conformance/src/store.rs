#![doc = include_str!("store.md")]

pub mod cancel;
pub mod capabilities;
pub mod create;
pub mod delete;
pub mod expiry;
mod failure;
pub mod history;
pub mod hostile;
pub mod limits;
pub mod linearizable;
pub mod logs;
mod patient;
pub mod purge;
pub mod replace;
pub mod runtimes;
mod sample;
pub mod scan;
pub mod sessions_of;
mod shown;
mod subject;
mod tasks;
pub mod touch;
pub mod traffic;

use std::pin::Pin;

use fasthttpsession_core::Store;

pub(crate) use failure::ensure;
pub use failure::{Failure, Outcome};
pub use subject::Subject;

/// Hands the list of all checks to the macro `$then`, after `$args`. They are listed nowhere else.
///
/// Each line: the guarantee that the check is about, or `store` for the contract of the trait alone; then the module
/// and the check.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_store_checks {
    ([$($then:tt)+] $($args:tt)*) => {
        $($then)+! {
            $($args)*
            store create a_record_is_loaded_as_it_was_written;
            G3 create an_unknown_handle_holds_nothing;
            G3 create similar_handles_are_different_sessions;
            G3 create a_creation_over_a_live_record_changes_nothing;
            G7 create a_creation_over_an_expired_record_succeeds;
            G3 create of_many_creations_at_once_one_wins;
            store create sessions_at_once_keep_to_themselves;
            store create a_second_client_works_on_the_same_records;

            store replace a_replacement_writes_the_whole_record;
            G1 replace a_conflict_answers_with_the_current_record;
            G2 replace a_replacement_creates_nothing;
            G1 replace large_numbers_are_told_apart;
            G1 replace increments_at_once_all_count;
            G14 replace a_repeated_replacement_lands_once;
            G1 replace of_many_replacements_at_once_one_wins;

            G6 touch a_touch_moves_the_idle_deadline_alone;
            G6 touch a_touch_never_shortens;
            G6 touch a_touch_of_another_version_does_nothing;
            G2 touch a_touch_creates_nothing;
            G1 touch touches_amid_commits_lose_nothing;
            G6 touch of_many_touches_at_once_the_latest_stays;

            G2 delete a_deletion_removes_the_record;
            G2 delete a_deletion_of_nothing_is_gone;
            G2 delete of_many_deletions_at_once_one_deletes;
            G2 delete a_deleted_session_stays_deleted;
            G2 delete a_deleted_handle_can_be_created_anew;
            store delete a_handle_deleted_and_created_over_and_over_answers_all;

            G7 expiry at_its_idle_deadline_a_record_is_absent;
            G7 expiry at_its_absolute_deadline_a_record_is_absent;
            G7 expiry an_expired_record_is_listed_nowhere;
            G7 expiry a_touched_record_lives_until_its_new_deadline;
            G7 expiry a_replaced_record_lives_until_its_new_deadline;
            G7 expiry a_touch_never_passes_the_absolute_deadline;
            G7 expiry a_record_written_too_late_is_absent;
            G7 expiry a_record_may_live_for_years;
            G7 expiry the_server_clock_follows_the_deadline;

            store capabilities capabilities_are_as_declared;
            store capabilities a_store_that_is_up_says_so;

            store sessions_of a_principal_is_listed_its_own_sessions;
            store sessions_of many_sessions_of_a_principal_are_all_listed;
            store sessions_of a_sign_in_moves_a_session_to_its_principal;
            store sessions_of what_was_refused_binds_nobody;
            store sessions_of a_listed_session_shows_its_touches;
            store sessions_of an_ended_session_is_listed_no_more;
            store sessions_of a_session_is_listed_from_the_answer_that_bound_it;

            store scan a_scan_finds_every_session;
            G13 scan a_page_is_bounded;
            store scan a_scan_passes_over_the_expired;
            store scan a_scan_misses_nothing_that_lives_throughout;
            store scan a_cursor_of_another_store_is_refused;
            G7 scan a_count_counts_the_live;

            G10 purge a_purge_removes_what_has_expired_alone;
            G10 purge a_purge_removes_what_ended_before_the_last_one;
            G10 purge a_purge_is_bounded;
            G10 purge purges_at_once_share_the_work;
            G10 purge a_purge_spares_what_is_written_meanwhile;

            G13 limits the_largest_body_is_kept;
            G13 limits a_record_over_the_limit_is_refused_whole;

            G5 logs no_line_shows_what_a_record_holds;

            G8 hostile bytes_that_are_no_record_are_an_error_and_stay;
            G8 hostile bytes_that_are_no_record_hide_no_neighbours;
            G8 hostile a_purge_passes_bytes_that_are_no_record;

            store cancel a_dropped_load_leaves_nothing_behind;
            G9 cancel a_dropped_creation_happened_or_not;
            G9 cancel a_dropped_replacement_happened_or_not;
            G9 cancel a_dropped_touch_happened_or_not;
            G9 cancel a_dropped_deletion_happened_or_not;
            store cancel a_dropped_listing_leaves_nothing_behind;
            G13 cancel many_dropped_calls_leave_the_store_answering;

            G1 runtimes increments_of_several_runtimes_all_count;
            G13 runtimes a_runtime_that_does_not_run_holds_up_no_other;
            G13 runtimes a_runtime_that_stops_amid_calls_holds_up_no_other;

            G1 linearizable calls_on_one_session_have_an_order;
            G1 linearizable calls_on_many_sessions_have_an_order;
            G2 linearizable dropped_calls_happened_or_not;
            G7 linearizable calls_amid_expiry_have_an_order;
        }
    };
}

/// Makes one `#[test]` of each check. Give it an async closure or function that opens a fresh, empty store and says
/// what the suite must know: a [`Subject`](crate::store::Subject).
#[macro_export]
macro_rules! store_tests {
    ($open:expr) => {
        $crate::__with_store_checks!([$crate::__store_test_each]($open));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test_each {
    ($open:tt $($guarantee:ident $module:ident $check:ident;)*) => {
        $(
            #[test]
            fn $check() {
                $crate::store::run(
                    stringify!($guarantee),
                    stringify!($check),
                    $open,
                    async |subject| $crate::store::$module::$check(subject).await,
                );
            }
        )*
    };
}

/// A check as data, for programs that run them by themselves.
pub struct Check<S> {
    /// The promise, in words with underscores.
    pub name: &'static str,
    /// The guarantee that it is about, `"G1"` to `"G14"`, or `"store"` for the contract of the trait alone.
    pub guarantee: &'static str,
    run: fn(&Subject<S>) -> Running<'_>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

impl<S: Store> Check<S> {
    /// Checks a store that was just opened. Needs a tokio runtime with a clock; several threads find more.
    pub async fn run(&self, subject: &Subject<S>) -> Outcome {
        in_time(subject, (self.run)(subject)).await
    }
}

macro_rules! list_of_checks {
    ($($guarantee:ident $module:ident $check:ident;)*) => {
        /// Every check there is.
        pub fn checks<S: Store>() -> Vec<Check<S>> {
            vec![$(Check {
                name: stringify!($check),
                guarantee: stringify!($guarantee),
                run: |subject| Box::pin($module::$check(subject)),
            }),*]
        }
    };
}

__with_store_checks!([list_of_checks]);

/// Opens a store and checks it, in a runtime of its own with several threads.
///
/// # Panics
///
/// With the sentence of the failure, and the seed to run it again with.
pub fn run<S: Store>(
    guarantee: &str,
    name: &str,
    open: impl AsyncFnOnce() -> Subject<S>,
    check: impl AsyncFnOnce(&Subject<S>) -> Outcome,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let (outcome, seed) = runtime.block_on(async {
        let subject = open().await;
        (in_time(&subject, check(&subject)).await, subject.seed())
    });
    // What a failed check left running must not keep the test from ending.
    runtime.shutdown_background();
    if let Err(failure) = outcome {
        panic!("{name} ({guarantee}): {failure}\nrun it again with CONFORMANCE_SEED={seed}");
    }
}

async fn in_time<S: Store>(subject: &Subject<S>, check: impl Future<Output = Outcome>) -> Outcome {
    let limit = subject.patience_each() * 12;
    tokio::select! {
        biased;
        hung = subject.hung() => Err(hung),
        outcome = tasks::within(limit, "the check as a whole", check) => outcome?,
    }
}
