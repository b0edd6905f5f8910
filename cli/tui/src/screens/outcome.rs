//! What is told at the foot when a change was answered: how it ended, and the command that does the same.

use std::borrow::Cow;

use odd_look::format;
use odd_look::sign::Tone;

use super::Job;
use crate::effect::{Answer, Ask, Effect};
use crate::fit;
use crate::world::{Failure, World};

/// What stands between words and the command.
const COMMAND: &str = "   $ ";

/// Words with the command that does the same, of this instance.
pub(crate) fn with_command(words: &str, command: &str, world: &World) -> String {
    format!("{words}{COMMAND}{command}{}", world.of_instance)
}

/// As much of it as there is room for: words and command, or the words alone. Half a command would be another.
pub(crate) fn within(text: &str, columns: usize) -> Cow<'_, str> {
    let words = match text.rsplit_once(COMMAND) {
        Some((words, _)) if fit::width(text) > columns => words,
        _ => text,
    };
    fit::cut(words, columns)
}

/// What follows from how a change ended: the job that repeats another is opened, and it is told.
pub(crate) fn followed(ask: &Ask, answer: &Result<Answer, Failure>, world: &World) -> Vec<Effect> {
    let new = match answer {
        Ok(Answer::Retried(new)) => Some(Effect::Push(Box::new(Job::new(new.job_id)))),
        _ => None,
    };
    new.into_iter().chain(of(ask, answer, world)).collect()
}

/// How a change ended; none of a question, which is answered by what is shown.
pub(crate) fn of(ask: &Ask, answer: &Result<Answer, Failure>, world: &World) -> Option<Effect> {
    let (tone, words) = match answer {
        Ok(answer) => (Tone::Ok, done(ask, answer)?),
        Err(failure) => not_done(ask, failure)?,
    };
    let text = match command(ask) {
        Some(command) => with_command(&words, &command, world),
        None => words,
    };
    Some(Effect::Notice(tone, text))
}

fn done(ask: &Ask, answer: &Answer) -> Option<String> {
    Some(match (ask, answer) {
        (Ask::Submit(..), Answer::Submitted(accepted, 1)) => {
            format!("job {} was accepted", format::short_id(accepted.job_id))
        }
        (Ask::Submit(..), Answer::Submitted(_, count)) => {
            format!("{} jobs were accepted", format::count(u64::from(*count)))
        }
        (Ask::Cancel(_), _) => "the request to cancel is on its way".to_owned(),
        (Ask::Retry(_), Answer::Retried(new)) => {
            format!("repeated as job {}", format::short_id(new.job_id))
        }
        (Ask::Requeue(_), _) => "it is on its queue again".to_owned(),
        _ => return None,
    })
}

fn not_done(ask: &Ask, failure: &Failure) -> Option<(Tone, String)> {
    Some(match ask {
        Ask::Requeue(_) if failure.not_found => (
            Tone::Attention,
            "it is no longer kept: it was put back before".to_owned(),
        ),
        Ask::Submit(..) | Ask::Cancel(_) | Ask::Retry(_) | Ask::Requeue(_) => {
            (Tone::Bad, failure.text.clone())
        }
        Ask::Jobs(_) | Ask::Job(_) | Ask::DeadLetters(_) | Ask::DeadLetter(_) | Ask::AlertHistory => {
            return None;
        }
    })
}

/// None where only who asked knows it.
fn command(ask: &Ask) -> Option<String> {
    Some(match ask {
        Ask::Cancel(id) => format!("odd jobs cancel {}", format::short_id(*id)),
        Ask::Retry(id) => format!("odd jobs retry {}", format::short_id(*id)),
        Ask::Requeue(id) => format!("odd dead-letters requeue {}", format::short_id(*id)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use odd_contracts::{JobAccepted, JobStatus};
    use uuid::Uuid;

    use super::*;
    use crate::bed;

    fn told(ask: &Ask, answer: &Result<Answer, Failure>) -> (Tone, String) {
        let mut world = bed::world();
        world.of_instance = " --instance demo".to_owned();
        match of(ask, answer, &world) {
            Some(Effect::Notice(tone, text)) => (tone, text),
            _ => panic!("nothing is told of {ask:?}"),
        }
    }

    #[test]
    fn a_command_is_shown_whole_or_not_at_all() {
        let told = with_command("it is on its way", "odd jobs cancel 9f31c2ab", &bed::world());
        assert_eq!(within(&told, 80), "it is on its way   $ odd jobs cancel 9f31c2ab");
        assert_eq!(within(&told, 44), "it is on its way");
        assert_eq!(within(&told, 9), "it is on…");
        assert_eq!(within("no command", 80), "no command");
    }

    #[test]
    fn every_change_is_told_with_its_command() {
        let id = Uuid::from_u128(0x9f31_c2ab << 96);
        let new = JobAccepted {
            job_id: Uuid::from_u128(0x51d0_e77c << 96),
            event_id: Uuid::from_u128(8),
            status: JobStatus::Pending,
            correlation_id: "c".to_owned(),
            duplicate: false,
        };
        for (ask, answer, text) in [
            (
                Ask::Cancel(id),
                Answer::Done,
                "the request to cancel is on its way   $ odd jobs cancel 9f31c2ab --instance demo",
            ),
            (
                Ask::Retry(id),
                Answer::Retried(new.clone()),
                "repeated as job 51d0e77c   $ odd jobs retry 9f31c2ab --instance demo",
            ),
            (
                Ask::Requeue(id),
                Answer::Done,
                "it is on its queue again   $ odd dead-letters requeue 9f31c2ab --instance demo",
            ),
            (
                Ask::Submit(Box::default(), 1_000),
                Answer::Submitted(new, 1_000),
                "1,000 jobs were accepted",
            ),
        ] {
            assert_eq!(told(&ask, &Ok(answer)), (Tone::Ok, text.to_owned()));
            let failure = Failure {
                text: "the gateway does not answer".to_owned(),
                not_found: false,
            };
            let (tone, text) = told(&ask, &Err(failure));
            assert_eq!(tone, Tone::Bad);
            assert!(text.starts_with("the gateway does not answer"));
        }
        assert!(of(&Ask::Job(id), &Ok(Answer::Done), &bed::world()).is_none());
    }
}
