//! Each call of a store and each request ends in time, with an error that says that it may pass.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fasthttpsession::{
    AnyStore, Clock as _, Cookie, Cursor, Error, Exchange, Handle, Header, HeaderEdit, Principal,
    Record, Sessions, Store as _, StoreError, SystemClock, Timestamp,
};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::backend::{Backend, Site, open};
use crate::on_every_store;
use crate::trouble::Trouble;

/// Of each wait of a store.
const LIMIT: Duration = Duration::from_millis(200);

/// A call may have to wait for a connection, and then for its answer.
const WAITS_OF_CALL: u32 = 2;

/// A commit without answer is sent again three times.
const WAITS_OF_REQUEST: u32 = 4 * WAITS_OF_CALL;

/// For machines that have much to do.
const SLACK: Duration = Duration::from_secs(3);

on_every_store!(calls_and_requests_end_in_time);

fn calls_and_requests_end_in_time(backend: Backend) -> Result<(), String> {
    end_in_time(backend, LIMIT)
}

/// In all troubles at once, each behind a proxy of its own, with `limit` for each wait of the store.
pub(crate) fn end_in_time(backend: Backend, limit: Duration) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = Arc::new(backend.site().await?);
        let (calm, mut tasks) = (Arc::new(Mutex::new(())), JoinSet::new());
        for trouble in Trouble::TOTAL {
            let (site, calm) = (Arc::clone(&site), Arc::clone(&calm));
            tasks.spawn(async move {
                let outcome = Box::pin(in_trouble(&site, trouble, limit, calm)).await;
                outcome.map_err(|fault| format!("{trouble:?}: {fault}"))
            });
        }
        tasks.join_all().await.into_iter().collect()
    });
    runtime.shutdown_background();
    outcome
}

async fn in_trouble(
    site: &Site,
    trouble: Trouble,
    limit: Duration,
    calm: Arc<Mutex<()>>,
) -> Result<(), String> {
    // One after the other, for nothing is to fail before there is trouble.
    let turn = calm.lock().await;
    let proxy = site.proxy();
    let store = open(&site.url_behind(&proxy, limit)).await?;
    let builder = Sessions::builder(store.clone()).cookie(Cookie::insecure("id"));
    let sessions = builder.build().map_err(|e| e.to_string())?;
    let requests = begin_requests(&sessions).await?;
    drop(turn);
    trouble.begin(&proxy);
    let wait = site.limit(LIMIT);
    let calls = calls(&store, wait, requests.handle);
    let (calls, requests) = tokio::join!(calls, requests.fail_in_time(wait));
    calls.and(requests)
}

/// Requests that have begun while all was well, and end when it no longer is.
struct Requests {
    saving: Exchange,
    ending: Exchange,
    opening: Exchange,
    reading: Exchange,
    /// Of the session that all but `opening` are about.
    handle: Handle,
}

/// On a machine that has much to do, short limits pass while nothing is wrong, so that it may take several attempts.
async fn begin_requests(sessions: &Sessions) -> Result<Requests, String> {
    let mut attempts = 0;
    loop {
        match Requests::begin(sessions).await {
            Ok(requests) => return Ok(requests),
            Err(error) if error.is_retryable() && attempts < 20 => attempts += 1,
            Err(error) => return Err(format!("before there was trouble: {error}")),
        }
    }
}

impl Requests {
    async fn begin(sessions: &Sessions) -> Result<Self, Error> {
        let cookie = signed_in(sessions).await?;
        let begin = || sessions.begin([("cookie", cookie.clone())], None);
        let (saving, ending, reading) = (begin(), begin(), begin());
        let opening = sessions.begin([("host", "example.org")], None);
        saving.session().await?.set("key", "another")?;
        opening.session().await?.set("key", "value")?;
        let session = ending.session().await?;
        let handle = session.handle().expect("somebody signed in");
        session.logout()?;
        Ok(Self {
            saving,
            ending,
            opening,
            reading,
            handle,
        })
    }

    async fn fail_in_time(&self, wait: Duration) -> Result<(), String> {
        tokio::try_join!(
            request("a commit", wait, self.saving.finish()),
            request("a logout", wait, self.ending.finish()),
            request("a first commit", wait, self.opening.finish()),
            request("a read", wait, self.reading.session()),
        )
        .map(drop)
    }
}

/// The cookie of a new session.
async fn signed_in(sessions: &Sessions) -> Result<String, Error> {
    let exchange = sessions.begin([("host", "example.org")], None);
    let session = exchange.session().await?;
    session.set("key", "value")?;
    session.login("somebody")?;
    let edits = exchange.finish().await?;
    let cookie = edits.iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => value.split(';').next().map(str::to_owned),
        _ => None,
    });
    Ok(cookie.expect("a new session sends its cookie"))
}

/// Every operation that the store has.
async fn calls(store: &AnyStore, wait: Duration, handle: Handle) -> Result<(), String> {
    let now = SystemClock.now();
    let (record, other) = (record(now), Handle::from_bytes([7; Handle::BYTES]));
    let principal = Principal::new("somebody").expect("it is one");
    let nowhere: Option<&Cursor> = None;
    let capabilities = store.capabilities();
    tokio::try_join!(
        call("load", wait, store.load(handle, now)),
        call("create", wait, store.create(other, &record, now)),
        call("replace", wait, store.replace(handle, 1, &record, now)),
        call("touch", wait, store.touch(handle, 1, Timestamp::MAX, now)),
        call("delete", wait, store.delete(handle, now)),
        call("check", wait, store.check()),
        async {
            if capabilities.sessions_of {
                call("sessions_of", wait, store.sessions_of(&principal, now)).await?;
            }
            if capabilities.scan {
                call("scan", wait, store.scan(nowhere, 10, now)).await?;
            }
            if capabilities.count {
                call("count", wait, store.count(now)).await?;
            }
            if capabilities.purge {
                call("purge", wait, store.purge(10, now)).await?;
            }
            Ok(())
        },
    )
    .map(drop)
}

fn record(now: Timestamp) -> Record {
    let header = Header {
        version: 2,
        created_at: now,
        idle_deadline: now.after(Duration::from_secs(60)),
        absolute_deadline: now.after(Duration::from_secs(60)),
        principal: None,
        label: None,
    };
    Record {
        header,
        body: b"anything".to_vec().into(),
    }
}

async fn call<T: Debug>(
    what: &str,
    wait: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<(), String> {
    fails_in_time(
        what,
        wait * WAITS_OF_CALL + SLACK,
        call,
        StoreError::is_retryable,
    )
    .await
}

async fn request<T: Debug>(
    what: &str,
    wait: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<(), String> {
    let passing = |error: &Error| error.is_retryable() && error.status() == 503;
    fails_in_time(what, wait * WAITS_OF_REQUEST + SLACK, request, passing).await
}

async fn fails_in_time<T: Debug, E: ToString>(
    what: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
    may_pass: impl Fn(&E) -> bool,
) -> Result<(), String> {
    let begun = Instant::now();
    let answer = tokio::time::timeout(limit * 10, work).await;
    let took = begun.elapsed();
    match answer {
        Err(_) => Err(format!("{what} never ended")),
        Ok(_) if took > limit => Err(format!("{what} took {took:?}, not {limit:?}")),
        Ok(Ok(answer)) => Err(format!("{what} was answered: {answer:?}")),
        Ok(Err(error)) if may_pass(&error) => Ok(()),
        Ok(Err(error)) => Err(format!(
            "{what} failed without saying that it may pass: {}",
            error.to_string()
        )),
    }
}
