//! The table of jobs: what is loaded of the list, newest first, kept up to date by events, and which row is chosen.

use std::collections::{HashMap, VecDeque};

use odd_client::JobQuery;
use odd_contracts::api::{JobPage, JobSummary};
use odd_contracts::history::status_at;
use odd_contracts::{EventEnvelope, EventType, JobId, JobOptions, JobStatus, Timestamp};

use crate::filter::Filter;
use crate::screens::{Step, scrolled};

/// Jobs that are kept at most.
const MOST: usize = 10_000;
/// Jobs of one page.
const PAGE: usize = 200;
/// Rows before the end at which the next page is asked for.
const AHEAD: usize = 60;
/// Questions that may still be answered; of an older one the answer is old news.
const OPEN: usize = 8;

/// What the list is sorted by, newest first.
type Place = (Timestamp, JobId);

const fn place_of(job: &JobSummary) -> Place {
    (job.created_at, job.id)
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: VecDeque<JobSummary>,
    /// Place of each job, counted so that no place changes when a row is put in front.
    places: HashMap<JobId, i64>,
    /// Place of the first row; each one behind it is one less.
    front: i64,
    /// Which jobs are wanted.
    filter: Filter,
    /// The last questions, which answers are known by.
    open: VecDeque<JobQuery>,
    /// The newest row that a page told of. From there on nothing is missing; before it stands what events told of alone.
    known: Option<Place>,
    /// Asks for the page behind the last row.
    next: Option<String>,
    /// Whether a further page is on its way.
    loading: bool,
    /// The chosen job; the first row where none is.
    chosen: Option<JobId>,
    /// First row that is visible.
    first: usize,
    /// Rows that fit, as of the last drawing.
    page: usize,
    /// Whether the list was ever answered.
    loaded: bool,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Whether there are more than are loaded.
    pub(super) const fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// Wants other jobs. What is shown goes.
    pub(super) fn want(&mut self, filter: Filter) {
        *self = Self {
            filter,
            page: self.page,
            ..Self::default()
        };
    }

    /// Asks for the first page.
    pub(super) fn first_page(&mut self, now: Timestamp) -> JobQuery {
        self.ask(None, now)
    }

    /// Asks for the next page, where the chosen row comes near the end of what is loaded.
    pub(super) fn next_page(&mut self, now: Timestamp) -> Option<JobQuery> {
        let near = self.row() + AHEAD.max(self.page) >= self.rows.len();
        if !near || self.loading || self.rows.len() >= MOST {
            return None;
        }
        let cursor = self.next.clone()?;
        self.loading = true;
        Some(self.ask(Some(cursor), now))
    }

    fn ask(&mut self, cursor: Option<String>, now: Timestamp) -> JobQuery {
        let query = JobQuery {
            cursor,
            limit: Some(PAGE),
            ..self.filter.query(now)
        };
        if self.open.len() >= OPEN
            && let Some(forgotten) = self.open.pop_front()
        {
            // Its answer will be no page of this list.
            self.loading &= forgotten.cursor.is_none();
        }
        self.open.push_back(query.clone());
        query
    }

    /// Takes a page that was asked for by this query. One of another filter, or of a list that has changed since, is old news.
    pub(super) fn take(&mut self, asked: &JobQuery, page: JobPage) {
        let Some(at) = self.open.iter().position(|open| is_same(open, asked)) else {
            return;
        };
        self.open.remove(at);
        match &asked.cursor {
            None => self.renew(page),
            Some(_) if asked.cursor == self.next => self.append(page),
            Some(_) => {}
        }
    }

    /// A further page did not come.
    pub(super) fn missed(&mut self) {
        self.loading = false;
    }

    fn append(&mut self, page: JobPage) {
        self.loading = false;
        self.next = page.next_cursor;
        for job in page.jobs {
            if self.rows.len() >= MOST {
                self.next = None;
                return;
            }
            if !self.places.contains_key(&job.id) {
                let place = self.front - i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
                self.places.insert(job.id, place);
                self.rows.push_back(row(job));
            }
        }
    }

    /// The first page again: it is right about all that it has, and what is older than its last row stays. But where it does not
    /// reach down to what a page told of before, there are jobs between that nobody told of: then what is older goes, and comes
    /// again page by page.
    fn renew(&mut self, page: JobPage) {
        self.loaded = true;
        let oldest = page.jobs.last().map(place_of);
        let reaches = self
            .known
            .is_some_and(|known| oldest.is_some_and(|oldest| oldest <= known));
        let older: Vec<JobSummary> = match oldest {
            Some(oldest) if reaches && page.next_cursor.is_some() => {
                let old = std::mem::take(&mut self.rows);
                old.into_iter().filter(|job| place_of(job) < oldest).collect()
            }
            _ => Vec::new(),
        };
        if older.is_empty() {
            self.go_on_from(page.next_cursor);
        }
        self.known = page.jobs.first().map(place_of);
        let top = self.first == 0;
        let seen = self.rows.len();
        self.rows = page.jobs.into_iter().map(row).chain(older).take(MOST).collect();
        self.places.clear();
        for (at, job) in self.rows.iter().enumerate() {
            self.places.insert(job.id, -i64::try_from(at).unwrap_or(i64::MAX));
        }
        self.front = 0;
        if self.chosen.is_some_and(|id| !self.places.contains_key(&id)) {
            self.chosen = None;
        }
        if !top && seen > 0 {
            self.first = self.first.min(self.rows.len().saturating_sub(1));
        }
    }

    /// Asks for what is behind the last row from here on, and no longer for what was asked for before.
    fn go_on_from(&mut self, next: Option<String>) {
        if self.next != next {
            self.next = next;
            self.loading = false;
        }
    }

    /// Time has passed: what has become too old for the filter goes.
    pub(super) fn age(&mut self, now: Timestamp) {
        let Some(since) = self.filter.since(now) else {
            return;
        };
        while let Some(last) = self.rows.pop_back_if(|last| last.created_at < since) {
            self.places.remove(&last.id);
            // What comes after it is older still.
            self.go_on_from(None);
        }
    }

    /// Whether jobs come into the list because time passes.
    pub(super) const fn ripens(&self) -> bool {
        self.filter.ripens()
    }

    /// Takes an event. Whether anything is shown otherwise now.
    pub(super) fn event(&mut self, event: &EventEnvelope, now: Timestamp) -> bool {
        let Some(id) = event.job_id() else { return false };
        let known = self.index(id);
        match (known, event.event_type) {
            (Some(at), _) => self.update(at, event),
            (None, EventType::Created) if self.is_wanted(event, now) => self.add(id, event),
            _ => false,
        }
    }

    fn index(&self, id: JobId) -> Option<usize> {
        usize::try_from(self.front - self.places.get(&id)?).ok()
    }

    fn update(&mut self, at: usize, event: &EventEnvelope) -> bool {
        let (Some(row), Some((status, attempt))) =
            (self.rows.get_mut(at), event.sequence.and_then(status_at))
        else {
            return false;
        };
        // Events may overtake each other, and a page may know more than an event that was on its way.
        if event.occurred_at < row.updated_at || row.status.is_terminal() {
            return false;
        }
        row.status = status;
        row.attempt = row.attempt.max(attempt);
        row.updated_at = event.occurred_at;
        true
    }

    /// Whether a job that was just created belongs into the list. Where that cannot be told, the next page will.
    fn is_wanted(&self, event: &EventEnvelope, now: Timestamp) -> bool {
        self.loaded && self.filter.takes_new(event.job_type(), event.occurred_at, now)
    }

    fn add(&mut self, id: JobId, event: &EventEnvelope) -> bool {
        let options = event.payload.get("options");
        let asked = options.and_then(|options| options.get("maxAttempts")?.as_u64());
        let most = asked.and_then(|most| u32::try_from(most).ok());
        self.front += 1;
        self.places.insert(id, self.front);
        self.rows.push_front(JobSummary {
            id,
            job_type: event.job_type().unwrap_or_default().to_owned(),
            status: JobStatus::Pending,
            created_at: event.occurred_at,
            updated_at: event.occurred_at,
            attempt: 0,
            max_attempts: most.unwrap_or(JobOptions::DEFAULT_MAX_ATTEMPTS),
            queued_ms: None,
            ran_ms: None,
            error: None,
        });
        // Whoever looks further down goes on seeing the same rows.
        if self.first > 0 {
            self.first += 1;
        }
        if self.rows.len() > MOST
            && let Some(last) = self.rows.pop_back()
        {
            self.places.remove(&last.id);
        }
        true
    }

    /// Index of the chosen row.
    pub(super) fn row(&self) -> usize {
        let chosen = self.chosen.and_then(|id| self.index(id));
        chosen.unwrap_or(0).min(self.rows.len().saturating_sub(1))
    }

    /// The chosen job.
    pub(super) fn chosen(&self) -> Option<&JobSummary> {
        self.rows.get(self.row())
    }

    /// Chooses another row. The first one stays the first, whatever arrives.
    pub(super) fn step(&mut self, step: Step) {
        let row = step.from(self.row(), self.rows.len(), self.page);
        self.choose(row);
    }

    /// Chooses the row at this line of what is visible. Whether there is one.
    pub(super) fn choose_line(&mut self, line: usize) -> bool {
        let row = self.first + line;
        if row >= self.rows.len() {
            return false;
        }
        self.choose(row);
        true
    }

    fn choose(&mut self, row: usize) {
        self.chosen = match row {
            0 => None,
            row => self.rows.get(row).map(|job| job.id),
        };
    }

    /// The rows that are visible where so many fit, and which of them is chosen.
    pub(super) fn visible(&mut self, page: usize) -> (impl Iterator<Item = &JobSummary>, usize) {
        self.page = page;
        let row = self.row();
        let last = self.rows.len().saturating_sub(page);
        self.first = scrolled(self.first.min(last), row, page);
        (self.rows.range(self.first..).take(page), row - self.first)
    }
}

fn is_same(one: &JobQuery, other: &JobQuery) -> bool {
    let key = |query: &JobQuery| {
        (
            query.statuses.clone(),
            query.job_type.clone(),
            (query.since, query.until),
            query.id_contains.clone(),
            query.cursor.clone(),
        )
    };
    key(one) == key(other)
}

/// What is kept of a job: no column shows its error, which may have kilobytes.
fn row(job: JobSummary) -> JobSummary {
    JobSummary { error: None, ..job }
}

#[cfg(test)]
mod tests;
