//! The report: a page with pictures for people, and the same as JSON for programs.

mod below_http;
mod core;
mod lost;
mod markdown;
mod pictures;
mod promises;
mod served;
mod table;
mod weight;

use std::fs;
use std::path::Path;

use anyhow::Result;
use contestants::Store;
use serde::Serialize;

use crate::contention::Contention;
use crate::core_times::CoreTime;
use crate::instructions::{CoreCount, Count};
use crate::limit::Limit;
use crate::loss::Losses;
use crate::machine::{self, Machine};
use crate::redis_instructions::RedisCount;
use crate::samples::Row;
use crate::scale::Scale;
use crate::serving::{Served, costs};
use crate::targets::{self, Target};
use crate::weight::Weight;

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
    /// The same on small sessions; `None` if left out.
    pub small_in_process_us: Option<Vec<Row>>,
    /// CPU of the core's hot paths, in µs; `None` if left out.
    pub core_us: Option<Vec<CoreTime>>,
    /// Instructions per call of the router; `None` if left out.
    pub instructions: Option<Vec<Count>>,
    /// Instructions of the core's hot paths; `None` if left out.
    pub core: Option<Vec<CoreCount>>,
    /// What libraries weigh before the first request; empty if left out.
    pub weight: Vec<Weight>,
}

/// What was measured on one store.
#[derive(Debug, Serialize)]
pub struct OnStore {
    /// Which.
    pub store: Store,
    /// How durable it was set to be, for all alike.
    pub settings: String,
    /// Server CPU; empty if left out.
    pub serving: Vec<Served>,
    /// Requests a second, and how long answers take; empty if left out.
    pub tail: Vec<Served>,
    /// What was lost; empty if left out.
    pub loss: Vec<Losses>,
    /// The store beside its bare driver; empty if left out.
    pub limit: Vec<Limit>,
    /// Many writers on one session; empty if left out.
    pub contention: Vec<Contention>,
    /// The store while it grows; empty if left out.
    pub scale: Vec<Scale>,
    /// What Redis itself executes; empty if left out, and of other stores.
    pub redis_instructions: Vec<RedisCount>,
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
        let core_us = self.core_us.as_deref().unwrap_or_default();
        let of_stores = self.stores.iter().flat_map(|on| on.targets(core_us));
        self.targets = of_stores.collect();
        let called = self.in_process_us.as_deref().unwrap_or_default();
        self.targets
            .extend(targets::half_of_peers("router", called, core_us));
        self.targets.extend(targets::of_weight(&self.weight));
        let core = self.core.as_deref().unwrap_or_default();
        self.targets.extend(targets::of_core(core));
    }

    /// Writes the page with its pictures and `report.json` to `folder`, which is made.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let pictures = self.pictures();
        for picture in &pictures {
            let name = format!("{}.svg", picture.name);
            fs::write(folder.join(name), picture.svg())?;
        }
        fs::write(folder.join("report.md"), self.markdown(&pictures)?)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        fs::write(folder.join("report.json"), json)?;
        Ok(())
    }
}

impl OnStore {
    /// Nothing yet.
    pub fn begin(store: Store, settings: String) -> Self {
        Self {
            store,
            settings,
            serving: Vec::new(),
            tail: Vec::new(),
            loss: Vec::new(),
            limit: Vec::new(),
            contention: Vec::new(),
            scale: Vec::new(),
            redis_instructions: Vec::new(),
        }
    }

    fn targets(&self, core_us: &[CoreTime]) -> Vec<Target> {
        let rows = costs(&self.serving);
        let mut targets = targets::of_loss(&self.loss);
        let under_load = self.serving.iter().chain(&self.tail);
        targets.extend(targets::of_answers(self.store, under_load));
        targets.extend(targets::of_cost(self.store, &rows, &self.limit, core_us));
        if self.store == Store::Memory {
            targets.extend(targets::half_of_peers("server CPU", &rows, core_us));
        }
        let tail = targets::of_tail(
            self.store,
            &self.tail,
            &self.serving,
            &self.redis_instructions,
        );
        targets.extend(tail);
        targets.extend(targets::below_http(&self.limit, &self.contention));
        targets.extend(targets::of_scale(&self.scale));
        targets
    }
}
