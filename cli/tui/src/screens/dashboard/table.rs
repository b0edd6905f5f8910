//! The table of jobs: what is loaded of the list, newest first, kept up to date by events, and which row is chosen.

use std::collections::{HashMap, VecDeque};

use odd_client::JobQuery;
use odd_contracts::api::{JobPage, JobSummary};
use odd_contracts::history::status_at;
use odd_contracts::{EventEnvelope, EventType, JobId, JobOptions, JobStatus};

use crate::screens::{Step, scrolled};

/// Jobs that are kept at most.
const MOST: usize = 10_000;
/// Jobs of one page.
const PAGE: usize = 200;
/// Rows before the end at which the next page is asked for.
const AHEAD: usize = 60;

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: VecDeque<JobSummary>,
    /// Place of each job, counted so that no place changes when a row is put in front.
    places: HashMap<JobId, i64>,
    /// Place of the first row; each one behind it is one less.
    front: i64,
    /// Which jobs are wanted.
    query: JobQuery,
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
    pub(super) fn want(&mut self, query: JobQuery) {
        *self = Self {
            query,
            page: self.page,
            ..Self::default()
        };
    }

    /// Asks for the first page.
    pub(super) fn first_page(&self) -> JobQuery {
        JobQuery {
            limit: Some(PAGE),
            ..self.query.clone()
        }
    }

    /// Asks for the next page, where the chosen row comes near the end of what is loaded.
    pub(super) fn next_page(&mut self) -> Option<JobQuery> {
        let near = self.row() + AHEAD.max(self.page) >= self.rows.len();
        if !near || self.loading || self.rows.len() >= MOST {
            return None;
        }
        let cursor = self.next.clone()?;
        self.loading = true;
        Some(JobQuery {
            cursor: Some(cursor),
            ..self.first_page()
        })
    }

    /// Takes a page that was asked for by this query. One of another filter is old news.
    pub(super) fn take(&mut self, asked: &JobQuery, page: JobPage) {
        if !same_filter(asked, &self.query) {
            return;
        }
        if asked.cursor.is_some() {
            self.append(page);
        } else {
            self.renew(page);
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
                self.rows.push_back(job);
            }
        }
    }

    /// The first page again: it is right about all that it has, and what is older than its last row stays.
    fn renew(&mut self, page: JobPage) {
        self.loaded = true;
        let oldest = page.jobs.last().map(|job| (job.created_at, job.id));
        let has_more = page.next_cursor.is_some();
        let older: Vec<JobSummary> = match oldest {
            Some(oldest) if has_more => {
                let old = std::mem::take(&mut self.rows);
                old.into_iter()
                    .filter(|job| (job.created_at, job.id) < oldest)
                    .collect()
            }
            _ => Vec::new(),
        };
        if older.is_empty() {
            self.next = page.next_cursor;
        }
        let top = self.first == 0;
        let seen = self.rows.len();
        self.rows = page.jobs.into_iter().chain(older).take(MOST).collect();
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

    /// Takes an event. Whether anything is shown otherwise now.
    pub(super) fn event(&mut self, event: &EventEnvelope) -> bool {
        let Some(id) = event.job_id() else { return false };
        let known = self.index(id);
        match (known, event.event_type) {
            (Some(at), _) => self.update(at, event),
            (None, EventType::Created) if self.is_wanted(event) => self.add(id, event),
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
        if let Some(error) = event.payload.get("error").and_then(serde_json::Value::as_str) {
            row.error = Some(error.to_owned());
        }
        true
    }

    /// Whether a job that was just created belongs into the list. Where that cannot be told, the next page will.
    fn is_wanted(&self, event: &EventEnvelope) -> bool {
        let query = &self.query;
        let status = query.statuses.is_empty() || query.statuses.contains(&JobStatus::Pending);
        let job_type = query
            .job_type
            .as_deref()
            .is_none_or(|wanted| event.job_type() == Some(wanted));
        self.loaded && status && job_type && query.id_contains.is_none() && query.until.is_none()
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

fn same_filter(one: &JobQuery, other: &JobQuery) -> bool {
    let key = |query: &JobQuery| {
        (
            query.statuses.clone(),
            query.job_type.clone(),
            query.since,
            query.until,
            query.id_contains.clone(),
        )
    };
    key(one) == key(other)
}

#[cfg(test)]
mod tests {
    use odd_contracts::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::bed;

    fn job(n: u128) -> JobSummary {
        JobSummary {
            id: Uuid::from_u128(n),
            job_type: "resize".to_owned(),
            status: JobStatus::Pending,
            created_at: Timestamp::from_micros(i64::try_from(n).unwrap()),
            updated_at: Timestamp::from_micros(i64::try_from(n).unwrap()),
            attempt: 0,
            max_attempts: 3,
            queued_ms: None,
            ran_ms: None,
            error: None,
        }
    }

    fn page(numbers: impl Iterator<Item = u128>, next: Option<&str>) -> JobPage {
        JobPage {
            jobs: numbers.map(job).collect(),
            next_cursor: next.map(str::to_owned),
        }
    }

    fn ids(table: &Table) -> Vec<u128> {
        table.rows.iter().map(|job| job.id.as_u128()).collect()
    }

    #[test]
    fn the_first_page_again_keeps_what_is_older() {
        let mut table = Table::default();
        let asked = table.first_page();
        table.take(&asked, page((7..10).rev(), Some("c")));
        table.step(Step::Last);
        let further = table.next_page().unwrap();
        assert!(table.next_page().is_none(), "one at a time");
        table.take(&further, page((3..7).rev(), Some("d")));
        table.take(&asked, page((9..12).rev(), Some("e")));
        assert_eq!(ids(&table), [11, 10, 9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(table.next.as_deref(), Some("d"));
        assert_eq!(
            table.chosen().unwrap().id.as_u128(),
            7,
            "the chosen job stays chosen"
        );
        table.take(&asked, page((9..12).rev(), None));
        assert_eq!(ids(&table), [11, 10, 9]);
    }

    #[test]
    fn events_move_rows_and_add_them_in_front() {
        let mut table = Table::default();
        table.take(&table.first_page(), page((1..9).rev(), None));
        table.step(Step::Rows(4));
        let line = table.visible(3).1;
        assert_eq!((line, table.first), (2, 2));
        assert!(table.event(&bed::event(20, EventType::Created, 0)));
        assert_eq!(ids(&table)[0], 20);
        let line = table.visible(3).1;
        assert_eq!((line, table.first), (2, 3), "the same rows are seen");
        assert!(table.event(&bed::event(4, EventType::Completed, 13)));
        let row = &table.rows[table.index(Uuid::from_u128(4)).unwrap()];
        assert_eq!((row.status, row.attempt), (JobStatus::Completed, 1));
        assert!(
            !table.event(&bed::event(4, EventType::Executed, 11)),
            "an end is an end"
        );
        assert!(!table.event(&bed::event(99, EventType::Executed, 11)));
    }

    #[test]
    fn a_filter_keeps_others_out() {
        let mut table = Table::default();
        table.want(JobQuery {
            statuses: vec![JobStatus::Failed],
            ..JobQuery::default()
        });
        let all = Table::default().first_page();
        table.take(&all, page(1..3, None));
        assert_eq!(table.len(), 0, "an answer to another question");
        table.take(&table.first_page(), page(1..3, None));
        assert!(!table.event(&bed::event(20, EventType::Created, 0)));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn rows_are_bounded() {
        let mut table = Table::default();
        table.take(&table.first_page(), page((1..3).rev(), None));
        for n in 0..u128::try_from(MOST).unwrap() {
            table.event(&bed::event(100 + n, EventType::Created, 0));
        }
        assert_eq!((table.len(), table.places.len()), (MOST, MOST));
        table.step(Step::Last);
        assert_eq!(table.row(), MOST - 1);
    }
}
