//! Two processes commit through the library while the network between them and the server misbehaves: what was
//! acknowledged is there once, what has ended stays so, and both go on by themselves when all is well again.

use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_crash::Trial;

use crate::backend::Backend;
use crate::on_every_store;
use crate::trouble::Trouble;
use crate::writer;
use crate::wrong::Wrong;

/// Of each call of a store.
const LIMIT: Duration = Duration::from_millis(200);

on_every_store!(
    sessions_of_many_keep_what_was_acknowledged,
    many_writers_of_few_sessions_each_count_once
);

/// Sessions come, are signed in to, are renewed and end all the time.
fn sessions_of_many_keep_what_was_acknowledged(backend: Backend) -> Result<(), String> {
    let trial = hold(backend, None, |trial| trial, &Trouble::ALL, 2)?;
    println!("{}", trial.summary());
    Ok(())
}

/// 64 tasks of two processes add to three sessions.
fn many_writers_of_few_sessions_each_count_once(backend: Backend) -> Result<(), String> {
    let losses = [
        Trouble::LosesAnswers,
        Trouble::LosesAnswers,
        Trouble::SwallowsAnswers,
        Trouble::HoldsRequests,
    ];
    let few = |trial: Trial| trial.on_few_sessions(3, 32);
    let trial = hold(backend, None, few, &losses, 1)?;
    println!("{}", trial.summary());
    Ok(())
}

/// Holds a trial of `rounds` rounds, with troubles of `kinds`.
pub(crate) fn hold(
    backend: Backend,
    wrong: Option<Wrong>,
    shape: impl FnOnce(Trial) -> Trial,
    kinds: &[Trouble],
    rounds: u32,
) -> Result<Trial, String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let site = runtime.block_on(backend.site())?;
    let proxy = Arc::new(site.proxy());
    let behind = site.url_behind(&proxy, LIMIT);
    let name = format!("{backend:?} with {wrong:?}");
    let mut trial = shape(Trial::new(&name, site.url(), move |_| {
        writer::command(&behind, wrong)
    }));
    let mut left = Vec::new();
    trial.disturb(
        rounds,
        |random| {
            // Each of them once, before one comes again.
            if left.is_empty() {
                left = kinds.to_vec();
            }
            let trouble = left.swap_remove(random.usize(..left.len()));
            println!("{trouble:?}");
            trouble.begin(&proxy);
        },
        || proxy.heal(),
    )?;
    Ok(trial)
}
