//! How long each hot path of the core takes, on one thread. All works on one session, so that what it needs is in the
//! processor's caches: beside a request of many sessions, this shows what is the core's work, and what is waiting for memory.

use anyhow::Result;
use cpu_time::ThreadTime;
use serde::Serialize;

use crate::core_paths::{CorePath, Subject};
use crate::samples::Spread;

/// How often a path is taken in a turn: a few milliseconds.
const TIMES: u32 = 2000;

/// What is reported of one hot path of the core.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CoreTime {
    /// Which.
    pub path: CorePath,
    /// µs beyond those of its baseline in the same round.
    pub own_us: Spread,
}

/// All paths have their turns one after another, `rounds` times; a first round is not counted.
pub async fn measure(rounds: usize) -> Result<Vec<CoreTime>> {
    let subject = Subject::new().await?;
    let mut samples = Vec::new();
    for round in 0..=rounds {
        let mut sample = Vec::new();
        for path in CorePath::ALL {
            let start = ThreadTime::now();
            subject.run(path, TIMES).await?;
            sample.push((path, start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)));
        }
        if round > 0 {
            samples.push(sample);
        }
    }
    let time = |path: CorePath| CoreTime {
        path,
        own_us: Spread::of(samples.iter().map(|sample| own(sample, path))),
    };
    Ok(CorePath::ALL.map(time).to_vec())
}

fn own(sample: &[(CorePath, f64)], path: CorePath) -> f64 {
    let of = |wanted: CorePath| {
        let found = sample.iter().find(|(path, _)| *path == wanted);
        found.map_or(0.0, |(_, micros)| *micros)
    };
    of(path) - path.baseline().map_or(0.0, of)
}
