//! Sessions by the keys that clients come back with.
//!
//! A key is good once. But a page may be loaded anew before it has kept the key that it was just told, and then knows the one
//! before only. So that one stays good until the client has shown, by saying anything, that it has the new one.

use std::collections::HashMap;
use std::sync::Arc;

use odd_contracts::terminal::Key;

use super::keys::{Digest, new_key};

/// The sessions.
pub(super) struct Register<S> {
    /// Number of the next session.
    next: u64,
    keys: HashMap<Digest, u64>,
    held: HashMap<u64, Held<S>>,
}

struct Held<S> {
    session: Arc<S>,
    /// Of the key that a client was told last.
    told: Digest,
    /// Of the key that it came back with, until it has shown that it has the other.
    before: Option<Digest>,
}

/// What a client was told.
#[derive(Clone, Copy)]
pub(super) struct Receipt {
    /// Number of the session.
    pub(super) number: u64,
    told: Digest,
}

impl<S> Default for Register<S> {
    fn default() -> Self {
        Self {
            next: 0,
            keys: HashMap::new(),
            held: HashMap::new(),
        }
    }
}

impl<S> Register<S> {
    /// Takes a new session in. The key is for its client.
    pub(super) fn enter(&mut self, session: Arc<S>) -> (Key, Receipt) {
        let (key, told) = new_key();
        let number = self.next;
        self.next += 1;
        self.keys.insert(told, number);
        let before = None;
        self.held.insert(
            number,
            Held {
                session,
                told,
                before,
            },
        );
        (key, Receipt { number, told })
    }

    /// The session of this key, and the key that takes its place.
    pub(super) fn come_back(&mut self, key: &Key) -> Option<(Arc<S>, Key, Receipt)> {
        let shown = Digest::of(&key.0);
        let number = *self.keys.get(&shown)?;
        let held = self.held.get_mut(&number)?;
        let (key, told) = new_key();
        // The other of the two: used, or told to somebody who has never shown that it came.
        for other in [Some(held.told), held.before].into_iter().flatten() {
            if !other.is(&shown) {
                self.keys.remove(&other);
            }
        }
        (held.told, held.before) = (told, Some(shown));
        self.keys.insert(told, number);
        Some((Arc::clone(&held.session), key, Receipt { number, told }))
    }

    /// The client has what it was told: what it came back with is good no more. Of a client whose session another has taken
    /// over this says nothing.
    pub(super) fn confirm(&mut self, receipt: &Receipt) {
        let Some(held) = self.held.get_mut(&receipt.number) else {
            return;
        };
        if held.told.is(&receipt.told)
            && let Some(before) = held.before.take()
        {
            self.keys.remove(&before);
        }
    }

    /// The session is over.
    pub(super) fn leave(&mut self, number: u64) {
        if let Some(held) = self.held.remove(&number) {
            self.keys.remove(&held.told);
            held.before.map(|before| self.keys.remove(&before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_once_when_the_next_has_come() {
        let mut register = Register::default();
        let (first, _) = register.enter(Arc::new("session"));
        let (session, second, receipt) = register.come_back(&first).unwrap();
        assert_eq!(*session, "session");
        register.confirm(&receipt);
        assert!(register.come_back(&first).is_none());
        assert!(register.come_back(&second).is_some());
        assert!(register.come_back(&Key("0".repeat(64))).is_none());
    }

    #[test]
    fn who_was_never_heard_of_comes_back_with_the_key_before() {
        let mut register = Register::default();
        let (first, _) = register.enter(Arc::new(()));
        let (_, second, lost) = register.come_back(&first).unwrap();
        let (_, third, receipt) = register.come_back(&first).unwrap();
        assert!(register.come_back(&second).is_none(), "nobody has it");
        // Who was taken over speaks for nobody any more.
        register.confirm(&lost);
        assert_eq!(register.keys.len(), 2);
        register.confirm(&receipt);
        assert!(register.come_back(&first).is_none());
        let (_, fourth, _) = register.come_back(&third).unwrap();
        let (_, fifth, _) = register.come_back(&fourth).unwrap();
        assert!(
            register.come_back(&third).is_none(),
            "whoever has the fourth was told"
        );
        assert!(register.come_back(&fifth).is_some());
    }

    #[test]
    fn of_a_session_that_is_over_nothing_is_kept() {
        let mut register = Register::default();
        let (one, receipt) = register.enter(Arc::new(1));
        let (other, _) = register.enter(Arc::new(2));
        let (_, again, _) = register.come_back(&one).unwrap();
        register.leave(receipt.number);
        register.confirm(&receipt);
        assert!(register.come_back(&one).is_none() && register.come_back(&again).is_none());
        assert_eq!((register.keys.len(), register.held.len()), (1, 1));
        assert_eq!(*register.come_back(&other).unwrap().0, 2);
    }
}
