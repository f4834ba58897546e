//! Hostile bytes: what is no record is an error, never an empty session, and stays as it is.

use fasthttpsession_core::{Created, Handle, Record, Replaced, Store, StoreErrorKind};

use super::failure::{Failure, Outcome, ensure};
use super::sample;
use super::subject::{Raw, Subject};

/// Bytes under a handle that are no record, or a record cut short: a load answers `Corrupt`; a creation, a
/// replacement and a touch write nothing over them; the bytes stay.
pub async fn bytes_that_are_no_record_are_an_error_and_stay<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let Some(raw) = subject.raw_access()? else {
        return Ok(());
    };
    let mut hostile = vec![
        Vec::new(),
        vec![0],
        b"not a record".to_vec(),
        vec![0; 64],
        vec![0xff; 4096],
        b"{\"version\":1}".to_vec(),
    ];
    hostile.extend(cut_short(subject, raw).await?);
    for bytes in hostile {
        let handle = sample::handle();
        (raw.plant)(handle, bytes.clone()).await;
        is_corrupt(subject, handle, &bytes).await?;
        let left = (raw.read)(handle).await;
        let shown = bytes.escape_ascii();
        ensure!(
            left.as_ref() == Some(&bytes),
            "the bytes \"{shown}\" were changed by operations on them"
        );
    }
    Ok(())
}

async fn is_corrupt<S: Store>(subject: &Subject<S>, handle: Handle, bytes: &[u8]) -> Outcome {
    let (store, now, record) = (
        subject.store(),
        subject.now(),
        sample::record(subject.now()),
    );
    let shown = bytes.escape_ascii();
    match store.load(handle, now).await {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {}
        Err(error) => {
            return Err(Failure::new(format!(
                "a load of \"{shown}\" answered {:?}",
                error.kind()
            )));
        }
        Ok(found) => {
            let found = sample::describe(found.as_ref());
            return Err(Failure::new(format!("a load of \"{shown}\" found {found}")));
        }
    }
    let created = store.create(handle, &record, now).await;
    ensure!(
        !matches!(created, Ok(Created::Created)),
        "a creation wrote over \"{shown}\""
    );
    let replaced = store
        .replace(handle, 1, &sample::successor(&record), now)
        .await;
    ensure!(
        !matches!(replaced, Ok(Replaced::Replaced)),
        "a replacement wrote over \"{shown}\""
    );
    // What it answers does not matter, only that the bytes stay.
    let _ = store
        .touch(handle, 1, record.header.absolute_deadline, now)
        .await;
    Ok(())
}

/// The first byte, a quarter and all but the last byte of a record with an empty body, as the store itself writes it.
async fn cut_short<S: Store>(subject: &Subject<S>, raw: &Raw) -> Result<Vec<Vec<u8>>, Failure> {
    let record = Record {
        body: bytes::Bytes::new(),
        ..sample::record(subject.now())
    };
    let handle = subject.create(&record).await?;
    let Some(whole) = (raw.read)(handle).await else {
        return Err(Failure::new(
            "the hook that reads bytes finds nothing where the store wrote a record",
        ));
    };
    Ok([1, whole.len() / 4, whole.len() - 1]
        .map(|length| whole[..length].to_vec())
        .into())
}
