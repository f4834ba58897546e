//! Linearizability: whatever calls meet, one order of them explains all answers.

use fasthttpsession_core::Store;

use super::failure::{Failure, Outcome};
use super::history;
use super::subject::Subject;
use super::traffic::Traffic;

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

/// The same while some calls are dropped half-way: each of them happened or did not, and nobody gets its answer.
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
        if let Some(error) = recorded.errors.into_iter().next() {
            return Err(error.into());
        }
        for calls in &recorded.histories {
            history::check(calls).map_err(|violation| Failure::new(violation.to_string()))?;
        }
    }
    Ok(())
}
