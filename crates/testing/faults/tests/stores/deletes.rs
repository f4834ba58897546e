//! A session that is written all the time is deleted all the same, by one who has a longer way to the store: each look of
//! such a one is old when it comes.

use std::time::Duration;

use fasthttpsession::{
    AnyStore, Clock as _, Deleted, Handle, Replaced, Sessions, Store as _, StoreError, SystemClock,
};
use fasthttpsession_faults::Fault;

use crate::backend::{Backend, open};
use crate::on_every_store;
use crate::reads::made;

/// How much longer the way is, in which there is room for many writes.
const WAY: Duration = Duration::from_millis(20);
/// What limits a deletion: the time of many looks.
const LIMIT: Duration = Duration::from_secs(10);

on_every_store!(a_session_that_is_written_all_the_time_is_deleted);

fn a_session_that_is_written_all_the_time_is_deleted(backend: Backend) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = backend.site().await?;
        let near = open(site.url()).await?;
        let made = made(&Sessions::new(near.clone())).await;
        let handle = made.map_err(|error| error.to_string())?;
        let proxy = site.proxy();
        let far = open(&site.url_behind(&proxy, LIMIT)).await?;
        // As a request does that goes on to log out.
        let known = version(&far, handle).await?;
        let writing = tokio::spawn(write_until_gone(near.clone(), handle));
        while version(&near, handle).await? == known {
            tokio::task::yield_now().await;
        }
        proxy.answers(Fault::Delay(WAY));
        match far.delete(handle, SystemClock.now()).await {
            Ok(Deleted::Deleted) => {}
            other => return Err(format!("the deletion was answered {other:?}")),
        }
        match writing.await.map_err(|error| error.to_string())? {
            Ok(1..) => Ok(()),
            other => Err(format!("what wrote meanwhile ended with {other:?}")),
        }
    });
    runtime.shutdown_background();
    outcome
}

async fn version(store: &AnyStore, handle: Handle) -> Result<u64, String> {
    let found = store.load(handle, SystemClock.now()).await;
    let found = found.map_err(|error| error.to_string())?;
    Ok(found.ok_or("it is gone")?.header.version)
}

/// How often it could be written.
async fn write_until_gone(store: AnyStore, handle: Handle) -> Result<u64, StoreError> {
    let mut writes = 0;
    loop {
        let now = SystemClock.now();
        let Some(mut record) = store.load(handle, now).await? else {
            return Ok(writes);
        };
        let expected = record.header.version;
        record.header.version += 1;
        if store.replace(handle, expected, &record, now).await? == Replaced::Gone {
            return Ok(writes);
        }
        writes += 1;
    }
}
