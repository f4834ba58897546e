//! The suite passes correct stores: what it fails elsewhere is not its own doing.

#[allow(dead_code)]
mod faulty;

fasthttpsession_conformance::store_tests!(async || faulty::subject(None, false));

mod with_a_clock_of_its_own {
    use super::faulty;

    fasthttpsession_conformance::store_tests!(async || faulty::subject(None, true));
}

/// What passes before a check begins is not taken from the time that its records live.
#[test]
fn a_client_may_take_long_to_connect() {
    use std::time::Duration;

    use fasthttpsession_conformance::store::{expiry, run};

    run(
        "G7",
        "the_server_clock_follows_the_deadline",
        async || {
            let subject = faulty::subject(None, true);
            tokio::time::sleep(Duration::from_secs(3)).await;
            subject
        },
        async |subject| expiry::the_server_clock_follows_the_deadline(subject).await,
    );
}

/// A check of a store far away may last longer than it thinks: all but the one that waits for the server's clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_may_last_for_a_quarter_of_an_hour() {
    for check in fasthttpsession_conformance::store::checks() {
        if check.name != "the_server_clock_follows_the_deadline" {
            let subject = faulty::subject(Some(faulty::Fault::ServerClockIsFarOn), true);
            assert_eq!(check.run(&subject).await, Ok(()), "{}", check.name);
        }
    }
}

/// A store is the same behind a pointer that is shared.
mod shared {
    use std::sync::Arc;

    use fasthttpsession_conformance::store::Subject;

    use super::faulty;

    fasthttpsession_conformance::store_tests!(async || {
        Subject::new(Arc::new(faulty::alone(None)))
            .no_second_client("it is alone")
            .no_raw("its records are values")
            .no_body_limit("its limit is over a mebibyte")
            .expires_when_told()
    });
}

/// A store that is right and far away. So patient that a busy machine makes no difference.
mod on_a_slow_network {
    use std::time::Duration;

    use super::faulty::{self, Fault};

    fasthttpsession_conformance::store_tests!(async || {
        let patience = Duration::from_secs(60);
        let subject = faulty::subject(Some(Fault::Slow), false);
        subject.tasks(4).rounds(3).patience(patience)
    });
}

/// A store that can do no more than it must.
mod with_the_five_operations_alone {
    use fasthttpsession_conformance::store::Subject;
    use fasthttpsession_core::{
        Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError, Timestamp,
        Touched,
    };

    use super::faulty::{self, Faulty};

    fasthttpsession_conformance::store_tests!(async || {
        Subject::new(Bare(faulty::alone(None)))
            .no_second_client("it is alone")
            .no_raw("its records are values")
            .no_body_limit("its limit is over a mebibyte")
            .expires_when_told()
    });

    struct Bare(Faulty);

    impl Store for Bare {
        fn name(&self) -> &'static str {
            "bare"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::none()
        }

        async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
            self.0.load(handle, now).await
        }

        async fn create(
            &self,
            handle: Handle,
            record: &Record,
            now: Timestamp,
        ) -> Result<Created, StoreError> {
            self.0.create(handle, record, now).await
        }

        async fn replace(
            &self,
            handle: Handle,
            expected: u64,
            record: &Record,
            now: Timestamp,
        ) -> Result<Replaced, StoreError> {
            self.0.replace(handle, expected, record, now).await
        }

        async fn touch(
            &self,
            handle: Handle,
            version: u64,
            idle_deadline: Timestamp,
            now: Timestamp,
        ) -> Result<Touched, StoreError> {
            self.0.touch(handle, version, idle_deadline, now).await
        }

        async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
            self.0.delete(handle, now).await
        }

        async fn check(&self) -> Result<(), StoreError> {
            self.0.check().await
        }
    }
}
