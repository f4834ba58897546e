//! Linearizability: whatever calls meet, one order of them explains all answers.

use std::time::Duration;

use fasthttpsession_core::Store;

use super::failure::{Failure, Outcome};
use super::history;
use super::subject::Subject;
use super::traffic::{Recorded, Traffic};

/// How long what was dropped has to land before all sessions are looked at once more. Nothing tells when it has.
const LANDS_WITHIN: Duration = Duration::from_millis(500);

/// Calls of every kind, by many tasks, on one session.
pub async fn calls_on_one_session_have_an_order<S: Store>(subject: &Subject<S>) -> Outcome {
    in_order(subject, |traffic| Traffic {
        sessions: 1,
        calls: traffic.calls / 3,
        ..traffic
    })
    .await
}

/// The same on several sessions at once.
pub async fn calls_on_many_sessions_have_an_order<S: Store>(subject: &Subject<S>) -> Outcome {
    in_order(subject, |traffic| traffic).await
}

/// The same while some calls are dropped half-way: each of them happened or did not, and nobody gets its answer. All
/// sessions are loaded again half a second later: what lands late must not land over what was written since.
pub async fn dropped_calls_happened_or_not<S: Store>(subject: &Subject<S>) -> Outcome {
    in_order(subject, |traffic| Traffic {
        drops: true,
        ..traffic
    })
    .await
}

/// The same while time passes, records expire and, where the store can, are purged.
pub async fn calls_amid_expiry_have_an_order<S: Store>(subject: &Subject<S>) -> Outcome {
    in_order(subject, |traffic| Traffic {
        ages: true,
        ..traffic
    })
    .await
}

async fn in_order<S: Store>(subject: &Subject<S>, kind: impl Fn(Traffic) -> Traffic) -> Outcome {
    let (mut runs, mut drops) = (Vec::new(), false);
    for round in 0..subject.round_count() {
        let traffic = kind(Traffic {
            seed: subject.seed().wrapping_add(round as u64),
            sessions: 4,
            tasks: subject.task_count().min(6),
            calls: 30,
            drops: false,
            ages: false,
            start: subject.now(),
        });
        let recorded = traffic.run(subject.clients()).await?;
        has_an_order(&recorded)?;
        drops |= traffic.drops;
        runs.push(recorded);
    }
    if drops {
        tokio::time::sleep(LANDS_WITHIN).await;
        for mut recorded in runs {
            recorded.look_again(subject.clients()).await?;
            has_an_order(&recorded)?;
        }
    }
    Ok(())
}

fn has_an_order(recorded: &Recorded) -> Outcome {
    if let Some(error) = recorded.errors.first() {
        return Err(error.clone().into());
    }
    for calls in &recorded.histories {
        history::check(calls).map_err(|violation| Failure::new(violation.to_string()))?;
    }
    Ok(())
}
