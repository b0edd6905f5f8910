//! Tickets and tokens: random, kept as digests only, compared in constant time, good once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, HeaderMap};
use odd_contracts::terminal::Key;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Most tickets that may wait to be used.
const MAX_TICKETS: usize = 1_024;

/// What is kept of a key. Finding it in a map tells nothing of the key: whoever times that learns about digests only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether both are of one key.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A new key of 256 random bits, and what is kept of it.
pub(super) fn new_key() -> (Key, Digest) {
    let bits: [u8; 32] = rand::random();
    let text: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = Digest::of(&text);
    (Key(text), digest)
}

/// Tickets that wait to be used.
#[derive(Default)]
pub(super) struct Tickets(HashMap<Digest, Instant>);

impl Tickets {
    /// A ticket that is good for so long; `None` where too many wait.
    pub(super) fn issue(&mut self, good_for: Duration) -> Option<Key> {
        let now = Instant::now();
        self.0.retain(|_, end| *end > now);
        if self.0.len() >= MAX_TICKETS {
            return None;
        }
        let (key, digest) = new_key();
        self.0.insert(digest, now + good_for);
        Some(key)
    }

    /// Whether this is a ticket; from now on it is none.
    pub(super) fn redeem(&mut self, key: &Key) -> bool {
        let end = self.0.remove(&Digest::of(&key.0));
        end.is_some_and(|end| end > Instant::now())
    }
}

/// What the request shows as a token (RFC 6750, 2.1), which is nothing that opens anything where it is of another scheme; `None`
/// where it shows nothing at all.
pub(super) fn shown(headers: &HeaderMap) -> Option<Digest> {
    let shown = headers.get(AUTHORIZATION)?.to_str().unwrap_or_default();
    let bearer = shown
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(Digest::of(bearer.map_or("", |(_, key)| key.trim())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_ticket_is_good_once_and_not_for_ever() {
        let mut tickets = Tickets::default();
        let ticket = tickets.issue(LONG).unwrap();
        assert!(!tickets.redeem(&Key("0".repeat(64))));
        assert!(tickets.redeem(&ticket));
        assert!(!tickets.redeem(&ticket));
        let late = tickets.issue(Duration::ZERO).unwrap();
        assert!(!tickets.redeem(&late));
    }

    #[test]
    fn tickets_are_bounded_and_old_ones_make_room() {
        let mut tickets = Tickets::default();
        for _ in 0..MAX_TICKETS {
            tickets.issue(Duration::ZERO).unwrap();
        }
        let waiting: HashSet<String> = (0..MAX_TICKETS).map(|_| tickets.issue(LONG).unwrap().0).collect();
        assert_eq!(waiting.len(), MAX_TICKETS, "no two are the same");
        assert!(waiting.iter().all(|ticket| ticket.len() == 64));
        assert_eq!(tickets.issue(LONG), None);
    }

    #[test]
    fn the_token_is_shown_as_bearer() {
        let token = Digest::of("a token of sixteen");
        let judge = |value: Option<&str>| {
            let headers = value.map(|value| (AUTHORIZATION, value.parse().unwrap()));
            shown(&headers.into_iter().collect()).map(|shown| shown.is(&token))
        };
        assert_eq!(judge(None), None);
        assert_eq!(judge(Some("bearer a token of sixteen")), Some(true));
        for wrong in [
            "Bearer a token",
            "Bearer",
            "Basic a token of sixteen",
            "a token of sixteen",
        ] {
            assert_eq!(judge(Some(wrong)), Some(false), "{wrong}");
        }
    }
}
