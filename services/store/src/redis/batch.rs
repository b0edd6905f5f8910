//! Events folded, and packed for the script.

use std::collections::{HashMap, HashSet};

use odd_contracts::history::status_at;
use odd_contracts::names::metric::OTHER_TYPE;
use uuid::Uuid;

use super::keys;
use crate::CounterEvent;

/// Events of one call, folded: applying an event is `max`, so one number a job is left of them.
pub(super) struct Batch<'a> {
    /// Of each job id (16 bytes), bucket (2), sequence (4), number of its type in `types` (2), microseconds of its oldest
    /// event (8), all big endian.
    pub(super) jobs: Vec<u8>,
    /// Of each dead letter id (16), bucket (2) and microseconds (8).
    pub(super) dead_letters: Vec<u8>,
    /// Names of the jobs' types, counted from 1; 0 stands for the rest.
    pub(super) types: Vec<&'a str>,
    /// The latest event, in microseconds, with 18 digits: the script compares it as a text.
    pub(super) last_event_at: String,
}

struct Folded<'a> {
    sequence: u32,
    job_type: &'a str,
    oldest: i64,
}

impl<'a> Batch<'a> {
    pub(super) fn of(events: &'a [CounterEvent]) -> Self {
        let mut jobs: HashMap<Uuid, Folded<'a>> = HashMap::with_capacity(events.len());
        let mut order = Vec::with_capacity(events.len());
        let mut letters = HashSet::new();
        let mut batch = Self {
            jobs: Vec::with_capacity(events.len() * 32),
            dead_letters: Vec::new(),
            types: Vec::new(),
            last_event_at: String::new(),
        };
        for event in events {
            let at = event.occurred_at.micros();
            match event.sequence {
                None if letters.insert(event.key) => batch.push_dead_letter(event.key, at),
                Some(sequence) if status_at(sequence).is_some() => {
                    let folded = jobs.entry(event.key).or_insert_with(|| {
                        order.push(event.key);
                        Folded {
                            sequence,
                            job_type: &event.job_type,
                            oldest: at,
                        }
                    });
                    folded.sequence = folded.sequence.max(sequence);
                    folded.oldest = folded.oldest.min(at);
                    if folded.job_type.is_empty() {
                        folded.job_type = &event.job_type;
                    }
                }
                _ => {}
            }
        }
        let mut types = HashMap::new();
        for id in order {
            if let Some(folded) = jobs.get(&id) {
                let type_number = batch.type_number(folded.job_type, &mut types);
                batch.push_job(id, folded, type_number);
            }
        }
        let last = events.iter().map(|event| event.occurred_at.micros()).max();
        batch.last_event_at = format!("{:018}", last.unwrap_or_default());
        batch
    }

    fn type_number(&mut self, name: &'a str, known: &mut HashMap<&'a str, u16>) -> u16 {
        if name.is_empty() || name == OTHER_TYPE {
            return 0;
        }
        *known.entry(name).or_insert_with(|| {
            // A batch with more types than that has the others among the rest.
            let number = u16::try_from(self.types.len() + 1).unwrap_or(0);
            if number > 0 {
                self.types.push(name);
            }
            number
        })
    }

    fn push_job(&mut self, id: Uuid, folded: &Folded<'_>, type_number: u16) {
        self.jobs.extend_from_slice(id.as_bytes());
        self.jobs.extend(keys::bucket(id.as_u128()).to_be_bytes());
        self.jobs.extend(folded.sequence.to_be_bytes());
        self.jobs.extend(type_number.to_be_bytes());
        self.jobs.extend(folded.oldest.to_be_bytes());
    }

    fn push_dead_letter(&mut self, id: Uuid, at: i64) {
        self.dead_letters.extend_from_slice(id.as_bytes());
        self.dead_letters.extend(keys::bucket(id.as_u128()).to_be_bytes());
        self.dead_letters.extend(at.to_be_bytes());
    }
}
