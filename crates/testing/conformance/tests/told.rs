//! Nothing is skipped in silence: what the suite was not told it asks for, and a failure can be repeated.

#[allow(dead_code)]
mod faulty;

use fasthttpsession_conformance::store::{Failure, Subject, checks, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_is_asked_for() {
    let mut asked = Vec::new();
    for check in checks() {
        let subject = Subject::new(faulty::alone(None));
        if let Err(failure) = check.run(&subject).await {
            assert!(
                failure.to_string().contains("was not told"),
                "{}: {failure}",
                check.name
            );
            asked.push(check.name);
        }
    }
    asked.sort_unstable();
    let due = [
        "a_purge_passes_bytes_that_are_no_record",
        "a_record_over_the_limit_is_refused_whole",
        "a_second_client_works_on_the_same_records",
        "bytes_that_are_no_record_are_an_error_and_stay",
        "bytes_that_are_no_record_hide_no_neighbours",
        "the_largest_body_is_kept",
        "the_server_clock_follows_the_deadline",
    ];
    assert_eq!(asked, due);
}

#[test]
#[should_panic(expected = "a_promise (G1): it was broken\nrun it again with CONFORMANCE_SEED=")]
fn a_failure_says_how_to_repeat_it() {
    run(
        "G1",
        "a_promise",
        async || Subject::new(faulty::alone(None)),
        async |_| Err(Failure::new("it was broken")),
    );
}
