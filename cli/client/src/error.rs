//! What can go wrong between a client and a role.

use std::time::Duration;

use odd_contracts::{Problem, ProblemCode};

/// Why a request has no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base address is no `http://` URL.
    #[error("{url:?} is no http:// address: {reason}")]
    InvalidUrl {
        /// The text that was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers at the address, or the connection broke before the answer was complete.
    #[error("{url} does not answer")]
    Unreachable {
        /// Address that was called.
        url: String,
        /// What the connection failed of.
        #[source]
        cause: reqwest::Error,
    },
    /// The service answered with a problem.
    #[error("{url} answered {}: {}", problem.status, describe(problem))]
    Problem {
        /// Address that was called.
        url: String,
        /// The service's own words.
        problem: Box<Problem>,
        /// Time after which the service asks to be called again.
        retry_after: Option<Duration>,
    },
    /// What answered does not speak the contract: another service, another version.
    #[error("{url} gave an unexpected answer ({status}): {detail}")]
    Unexpected {
        /// Address that was called.
        url: String,
        /// HTTP status of the answer.
        status: u16,
        /// What was wrong with it, with the start of its body.
        detail: String,
    },
    /// No answer within the time limit. The request may or may not have been served.
    #[error("{url} did not answer within {} s", limit.as_secs_f64())]
    TimedOut {
        /// Address that was called.
        url: String,
        /// The limit.
        limit: Duration,
    },
}

impl ClientError {
    /// The service's problem, where it answered with one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the service says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.problem().is_some_and(|p| p.code == ProblemCode::NotFound)
    }

    /// Whether the same request may succeed later: nobody answered, or the service said so.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Problem { problem, .. } => problem.code.is_retryable(),
            Self::InvalidUrl { .. } | Self::Unexpected { .. } => false,
        }
    }

    /// Time after which the service asks to be called again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// From a failed request to `url` under this time limit.
    pub(crate) fn from_request(url: &str, limit: Duration, cause: reqwest::Error) -> Self {
        if cause.is_timeout() {
            Self::TimedOut {
                url: url.to_owned(),
                limit,
            }
        } else {
            Self::Unreachable {
                url: url.to_owned(),
                cause: cause.without_url(),
            }
        }
    }
}

fn describe(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| problem.title.clone());
    for error in &problem.errors {
        let place = if error.path.is_empty() { "/" } else { &error.path };
        text.push_str(&format!("\n  {place}: {}", error.message));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use odd_contracts::FieldError;

    fn problem(code: ProblemCode) -> ClientError {
        ClientError::Problem {
            url: "http://127.0.0.1:3000/jobs".to_owned(),
            problem: Box::new(Problem::new(code, "the document is not as it should be")),
            retry_after: None,
        }
    }

    #[test]
    fn the_service_decides_what_may_be_tried_again() {
        assert!(problem(ProblemCode::SpineUnavailable).is_retryable());
        assert!(!problem(ProblemCode::ValidationFailed).is_retryable());
        assert!(problem(ProblemCode::NotFound).is_not_found());
    }

    #[test]
    fn a_problem_names_each_place() {
        let ClientError::Problem { url, problem, .. } = problem(ProblemCode::ValidationFailed) else {
            unreachable!()
        };
        let error = ClientError::Problem {
            url,
            problem: Box::new(problem.with_errors(vec![FieldError {
                path: "/type".to_owned(),
                message: "is too long".to_owned(),
            }])),
            retry_after: None,
        };
        assert_eq!(
            error.to_string(),
            "http://127.0.0.1:3000/jobs answered 400: the document is not as it should be\n  /type: is too long"
        );
    }
}
