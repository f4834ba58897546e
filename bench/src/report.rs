//! The report: tables for people, and the same as JSON for programs.

mod markdown;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use contestants::Store;
use serde::Serialize;

use crate::instructions::Count;
use crate::loss::Losses;
use crate::machine::{self, Machine};
use crate::samples::Row;
use crate::serving::Served;
use crate::targets::{self, Target};

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How this program was called.
    pub command: String,
    /// On what.
    pub machine: Machine,
    /// The load average before and after.
    pub load: [Option<f64>; 2],
    /// Which promises were kept.
    pub targets: Vec<Target>,
    /// Store by store.
    pub stores: Vec<OnStore>,
    /// CPU per call of the router, in µs; `None` if left out.
    pub in_process_us: Option<Vec<Row>>,
    /// Instructions per call of the router; `None` if left out.
    pub instructions: Option<Vec<Count>>,
}

/// What was measured on one store.
#[derive(Debug, Serialize)]
pub struct OnStore {
    /// Which.
    pub store: Store,
    /// How durable it was set to be, for all alike.
    pub settings: String,
    /// Server CPU and speed; empty if left out.
    pub serving: Vec<Served>,
    /// What was lost; empty if left out.
    pub loss: Vec<Losses>,
}

impl Report {
    /// Notes what is known before anything was measured.
    pub fn begin(command: String) -> Self {
        let load = [machine::load(), None];
        Self {
            command,
            machine: Machine::this(),
            load,
            ..Self::default()
        }
    }

    /// Draws conclusions, when all was measured.
    pub fn end(&mut self) {
        self.load[1] = machine::load();
        for on in &self.stores {
            self.targets
                .extend(targets::of_serving(on.store, &on.serving));
        }
        let served = |store| {
            let on = self.stores.iter().find(|on| on.store == store);
            on.map(|on| on.serving.as_slice()).unwrap_or_default()
        };
        let memcached = targets::beside_redis(served(Store::Memcached), served(Store::Redis));
        self.targets.extend(memcached);
        let called = self.in_process_us.as_deref().unwrap_or_default();
        self.targets.extend(targets::of_memory("router", called));
    }

    /// Writes `report.md` and `report.json` to the results beside this program's manifest; returns where that is.
    pub fn write(&self) -> Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("report.md"), self.markdown()?)?;
        fs::write(
            folder.join("report.json"),
            serde_json::to_string_pretty(self)? + "\n",
        )?;
        Ok(folder)
    }
}
