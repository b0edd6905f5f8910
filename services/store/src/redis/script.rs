//! The scripts.

use std::fmt::Write;

use odd_contracts::JobStatus;
use odd_contracts::history::status_at;
use redis::Script;

use super::keys::BUCKETS;
use crate::counters::MAX_TYPES;

pub(super) struct Scripts {
    pub(super) apply: Script,
    pub(super) begin: Script,
    pub(super) activate: Script,
    pub(super) sweep: Script,
    pub(super) is_intact: Script,
    pub(super) snapshot: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let constants = constants();
        let script = |code: &str| Script::new(&format!("{constants}{code}"));
        Self {
            apply: script(include_str!("apply.lua")),
            begin: script(include_str!("begin.lua")),
            activate: script(include_str!("activate.lua")),
            sweep: script(include_str!("sweep.lua")),
            is_intact: script(include_str!("is_intact.lua")),
            snapshot: script(include_str!("snapshot.lua")),
        }
    }
}

/// What the scripts must know of the contracts, written as Lua.
fn constants() -> String {
    let statuses = |base: u32| {
        let mut table = String::new();
        for step in 0..10 {
            if let Some((status, _)) = status_at(base + step) {
                let _ = write!(table, "[{step}]='{}',", status.name());
            }
        }
        table
    };
    let ends: Vec<_> = JobStatus::ALL
        .into_iter()
        .filter(|status| status.is_terminal())
        .map(|status| format!("{}=true", status.name()))
        .collect();
    format!(
        "local STATUSES_BEFORE = {{{}}}\nlocal STATUSES_WITHIN = {{{}}}\nlocal ENDS = {{{}}}\n\
         local MAX_TYPES, BUCKETS, DEAD_LETTER = {MAX_TYPES}, {BUCKETS}, 255\n",
        statuses(0),
        statuses(10),
        ends.join(",")
    )
}
