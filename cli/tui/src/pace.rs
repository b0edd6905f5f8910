//! When a frame is due: at once for whoever presses a key, ten times a second for what the system tells.

use std::time::{Duration, Instant};

/// Least time between two frames that answer somebody: sixty a second.
const FRAME: Duration = Duration::from_micros(16_667);
/// The same of frames that show what the system tells, which may be at any time: ten a second are as live to the eye, and leave
/// the processor to whoever types, here and in every other window.
const NEWS: Duration = Duration::from_millis(100);

/// What is to be drawn, and when.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When what is not shown yet has to be; `None` where all that is known is shown.
    due: Option<Instant>,
    /// Whether what is not shown yet answers somebody.
    answers: bool,
    /// When a frame was drawn last.
    drawn: Option<Instant>,
    /// When one was that answered somebody. One that only showed news keeps nobody waiting who presses a key right after.
    answered: Option<Instant>,
}

impl Pace {
    /// Something has to be shown because somebody asked for it.
    pub(crate) fn answer(&mut self, now: Instant) {
        self.answers = true;
        self.by(after(self.answered, FRAME, now));
    }

    /// The system has told something.
    pub(crate) fn news(&mut self, now: Instant) {
        self.by(after(self.drawn, NEWS, now));
    }

    /// When the next frame has to be drawn; `None` where nothing is new.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Everything is shown.
    pub(crate) fn drawn(&mut self, now: Instant) {
        self.due = None;
        self.drawn = Some(now);
        if std::mem::take(&mut self.answers) {
            self.answered = Some(now);
        }
    }

    fn by(&mut self, time: Instant) {
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }
}

/// `pause` after `last`, but not before `now`.
fn after(last: Option<Instant>, pause: Duration, now: Instant) -> Instant {
    last.map_or(now, |last| now.max(last + pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_frame_is_due_at_once() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(), None);
        pace.news(now);
        assert_eq!(pace.due(), Some(now));
    }

    #[test]
    fn news_come_ten_times_a_second() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.drawn(now);
        pace.news(now + MOMENT);
        pace.news(now + 2 * MOMENT);
        assert_eq!(pace.due(), Some(now + NEWS));
        let late = now + 3 * NEWS;
        pace.drawn(now + NEWS);
        assert_eq!(pace.due(), None);
        pace.news(late);
        assert_eq!(
            pace.due(),
            Some(late),
            "what comes after a quiet time waits for nothing"
        );
    }

    #[test]
    fn a_key_does_not_wait_for_news() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.news(now);
        pace.drawn(now);
        pace.news(now + MOMENT);
        pace.answer(now + 2 * MOMENT);
        assert_eq!(pace.due(), Some(now + 2 * MOMENT));
        pace.news(now + 3 * MOMENT);
        assert_eq!(
            pace.due(),
            Some(now + 2 * MOMENT),
            "news put nothing off that is due before"
        );
    }

    #[test]
    fn keys_are_answered_sixty_times_a_second_at_most() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.answer(now);
        pace.drawn(now);
        pace.answer(now + MOMENT);
        assert_eq!(pace.due(), Some(now + FRAME));
        pace.drawn(now + FRAME);
        pace.news(now + FRAME + MOMENT);
        assert_eq!(pace.due(), Some(now + FRAME + NEWS));
    }
}
