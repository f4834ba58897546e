//! How long each hot path of the core takes, on one thread: on one session, so that what it needs is in the processor's
//! caches, and on many in turn, as requests are. The first shows what is the core's work, the second also what is waiting for
//! memory.

use anyhow::Result;
use cpu_time::ThreadTime;
use serde::Serialize;

use crate::core_paths::{CorePath, Subject};
use crate::samples::Spread;

/// How many are many, and how often a path is taken in a turn: a few milliseconds.
pub const MANY: usize = 4000;

/// What is reported of one hot path of the core.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CoreTime {
    /// Which.
    pub path: CorePath,
    /// µs beyond those of its baseline in the same round.
    pub own_us: Spread,
    /// The same on many sessions in turn; `None` of paths that are about none.
    pub among_many_us: Option<Spread>,
}

/// All paths have their turns one after another, `rounds` times.
pub async fn measure(rounds: usize) -> Result<Vec<CoreTime>> {
    let of_one = rounds_on(&Subject::with(1).await?, rounds).await?;
    let of_many = rounds_on(&Subject::with(MANY).await?, rounds).await?;
    let time = |path: CorePath| CoreTime {
        path,
        own_us: of_one.own(path),
        among_many_us: path.is_of_session().then(|| of_many.own(path)),
    };
    Ok(CorePath::ALL.map(time).to_vec())
}

/// What each path took, round by round.
struct Rounds(Vec<Vec<(CorePath, f64)>>);

/// A first round is not counted.
async fn rounds_on(subject: &Subject, rounds: usize) -> Result<Rounds> {
    let mut samples = Vec::new();
    for round in 0..=rounds {
        let mut sample = Vec::new();
        for path in CorePath::ALL {
            let start = ThreadTime::now();
            subject.run(path, MANY).await?;
            let micros = start.elapsed().as_secs_f64() * 1e6;
            #[allow(clippy::cast_precision_loss, reason = "some thousands")]
            sample.push((path, micros / MANY as f64));
        }
        if round > 0 {
            samples.push(sample);
        }
    }
    Ok(Rounds(samples))
}

impl Rounds {
    fn own(&self, path: CorePath) -> Spread {
        Spread::of(self.0.iter().map(|sample| own(sample, path)))
    }
}

fn own(sample: &[(CorePath, f64)], path: CorePath) -> f64 {
    let of = |wanted: CorePath| {
        let found = sample.iter().find(|(path, _)| *path == wanted);
        found.map_or(0.0, |(_, micros)| *micros)
    };
    of(path) - path.baseline().map_or(0.0, of)
}
