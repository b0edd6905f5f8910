//! The keys of the dashboard that work now.

use super::{Dashboard, Pane};
use crate::screens::{Hint, hint};
use crate::world::World;

impl Dashboard {
    pub(super) fn all_hints(&self, world: &World) -> Vec<Hint> {
        if self.typing.is_some() {
            return vec![hint("↵", "apply"), hint("Esc", "leave")];
        }
        let mut hints = match self.focus() {
            Pane::Jobs => self.hints_of_table(world),
            Pane::System => vec![
                hint("Tab", "next panel"),
                hint("Esc", "jobs"),
                hint("/", "filter"),
            ],
            Pane::Live => self.hints_of_live(world),
        };
        if world.mode.changes_jobs() {
            hints.push(hint("N", "new task"));
        }
        hints.extend([
            hint("D", "dead letters"),
            hint("G", "logs"),
            hint("U", "interfaces"),
        ]);
        hints
    }

    fn hints_of_table(&self, world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("↵", "open"), hint("/", "filter")];
        if !self.filter.is_empty() {
            hints.insert(1, hint("Esc", "all jobs"));
        }
        hints.push(hint(
            "Tab",
            if self.is_narrow { "next panel" } else { "live list" },
        ));
        match self.table.chosen().filter(|_| world.mode.changes_jobs()) {
            Some(job) if job.status.is_terminal() => hints.push(hint("r", "retry")),
            Some(_) => hints.push(hint("c", "cancel")),
            None => {}
        }
        hints
    }

    fn hints_of_live(&self, world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "jobs"), hint("↑↓", "hold")];
        if self.live.is_held() {
            hints[1] = hint("Home", "follow");
        }
        if self.live.job(world).is_some() {
            hints.insert(0, hint("↵", "its job"));
            hints.push(hint("y", "copy id"));
        }
        hints
    }
}
