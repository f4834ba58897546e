//! The values of the sessions that writers use: they have to agree with each other, whatever was killed when.

use std::collections::BTreeMap;

use fasthttpsession::{Error, Session, Values};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The number of the operation that made the session.
const BORN: &str = "born";

/// How many additions there were.
const TOTAL: &str = "total";

/// Any number, different at each addition. [`ECHO`] is the same, and [`PAYLOAD`] follows from it.
const STAMP: &str = "stamp";
const ECHO: &str = "echo";
const PAYLOAD: &str = "payload";

/// The start of the keys of [`Tally`]s.
const TASK: &str = "task-";

/// What one task added to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// The number of its last addition; they grow.
    pub(crate) mark: u64,
    /// How many additions there were.
    pub(crate) count: u64,
    /// How many of them were there already.
    pub(crate) doubled: u64,
}

impl Tally {
    fn add(&mut self, operation: u64) {
        self.doubled += u64::from(operation <= self.mark);
        self.mark = operation;
        self.count += 1;
    }
}

/// The values of a session that agree with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The number of the operation that made the session.
    pub(crate) born: u64,
    /// By the number of the task.
    pub(crate) tallies: BTreeMap<u32, Tally>,
}

impl Contents {
    /// What the task added.
    pub(crate) fn tally(&self, task: u32) -> Tally {
        self.tallies.get(&task).copied().unwrap_or_default()
    }
}

/// Writes the values of a new session.
pub(crate) fn begin(session: &Session, operation: u64, stamp: u64) -> Result<(), Error> {
    session.set(BORN, &operation)?;
    session.set(TOTAL, &0)?;
    session.set_all(stamped(stamp))
}

/// One addition, at the end of the request.
pub(crate) fn add(session: &Session, task: u32, operation: u64, stamp: u64) -> Result<(), Error> {
    session.update(format!("{TASK}{task}"), move |tally: &mut Tally| {
        tally.add(operation);
    })?;
    session.update(TOTAL, |total: &mut u64| *total += 1)?;
    session.set_all(stamped(stamp))
}

/// One addition, inside of a transaction.
pub(crate) fn add_at_once(
    values: &mut Values,
    task: u32,
    operation: u64,
    stamp: u64,
) -> Result<(), Error> {
    let key = format!("{TASK}{task}");
    let mut tally: Tally = values.get(&key)?.unwrap_or_default();
    tally.add(operation);
    values.set(&key, &tally)?;
    values.set(TOTAL, &(values.get::<u64>(TOTAL)?.unwrap_or_default() + 1))?;
    stamped(stamp)
        .into_iter()
        .try_for_each(|(key, value)| values.set(key, &value))
}

/// Takes the values of a session apart.
///
/// # Errors
///
/// A sentence, when they don't agree with each other: the record is torn, or an addition was lost or made twice.
pub(crate) fn contents(entries: Vec<(String, Value)>) -> Result<Contents, String> {
    let mut numbers = BTreeMap::new();
    let mut tallies = BTreeMap::new();
    let mut payload = String::new();
    for (key, value) in entries {
        let unexpected = |e: serde_json::Error| format!("the value of {key:?} is another: {e}");
        if let Some(task) = key.strip_prefix(TASK) {
            let task = task
                .parse()
                .map_err(|_| format!("{key:?} is nobody's key"))?;
            tallies.insert(
                task,
                serde_json::from_value::<Tally>(value).map_err(unexpected)?,
            );
        } else if key == PAYLOAD {
            payload = serde_json::from_value(value).map_err(unexpected)?;
        } else {
            let number = serde_json::from_value::<u64>(value).map_err(unexpected)?;
            numbers.insert(key, number);
        }
    }
    let number = |key: &str| {
        numbers
            .get(key)
            .copied()
            .ok_or_else(|| format!("{key:?} is missing"))
    };
    let (born, total, stamp, echo) = (number(BORN)?, number(TOTAL)?, number(STAMP)?, number(ECHO)?);
    agree("the stamp and its echo", &stamp, &echo)?;
    agree(
        "the payload and what follows from the stamp",
        &payload,
        &payload_of(stamp),
    )?;
    let sum = tallies.values().map(|tally| tally.count).sum();
    agree("the total and the sum of the tallies", &total, &sum)?;
    let doubled = tallies.values().map(|tally| tally.doubled).sum();
    agree("no addition and those that were made twice", &0, &doubled)?;
    Ok(Contents { born, tallies })
}

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, left: &T, right: &T) -> Result<(), String> {
    if left == right {
        Ok(())
    } else {
        Err(format!("{what} differ: {left:?} and {right:?}"))
    }
}

fn stamped(stamp: u64) -> [(&'static str, Value); 3] {
    [
        (STAMP, json!(stamp)),
        (ECHO, json!(stamp)),
        (PAYLOAD, json!(payload_of(stamp))),
    ]
}

/// Up to some kilobytes, so that records have many sizes.
fn payload_of(stamp: u64) -> String {
    let length = usize::try_from(stamp % 3_001).expect("it is small");
    format!("{stamp:x}").repeat(length / 16 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Vec<(String, Value)> {
        let tally = |mark, count| {
            json!(Tally {
                mark,
                count,
                doubled: 0
            })
        };
        let others = [
            (BORN, json!(1)),
            (TOTAL, json!(5)),
            ("task-0", tally(9, 2)),
            ("task-11", tally(8, 3)),
        ];
        others
            .into_iter()
            .chain(stamped(77_777))
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    fn with(key: &str, value: &Value) -> Vec<(String, Value)> {
        let replaced = |(name, old): (String, Value)| {
            if name == key {
                (name, value.clone())
            } else {
                (name, old)
            }
        };
        whole().into_iter().map(replaced).collect()
    }

    #[test]
    fn values_that_agree_are_read() {
        let contents = contents(whole()).expect("they agree");
        assert_eq!(contents.born, 1);
        assert_eq!(
            contents.tally(11),
            Tally {
                mark: 8,
                count: 3,
                doubled: 0
            }
        );
        assert_eq!(contents.tally(5), Tally::default());
    }

    #[test]
    fn each_value_of_another_commit_is_noticed() {
        for (key, value) in stamped(77_778) {
            contents(with(key, &value)).expect_err(key);
        }
        contents(with(TOTAL, &json!(4))).expect_err("a lost addition");
        contents(with(
            "task-0",
            &json!(Tally {
                mark: 9,
                count: 2,
                doubled: 1
            }),
        ))
        .expect_err("made twice");
        for missing in 0..whole().len() {
            let mut values = whole();
            let (key, _) = values.remove(missing);
            contents(values).expect_err(&key);
        }
    }

    #[test]
    fn an_addition_that_lands_again_is_noticed() {
        let mut tally = Tally::default();
        tally.add(3);
        tally.add(4);
        assert_eq!(
            tally,
            Tally {
                mark: 4,
                count: 2,
                doubled: 0
            }
        );
        tally.add(4);
        assert_eq!(tally.doubled, 1);
    }
}
