//! The log is written back while the store is open, and does not grow without end.

use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use fasthttpsession_core::{Record, Replaced, Store};
use fasthttpsession_sqlite::SqliteStore;

use super::support::{NOW, Place, create, handle, load, record, until};

/// Takes some 250 pages of 4 KiB each time that it is written.
const BODY: usize = 1 << 20;
const MIB: u64 = 1 << 20;

fn version(number: u64) -> Record {
    let mut record = record();
    record.header.version = number;
    record.body = Bytes::from(vec![number.to_le_bytes()[0]; BODY]);
    record
}

/// Writes one session over and over until the log has begun anew, which must happen before it has a GiB.
async fn write_until_anew(place: &Place, store: &SqliteStore, number: u8) {
    create(store, handle(number), &version(1)).await;
    let begun = beginnings(place);
    let mut current = 1;
    while beginnings(place) == begun {
        let next = version(current + 1);
        let replaced = store.replace(handle(number), current, &next, NOW).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        current += 1;
        assert!(length(place, "sessions.db-wal") < 1024 * MIB);
    }
    assert_eq!(load(store, handle(number)).await, Some(version(current)));
}

/// How often the log has begun anew: the "checkpoint sequence number" in the [header] of its file.
///
/// [header]: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
fn beginnings(place: &Place) -> [u8; 4] {
    let mut header = [0; 16];
    let mut log = File::open(place.path("sessions.db-wal")).expect("there is a log");
    log.read_exact(&mut header).expect("it has a header");
    header[12..].try_into().expect("four bytes")
}

fn length(place: &Place, name: &str) -> u64 {
    fs::metadata(place.path(name)).map_or(0, |file| file.len())
}

#[tokio::test]
async fn the_log_is_written_back_when_nobody_writes_any_more() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &version(1)).await;
    assert!(
        length(&place, "sessions.db") < MIB,
        "so soon nothing is written back"
    );
    for number in 2..22 {
        create(&store, handle(number), &version(1)).await;
    }
    until("the log was written back", || {
        length(&place, "sessions.db") > 15 * MIB
    })
    .await;
    for number in 1..22 {
        assert_eq!(load(&store, handle(number)).await, Some(version(1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_load_without_pauses_the_log_begins_anew() {
    let place = Arc::new(Place::new());
    let store = place.store().await;
    let writers: Vec<_> = (1..=4)
        .map(|number| {
            let (place, store) = (Arc::clone(&place), store.clone());
            tokio::spawn(async move { write_until_anew(&place, &store, number).await })
        })
        .collect();
    for writer in writers {
        writer
            .await
            .expect("no write fails, and the log begins anew");
    }
}

#[tokio::test]
async fn what_a_reader_of_long_standing_still_sees_is_not_overwritten() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    let reader = place.outside();
    let count = || -> i64 {
        reader
            .query_row("SELECT count(*) FROM fasthttpsession", [], |row| row.get(0))
            .expect("a count")
    };
    reader.execute_batch("BEGIN").expect("a transaction");
    assert_eq!(count(), 1);
    for number in 2..82 {
        create(&store, handle(number), &version(1)).await;
    }
    let log = length(&place, "sessions.db-wal");
    assert!(log > 80 * MIB, "{log} bytes are not all that was written");
    assert_eq!(count(), 1);
    drop(reader);
    write_until_anew(&place, &store, 82).await;
    let log = length(&place, "sessions.db-wal");
    assert!(log < 70 * MIB, "it is cut when it begins anew: {log} bytes");
}
