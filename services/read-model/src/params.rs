//! Query parameters: each is read strictly, and a wrong one is named.

use std::fmt::Display;
use std::str::FromStr;

use odd_contracts::{JobStatus, JobType};
use odd_store::{EventFilter, JobCursor, JobFilter, Position};

use crate::cursor;
use crate::live::StreamFilter;

/// Most rows of one answer.
pub(crate) const MAX_LIMIT: usize = 500;
/// Rows of one answer where nothing is asked for.
pub(crate) const DEFAULT_LIMIT: usize = 50;
/// Longest text to look for in an id: the id itself.
const MAX_ID_TEXT: usize = 36;
/// Longest correlation id that is kept anywhere.
const MAX_CORRELATION_ID: usize = 128;

/// A parameter that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name:?}: {reason}")]
pub(crate) struct InvalidParameter {
    /// Its name.
    pub(crate) name: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl InvalidParameter {
    /// A parameter and what is wrong with it.
    pub(crate) fn new(name: &str, reason: impl Display) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

type Read<T> = Result<T, InvalidParameter>;

/// The parameters of a request, taken one by one; what is left at the end nobody knows.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// From the decoded pairs of a query. An empty value counts as absent.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Takes a parameter that may be given several times or as a list with commas.
    fn take_list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Read<Vec<T>> {
        let mut values = Vec::new();
        for text in self.take_all(name) {
            for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                values.push(part.parse().map_err(|error| InvalidParameter::new(name, error))?);
            }
        }
        Ok(values)
    }

    fn take_all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(given, _)| given == name);
        self.0 = left;
        let values = taken.into_iter().map(|(_, value): (String, String)| value);
        values.filter(|value| !value.is_empty()).collect()
    }

    fn take_text(&mut self, name: &str) -> Read<Option<String>> {
        let mut values = self.take_all(name);
        if values.len() > 1 {
            return Err(InvalidParameter::new(name, "given more than once"));
        }
        Ok(values.pop())
    }

    fn take_with<T, E: Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<Option<T>> {
        self.take_text(name)?
            .map(|text| read(&text).map_err(|error| InvalidParameter::new(name, error)))
            .transpose()
    }

    fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Read<Option<T>> {
        self.take_with(name, str::parse)
    }

    fn take_short(&mut self, name: &str, most: usize) -> Read<Option<String>> {
        self.take_with(name, |text| {
            if text.chars().count() > most {
                Err(format!("longer than {most} characters"))
            } else {
                Ok(text.to_owned())
            }
        })
    }

    /// Takes `limit`: 1 to [`MAX_LIMIT`], [`DEFAULT_LIMIT`] where absent.
    pub(crate) fn take_limit(&mut self) -> Read<usize> {
        let limit = self.take_with("limit", |text| {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or_else(|| format!("not a whole number from 1 to {MAX_LIMIT}"))
        })?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// Takes the filter of a list of jobs.
    pub(crate) fn take_job_filter(&mut self) -> Read<JobFilter> {
        let filter = JobFilter {
            statuses: self.take_list::<JobStatus>("status")?,
            job_type: self.take::<JobType>("type")?.map(|job_type| job_type.to_string()),
            since: self.take("since")?,
            until: self.take("until")?,
            id_contains: self.take_short("id", MAX_ID_TEXT)?,
        };
        match (filter.since, filter.until) {
            (Some(since), Some(until)) if until < since => {
                Err(InvalidParameter::new("until", "earlier than \"since\""))
            }
            _ => Ok(filter),
        }
    }

    /// Takes the `cursor` of a list of jobs.
    pub(crate) fn take_job_cursor(&mut self) -> Read<Option<JobCursor>> {
        self.take_with("cursor", |text| cursor::to_job(text).ok_or(NO_CURSOR))
    }

    /// Takes the filter of a list of events.
    pub(crate) fn take_event_filter(&mut self) -> Read<EventFilter> {
        Ok(EventFilter {
            event_types: self.take_list("type")?,
            job_id: self.take("jobId")?,
            correlation_id: self.take_short("correlationId", MAX_CORRELATION_ID)?,
        })
    }

    /// Takes a place in the event log.
    pub(crate) fn take_position(&mut self, name: &str) -> Read<Option<Position>> {
        self.take_with(name, |text| cursor::to_position(text).ok_or(NO_CURSOR))
    }

    /// Whether a parameter is given, even without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// Takes the filter of a live stream.
    pub(crate) fn take_stream_filter(&mut self) -> Read<StreamFilter> {
        Ok(StreamFilter {
            event_types: self.take_list("types")?,
            job_id: self.take("jobId")?,
        })
    }

    /// Fails where a parameter is left that nobody took: a misspelt filter must not be ignored.
    pub(crate) fn finish(self) -> Read<()> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(InvalidParameter::new(&name, "not a parameter of this path")),
            None => Ok(()),
        }
    }
}

const NO_CURSOR: &str = "not a cursor that this path gave out";

#[cfg(test)]
mod tests {
    use odd_contracts::EventType;

    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Params::new(owned.collect())
    }

    #[test]
    fn lists_repeat_or_have_commas() {
        let mut given = params(&[
            ("status", "completed,FAILED"),
            ("type", "hello"),
            ("status", "RETRYING"),
            ("id", ""),
        ]);
        let filter = given.take_job_filter().unwrap();
        assert_eq!(
            filter.statuses,
            [JobStatus::Completed, JobStatus::Failed, JobStatus::Retrying]
        );
        assert_eq!(
            (filter.job_type.as_deref(), filter.id_contains),
            (Some("hello"), None)
        );
        given.finish().unwrap();
        let events = params(&[("type", "job.created"), ("type", "job.failed")])
            .take_event_filter()
            .unwrap();
        assert_eq!(events.event_types, [EventType::Created, EventType::Failed]);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let long = "x".repeat(200);
        let jobs: [(&str, &str); 8] = [
            ("status", "DONE"),
            ("type", "no spaces"),
            ("since", "yesterday"),
            ("until", "2026-01-31T12:00:00"),
            ("id", &long),
            ("cursor", "???"),
            ("limit", "0"),
            ("staus", "FAILED"),
        ];
        for (name, value) in jobs {
            let mut given = params(&[(name, value)]);
            let read = given
                .take_job_filter()
                .and_then(|_| given.take_job_cursor())
                .and_then(|_| given.take_limit())
                .and_then(|_| given.finish());
            assert_eq!(read.unwrap_err().name, name, "{value:?}");
        }
        for (name, value) in [
            ("type", "job.done"),
            ("jobId", "7"),
            ("correlationId", long.as_str()),
            ("cursor", "x"),
        ] {
            let mut given = params(&[(name, value)]);
            let read = given
                .take_event_filter()
                .and_then(|_| given.take_position("cursor"));
            assert_eq!(read.unwrap_err().name, name);
        }
        for (name, value) in [("types", "all"), ("jobId", "7")] {
            assert_eq!(
                params(&[(name, value)]).take_stream_filter().unwrap_err().name,
                name
            );
        }
    }

    #[test]
    fn limits_at_their_bounds() {
        let limit = |text| params(&[("limit", text)]).take_limit();
        assert_eq!((limit("1"), limit("500"), limit("")), (Ok(1), Ok(500), Ok(50)));
        for bad in ["0", "501", "-1", "1.5", "ten", "99999999999999999999"] {
            assert_eq!(limit(bad).unwrap_err().name, "limit", "{bad:?}");
        }
    }

    #[test]
    fn what_can_be_given_once_cannot_be_given_twice() {
        let error = params(&[("limit", "1"), ("limit", "2")])
            .take_limit()
            .unwrap_err();
        assert_eq!(error.to_string(), "parameter \"limit\": given more than once");
    }

    #[test]
    fn a_time_that_ends_before_it_begins() {
        let span = [
            ("since", "2026-02-01T00:00:00Z"),
            ("until", "2026-01-01T00:00:00Z"),
        ];
        assert_eq!(params(&span).take_job_filter().unwrap_err().name, "until");
    }
}
