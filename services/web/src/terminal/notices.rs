//! Notices to one client: at most one in a while, and of several the latest.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use odd_contracts::terminal::{NoticeCode, ServerMessage};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Least time between two.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits to be told.
#[derive(Default)]
pub(super) struct Notices {
    state: Mutex<State>,
    posted: Notify,
}

#[derive(Default)]
struct State {
    waiting: Option<(NoticeCode, String)>,
    told: Option<Instant>,
}

impl Notices {
    /// Has this told soon. That the session ends soon is not put aside for anything else.
    pub(super) fn post(&self, code: NoticeCode, message: String) {
        let mut state = self.state();
        let urgent = |waiting: &(NoticeCode, String)| waiting.0 == NoticeCode::IdleSoon;
        if code == NoticeCode::IdleSoon || !state.waiting.as_ref().is_some_and(urgent) {
            state.waiting = Some((code, message));
        }
        drop(state);
        self.posted.notify_one();
    }

    /// The next notice, when it is time for it. Cancel-safe.
    pub(super) async fn next(&self) -> ServerMessage {
        loop {
            let now = Instant::now();
            let due = {
                let mut state = self.state();
                let due = state.told.map_or(now, |told| told + PAUSE);
                match state.waiting.take_if(|_| due <= now) {
                    Some((code, message)) => {
                        state.told = Some(now);
                        return ServerMessage::Notice { code, message };
                    }
                    None => state.waiting.is_some().then_some(due),
                }
            };
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => self.posted.notified().await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code(notices: &Notices) -> NoticeCode {
        match notices.next().await {
            ServerMessage::Notice { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_at_most_one_a_second() {
        let notices = Notices::default();
        let post = |code| notices.post(code, "so it is".to_owned());
        let began = Instant::now();
        post(NoticeCode::ReadOnly);
        assert_eq!(code(&notices).await, NoticeCode::ReadOnly);
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            post(NoticeCode::InputDropped);
            post(NoticeCode::IdleSoon);
            post(NoticeCode::ReadOnly);
        }
        assert_eq!(code(&notices).await, NoticeCode::IdleSoon);
        assert_eq!(began.elapsed(), PAUSE);
        let more = tokio::time::timeout(PAUSE * 10, notices.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}
