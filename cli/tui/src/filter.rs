//! The filter of the jobs table: the same words as `odd jobs list` has.

use std::borrow::Cow;
use std::time::Duration;

use odd_client::JobQuery;
use odd_contracts::{JobStatus, Timestamp};
use odd_look::duration;

/// What may stand before a colon.
const WORDS: &str = "type, status, since, until, id";

/// Which jobs are wanted. What is told from now, such as the last five minutes, moves with the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    statuses: Vec<JobStatus>,
    job_type: Option<String>,
    since: Option<When>,
    until: Option<When>,
    id_contains: Option<String>,
}

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Always the same.
    At(Timestamp),
    /// So long before now, whenever that is.
    Ago(Duration),
}

impl When {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.minus(ago),
        }
    }
}

impl Filter {
    /// Reads `type:resize status:failed,retrying since:10m until:1m id:9f31`. A word without a colon is looked for in the id.
    ///
    /// # Errors
    /// The word that means nothing, and what could stand there.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in words(text) {
            if value.is_empty() {
                return Err(format!("{name}: stands for nothing"));
            }
            let is_first = match name {
                "type" => filter.job_type.replace(value.to_owned()).is_none(),
                "status" => {
                    filter.statuses.extend(statuses(value)?);
                    true
                }
                "since" => filter.since.replace(instant(value)?).is_none(),
                "until" => filter.until.replace(instant(value)?).is_none(),
                "id" => filter.id_contains.replace(value.to_owned()).is_none(),
                _ => return Err(format!("{name}: is unknown; there are {WORDS}")),
            };
            if !is_first {
                return Err(format!("{name}: stands there twice"));
            }
        }
        Ok(filter)
    }

    /// What to ask for, as of now.
    pub(crate) fn query(&self, now: Timestamp) -> JobQuery {
        JobQuery {
            statuses: self.statuses.clone(),
            job_type: self.job_type.clone(),
            since: self.since(now),
            until: self.until.map(|until| until.at(now)),
            id_contains: self.id_contains.clone(),
            ..JobQuery::default()
        }
    }

    /// The instant before which no job is wanted, as of now.
    pub(crate) fn since(&self, now: Timestamp) -> Option<Timestamp> {
        self.since.map(|since| since.at(now))
    }

    /// Whether jobs come into the list because time passes.
    pub(crate) const fn ripens(&self) -> bool {
        matches!(self.until, Some(When::Ago(_)))
    }

    /// Whether a job that was just created, at this instant, is wanted. One of which only a part of the id is known is not: the
    /// next page will tell.
    pub(crate) fn takes_new(&self, job_type: Option<&str>, created_at: Timestamp, now: Timestamp) -> bool {
        let status = self.statuses.is_empty() || self.statuses.contains(&JobStatus::Pending);
        let of_type = self
            .job_type
            .as_deref()
            .is_none_or(|wanted| job_type == Some(wanted));
        let since = self.since(now).is_none_or(|since| created_at >= since);
        let until = self.until.is_none_or(|until| created_at < until.at(now));
        status && of_type && since && until && self.id_contains.is_none()
    }
}

/// The same as arguments of `odd jobs list`, as they can be pasted into a shell.
pub(crate) fn arguments(text: &str) -> String {
    let mut arguments = String::new();
    for (name, value) in words(text) {
        // One that begins like an option would be taken for one.
        let gap = if value.starts_with('-') { '=' } else { ' ' };
        arguments.push_str(&format!(" --{name}{gap}{}", quoted(value)));
    }
    arguments
}

/// Names and values.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace()
        .map(|word| word.split_once(':').unwrap_or(("id", word)))
}

/// A word that a POSIX shell takes as it is, or the word between quotes.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

fn statuses(text: &str) -> Result<Vec<JobStatus>, String> {
    let read = |name: &str| {
        let names: Vec<_> = JobStatus::ALL
            .iter()
            .map(|status| status.name().to_lowercase())
            .collect();
        name.parse()
            .map_err(|_| format!("{name:?} is no status; there are {}", names.join(", ")))
    };
    text.split(',').map(read).collect()
}

fn instant(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse() {
        return Ok(When::At(at));
    }
    duration::parse(text).map(When::Ago).map_err(|_| {
        format!("{text:?} is neither a duration such as 10m nor a time such as 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_764_000_000_000_000)
    }

    fn ago(seconds: u64) -> Timestamp {
        now().minus(Duration::from_secs(seconds))
    }

    #[test]
    fn words_are_those_of_the_command() {
        let filter =
            Filter::parse("type:resize status:failed,RETRYING since:10m 9f31 status:cancelled").unwrap();
        let query = filter.query(now());
        assert_eq!(query.job_type.as_deref(), Some("resize"));
        assert_eq!(
            query.statuses,
            [JobStatus::Failed, JobStatus::Retrying, JobStatus::Cancelled]
        );
        assert_eq!(query.since, Some(ago(600)));
        assert_eq!(query.id_contains.as_deref(), Some("9f31"));
        assert_eq!(
            arguments("type:resize status:failed 9f31"),
            " --type resize --status failed --id 9f31"
        );
    }

    #[test]
    fn what_is_told_from_now_moves_with_the_clock() {
        let filter = Filter::parse("since:5m until:1m").unwrap();
        let later = now().plus(Duration::from_secs(3_600));
        assert_eq!(filter.query(now()).since, Some(ago(300)));
        assert_eq!(
            filter.query(later).since,
            Some(later.minus(Duration::from_secs(300)))
        );
        assert_eq!(
            filter.query(later).until,
            Some(later.minus(Duration::from_secs(60)))
        );
        assert!(filter.ripens());
        let fixed = Filter::parse("since:2025-11-24T15:00:00Z").unwrap();
        assert_eq!(fixed.query(now()).since, fixed.query(later).since);
        assert!(!fixed.ripens());
    }

    #[test]
    fn a_new_job_is_wanted_or_not() {
        let takes = |text: &str, created_at| {
            let filter = Filter::parse(text).unwrap();
            filter.takes_new(Some("resize"), created_at, now())
        };
        assert!(takes("", now()) && takes("type:resize status:pending,failed", now()));
        assert!(!takes("type:hello", now()) && !takes("status:failed", now()) && !takes("9f31", now()));
        assert!(takes("since:5m", ago(299)) && !takes("since:5m", ago(301)));
        assert!(takes("until:1m", ago(61)) && !takes("until:1m", ago(59)));
    }

    #[test]
    fn the_command_can_be_pasted() {
        for (text, command) in [
            ("type:a;rm", " --type 'a;rm'"),
            ("type:it's", r" --type 'it'\''s'"),
            ("type:$(x) *", " --type '$(x)' --id '*'"),
            ("type:-x", " --type=-x"),
            ("type:\"a\"", " --type '\"a\"'"),
            ("since:2026-01-31T12:00:00Z", " --since 2026-01-31T12:00:00Z"),
            ("type:报告", " --type 报告"),
            ("type:~", " --type '~'"),
        ] {
            assert_eq!(arguments(text), command);
        }
    }

    /// What is quoted arrives in a shell as it was typed.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_what_was_meant() {
        for word in [
            "a;b", "it's", "$HOME", "`x`", "a\\b", "\"", "*", "!", "a&b|c", "#", "~", "{a,b}",
        ] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        }
    }

    #[test]
    fn what_means_nothing_is_named() {
        for (text, named) in [
            ("colour:red", "colour"),
            ("status:odd", "odd"),
            ("since:yesterday", "yesterday"),
            ("type:", "type"),
            ("type:a type:b", "twice"),
        ] {
            let told = Filter::parse(text).unwrap_err();
            assert!(told.contains(named), "{told}");
        }
        assert_eq!(Filter::parse("").unwrap(), Filter::default());
    }
}
