//! Logs: what a store's driver tells to `log`, at any level, has nothing of a record but its handle and its times.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fasthttpsession_core::{Record, Store};
use log::{LevelFilter, Log, Metadata};

use super::failure::{Outcome, ensure};
use super::sample;
use super::shown;
use super::subject::Subject;

/// No line has the body, the principal or the label of a record that is created, loaded, replaced, handed back by a
/// conflict, listed or scanned: not as a text, a list of numbers or hexadecimal digits. Makes itself the logger of the
/// process, which may have no other.
pub async fn no_line_shows_what_a_record_holds<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let [body, next_body, user, label] = ["body", "body", "user", "label"].map(text);
    let principal = sample::principal_named(&user);
    let mut record = sample::record_of(&principal, now);
    record.header.label = Some(sample::label_named(&label));
    record.body = body.clone().into();
    let next = Record {
        body: next_body.clone().into(),
        ..sample::successor(&record)
    };
    can_hear()?;
    let wanted = [&body, &next_body, &user, &label].map(|text| Wanted::new(text));
    for client in subject.clients() {
        let handle = subject.create(&record).await?;
        client.create(handle, &record, now).await?;
        client.load(handle, now).await?;
        client.replace(handle, 1, &next, now).await?;
        client.replace(handle, 1, &next, now).await?;
        let can = client.capabilities();
        if can.sessions_of {
            client.sessions_of(&principal, now).await?;
        }
        if can.scan {
            client.scan(None, 10, now).await?;
        }
        client.delete(handle, now).await?;
    }
    let line = wanted.iter().find_map(Wanted::heard);
    ensure!(
        line.is_none(),
        "the log shows what a record holds: {}",
        line.unwrap_or_default()
    );
    Ok(())
}

fn can_hear() -> Outcome {
    // An earlier check may have set it.
    let _ = log::set_logger(&Ear);
    log::set_max_level(LevelFilter::Trace);
    let text = text("anything");
    let wanted = Wanted::new(&text);
    log::trace!("{:?}", text.as_bytes());
    ensure!(
        wanted.heard().is_some(),
        "the process has another logger, and nothing is heard"
    );
    Ok(())
}

/// A text that nobody else has.
fn text(kind: &str) -> String {
    format!("{kind}-{:032x}", fastrand::u128(..))
}

/// What is listened for, and the last line that had it.
static WANTED: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());

fn wanted() -> MutexGuard<'static, BTreeMap<String, Option<String>>> {
    WANTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ways to show a text, listened for until this is dropped.
struct Wanted([String; 3]);

impl Wanted {
    fn new(text: &str) -> Self {
        let ways = shown::ways(text);
        wanted().extend(ways.iter().map(|way| (way.clone(), None)));
        Self(ways)
    }

    fn heard(&self) -> Option<String> {
        let wanted = wanted();
        self.0.iter().find_map(|way| wanted.get(way)?.clone())
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.iter().for_each(|way| drop(wanted().remove(way)));
    }
}

/// The logger of the process, in which several checks may be under way.
struct Ear;

impl Log for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, line: &log::Record<'_>) {
        let line = format!("{}: {}", line.target(), line.args());
        let plain = shown::plain(&line);
        for (way, heard) in wanted().iter_mut() {
            if plain.contains(way) {
                *heard = Some(line.clone());
            }
        }
    }

    fn flush(&self) {}
}
