//! The table of what was lost.

use std::fmt::Write as _;

use anyhow::Result;
use contestants::Contestant;

use super::OnStore;
use crate::loss::{AT_ONCE, Losses};

const LOSS: &str = "
## Acknowledged and lost

64 requests at once on one session, over HTTP. \"Slow\": all handlers have loaded their session before the first goes on, as when \
each waits for a database. Lost of all acknowledged. A logout is final if neither the cookie that there was opens the session \
afterwards, nor one that the slow request's answer sent: the browser takes that. Rotations and renewals, likewise 64 at once: rounds after which someone may \
be signed out, because a cookie that a response sent opens nothing; of renewals also the cookie that requests under way still \
bring. Libraries without renewals rotate.

| store | | increments | keys | slow increments | slow keys | logout during a slow request | rotations | renewals |
| --- | --- | --: | --: | --: | --: | --- | --: | --: |
";

/// Everyone on every store; nothing if that was left out.
pub fn write(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let all: Vec<_> = stores.iter().flat_map(|on| &on.loss).collect();
    if !all.is_empty() {
        text.push_str(LOSS);
    }
    for losses in &all {
        line(text, losses)?;
    }
    for losses in all.iter().filter(|losses| losses.doubled > 0) {
        let Contestant { library, store } = losses.contestant;
        let (library, store) = (library.label(), store.title());
        writeln!(
            text,
            "\n{library} on {store} doubled {} increments, which may hide as many that are lost.",
            losses.doubled
        )?;
    }
    let refused = all.iter().filter(|losses| losses.refused > 0);
    for losses in refused {
        let Contestant { library, store } = losses.contestant;
        let (library, store) = (library.label(), store.title());
        let all = 4 * AT_ONCE * losses.rounds;
        writeln!(
            text,
            "\n{library} on {store} did not answer {} of {all} writes with 200.",
            losses.refused
        )?;
    }
    Ok(())
}

fn line(text: &mut String, losses: &Losses) -> Result<()> {
    let rounds = losses.rounds;
    let (increments, keys) = ((AT_ONCE + 1) * rounds, AT_ONCE * rounds);
    let Contestant { library, store } = losses.contestant;
    writeln!(
        text,
        "| {} | {} | {} of {increments} | {} of {keys} | {} of {increments} | {} of {keys} | {} | {} of {rounds} | {} of {rounds} |",
        store.title(),
        library.label(),
        losses.increments,
        losses.keys,
        losses.slow_increments,
        losses.slow_keys,
        losses.logout(),
        losses.dead_after_rotations,
        losses.dead_after_renewals,
    )?;
    Ok(())
}

impl Losses {
    fn logout(&self) -> String {
        let Self {
            rounds,
            open_after_logout: open,
            back_after_logout: back,
            ..
        } = self;
        match (open, back) {
            (0, 0) => "final".to_owned(),
            (0, back) => format!("comes back ({back} of {rounds})"),
            (open, 0) => format!("open until the slow request ends ({open} of {rounds})"),
            (open, back) => format!("stays open ({open} of {rounds}), afterwards too ({back})"),
        }
    }
}
