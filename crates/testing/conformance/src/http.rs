//! What every framework adapter must do, one check a promise, over real connections.
//!
//! The suite builds the sessions, on a store that is handed in and a clock that the checks move; the adapter serves
//! the few routes of a [`Site`]. What handlers do is written in the suite, so that an adapter's tests are a few lines:
//! see [`http_tests!`](crate::http_tests).

mod checks;
mod gates;
mod jar;
mod script;
mod site;
mod stage;
mod watched;
mod wire;

use std::any::Any;
use std::time::Duration;

use fasthttpsession_core::{AnyStore, Store};
use tokio::time::timeout;

pub use checks::*;
pub use script::Reply;
pub use site::{Adapter, Served, Site};
pub use stage::Stage;

use crate::store::{Failure, Outcome};

/// How long a check may take. They wait for events, so that one which takes longer waits for what will never come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hands the list of all checks to the macro `$then`, after `$args`. They are listed nowhere else.
///
/// Each line: the guarantee that the check is about, or `http` for what adapters alone promise; then the module and the
/// check.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_http_checks {
    ([$($then:tt)+] $($args:tt)*) => {
        $($then)+! {
            $($args)*
            G12 cookies the_cookie_is_as_strict_as_browsers_allow;
            G12 cookies a_cookie_is_sent_only_when_it_changes;
            G12 cookies a_removal_has_the_attributes_of_what_it_removes;
            G12 cookies a_persistent_cookie_lasts_as_long_as_the_session;
            G12 cookies who_is_remembered_has_a_cookie_that_outlives_the_browser;
            G6 cookies a_touch_dates_a_persistent_cookie_anew;
            http cookies cookies_of_the_handler_survive;
            http cookies a_cookie_of_the_same_name_is_replaced;
            http cookies a_response_with_a_cookie_is_not_cached;
            http cookies caching_is_the_handlers_to_decide_for_the_client_alone;
            http cookies a_response_that_read_the_session_varies_by_cookie;
            http cookies what_a_response_varies_by_stands_in_one_line;

            G4 costs nothing_is_kept_until_something_is_written;
            G4 costs a_route_that_does_not_ask_costs_no_store_call;
            G4 costs logouts_and_unknown_tokens_add_no_record;
            G6 costs reading_is_one_load;
            G6 costs writing_is_one_load_and_one_swap;
            G6 costs a_first_write_is_one_creation;
            G6 costs a_touch_is_sent_once_in_a_while;
            G6 costs a_failed_touch_does_not_fail_the_response;

            G3 tokens an_unknown_token_is_never_adopted;
            G3 tokens what_is_no_token_is_passed_over;
            G3 tokens an_expired_token_is_never_adopted;
            G3 tokens a_wrong_secret_opens_nothing;
            G3 tokens a_mangled_cookie_name_does_not_count;
            G3 tokens each_of_several_cookies_is_tried;
            G13 tokens no_more_than_four_cookies_are_tried;
            G5 tokens a_secret_is_never_printed_or_stored;

            http transports a_header_carries_the_session;
            http transports a_bearer_token_carries_the_session;
            http transports a_parameter_of_the_url_carries_the_session;
            G12 transports a_session_goes_out_the_way_it_came_in;
            http transports a_header_of_the_same_name_is_replaced;
            http transports a_response_varies_by_each_transport_that_is_on;
            http transports what_opens_nothing_hides_nothing_elsewhere;
            http transports a_forged_token_never_reaches_the_store;

            G1 traffic increments_at_once_all_count;
            G1 traffic different_keys_at_once_all_stay;
            G1 traffic a_single_use_value_is_taken_once;

            http strangers requests_of_one_connection_are_strangers;
            http strangers users_at_once_keep_to_themselves;

            G2 logout after_a_logout_the_token_is_dead;
            G2 logout a_logout_during_a_slow_request_is_final;
            G2 logout a_logout_during_a_slow_sign_in_leaves_a_fresh_session;
            G2 logout a_session_that_expires_during_a_slow_request_stays_dead;
            G2 logout a_session_revoked_while_it_is_made_gets_no_cookie;
            G12 logout whoever_finds_the_session_gone_clears_nothing;

            http login a_sign_in_gives_a_new_token;
            http login a_sign_in_keeps_the_values;
            http login a_sign_in_over_another_principal_starts_empty;
            http login a_sign_in_over_a_busy_principal_starts_empty;
            http login a_planted_token_gains_nothing_by_a_slow_rotation;
            http login a_planted_token_gains_nothing_by_a_slow_clear;
            http login a_planted_token_gains_nothing_by_a_slow_write;
            http login two_sign_ins_at_once_are_two_sessions;
            http login a_sign_in_on_an_expired_session_makes_a_fresh_one;

            http rotation a_rotation_gives_a_new_token_and_keeps_the_values;
            http rotation a_rotation_in_between_spares_values_and_drops_the_rest;
            http rotation renewal_is_offered_and_then_taken_up;
            http rotation a_lost_renewal_signs_nobody_out;
            http rotation a_repeated_offer_is_the_last_one_once_taken_up;
            http rotation renewals_at_once_sign_nobody_out;

            G7 deadlines an_idle_session_ends;
            G7 deadlines use_extends_the_idle_deadline;
            G7 deadlines an_absolute_deadline_ends_whoever_is_active;
            G7 deadlines reauthentication_resets_both_clocks;
            G7 deadlines a_sign_in_resets_both_clocks;

            G8 errors a_failed_load_is_an_error_without_detail;
            G8 errors a_failed_commit_replaces_the_response;
            G8 errors a_secret_that_was_saved_is_sent_with_an_error;
            G8 errors a_refused_update_commits_nothing;
            http errors an_error_that_a_handler_passes_on_commits_nothing;
            G8 errors bytes_that_do_not_decode_are_an_error_and_stay;

            http layers two_layers_are_independent;
            http layers an_error_of_one_layer_does_not_undo_the_other;
            http layers the_same_layer_twice_acts_once;
            http layers a_route_beside_the_layer_has_nothing;

            http lifecycle a_panic_commits_nothing;
            http lifecycle a_request_that_is_cut_commits_nothing;
            http lifecycle a_task_commits_nothing_of_a_request_that_was_cut;
            http lifecycle an_error_status_commits_like_any_other;
            http lifecycle each_method_commits_like_any_other;
            http lifecycle a_response_without_a_body_commits_like_any_other;
            http lifecycle the_commit_comes_before_the_body;
            http lifecycle writes_after_the_end_are_refused;
            http lifecycle a_long_task_can_ask_and_transact;
            http lifecycle what_was_saved_early_gets_its_cookie;
        }
    };
}

/// Makes one `#[test]` of each check. Give it an [`Adapter`](crate::http::Adapter) and an empty store of each test's
/// own, or an [`Opened`](crate::http::Opened) with what must outlive it; the expression may `.await`.
///
/// ```ignore
/// fasthttpsession_conformance::http_tests!(Axum, MemoryStore::new());
/// ```
#[macro_export]
macro_rules! http_tests {
    ($adapter:expr, $store:expr) => {
        $crate::__with_http_checks!([$crate::__http_test_each]($adapter, $store));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __http_test_each {
    (($adapter:expr, $store:expr) $($guarantee:ident $module:ident $check:ident;)*) => {
        $(
            #[test]
            fn $check() {
                $crate::http::run(
                    stringify!($guarantee),
                    stringify!($check),
                    $adapter,
                    async || $store,
                    async |stage| $crate::http::$module::$check(stage).await,
                );
            }
        )*
    };
}

/// A fresh, empty store for one check.
pub struct Opened {
    store: AnyStore,
    _kept: Box<dyn Any + Send>,
}

impl Opened {
    /// A store that keeps `kept` until the check has ended: the folder it lies in, the server it speaks to.
    pub fn keeping(store: impl Store, kept: impl Any + Send) -> Self {
        Self {
            store: AnyStore::new(store),
            _kept: Box::new(kept),
        }
    }

    /// It lasts no longer than this.
    pub fn store(&self) -> AnyStore {
        self.store.clone()
    }
}

impl<S: Store> From<S> for Opened {
    fn from(store: S) -> Self {
        Self::keeping(store, ())
    }
}

/// Serves the suite's site by `adapter` and checks it, in a runtime of its own with several threads.
///
/// # Panics
///
/// With the sentence of the failure.
pub fn run<A: Adapter, S: Into<Opened>>(
    guarantee: &str,
    name: &str,
    adapter: A,
    open: impl AsyncFnOnce() -> S,
    check: impl AsyncFnOnce(&Stage<A>) -> Outcome,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let outcome = runtime.block_on(async {
        let Opened { store, _kept } = open().await.into();
        let stage = Stage::new(adapter, store);
        in_time(check(&stage)).await
    });
    // What a failed check left running must not keep the test from ending.
    runtime.shutdown_background();
    if let Err(failure) = outcome {
        panic!("{name} ({guarantee}): {failure}");
    }
}

async fn in_time(check: impl Future<Output = Outcome>) -> Outcome {
    let late = || Failure::new(format!("waited {PATIENCE:?} for what did not come"));
    timeout(PATIENCE, check).await.map_err(|_| late())?
}
