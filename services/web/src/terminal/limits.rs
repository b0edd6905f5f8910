//! How many sessions and connections there may be, and how often somebody may be wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most client addresses that are remembered. While as many are tired, nobody new is permitted anything.
const MAX_ADDRESSES: usize = 4_096;
/// Time in which one attempt is forgotten.
const RECOVERY: Duration = Duration::from_millis(500);

/// A client, as far as its address tells: of IPv6 the /64, which one client has as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(six) => {
                let prefix = six.to_bits() & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from_bits(prefix))
            }
            four => four,
        })
    }
}

/// Attempts of each address that are not forgotten yet: a bucket that leaks one each [`RECOVERY`].
pub(super) struct Attempts {
    most: u32,
    /// When each address has nothing to be forgotten any more.
    until: HashMap<Address, Instant>,
}

impl Attempts {
    /// So many in quick succession.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            until: HashMap::new(),
        }
    }

    /// Counts one attempt; `false` where it is one too many.
    pub(super) fn permit(&mut self, address: Address) -> bool {
        self.permit_at(address, Instant::now())
    }

    /// Whether the next attempt is one too many. Counts none.
    pub(super) fn is_tired(&self, address: Address) -> bool {
        self.is_tired_at(address, Instant::now())
    }

    fn is_tired_at(&self, address: Address, now: Instant) -> bool {
        let until = self.until.get(&address);
        until.is_some_and(|until| *until + RECOVERY > now + RECOVERY * self.most)
    }

    fn permit_at(&mut self, address: Address, now: Instant) -> bool {
        if self.until.len() >= MAX_ADDRESSES {
            self.until.retain(|_, until| *until > now);
        }
        let known = self.until.get(&address).copied();
        if known.is_none() && self.until.len() >= MAX_ADDRESSES {
            return false;
        }
        let until = known.map_or(now, |until| until.max(now)) + RECOVERY;
        if until > now + RECOVERY * self.most {
            return false;
        }
        self.until.insert(address, until);
        true
    }
}

/// Sessions or connections that there are.
#[derive(Debug)]
pub(super) struct Places {
    /// What they are, in words.
    what: &'static str,
    most: usize,
    most_each: usize,
    taken: Mutex<HashMap<Address, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Address,
}

impl Places {
    /// So many in all, and so many of each address.
    pub(super) fn new(what: &'static str, most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self {
            what,
            most,
            most_each,
            taken: Mutex::default(),
        })
    }

    /// A place for one more.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) fn take(self: &Arc<Self>, address: Address) -> Result<Place, String> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.most {
            return Err(format!(
                "{} {} are open, and no more may be; close one",
                self.most, self.what
            ));
        }
        let own = taken.entry(address).or_default();
        if *own >= self.most_each {
            return Err(format!(
                "{} {} of this address are open, and no more may be; close one",
                self.most_each, self.what
            ));
        }
        *own += 1;
        Ok(Place {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn one_client_is_one_address() {
        assert_eq!(address("::ffff:10.0.0.7"), address("10.0.0.7"));
        assert_eq!(address("fd00::7"), address("fd00::8:0:0:7"));
        assert_ne!(address("fd00:0:0:1::7"), address("fd00:0:0:2::7"));
        assert_ne!(address("10.0.0.7"), address("10.0.0.8"));
    }

    #[test]
    fn places_are_given_back_and_none_is_given_twice() {
        let places = Places::new("sessions", 3, 2);
        let (a, b) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = places.take(a).unwrap();
        let _second = places.take(a).unwrap();
        assert!(places.take(a).unwrap_err().contains("2 sessions of this address"));
        let _third = places.take(b).unwrap();
        assert!(places.take(b).unwrap_err().contains("3 sessions are open"));
        drop(first);
        let _again = places.take(b).unwrap();
        assert!(places.take(a).is_err());
    }

    #[test]
    fn attempts_are_forgotten_with_time() {
        let mut attempts = Attempts::new(3);
        let (a, b, now) = (address("10.0.0.1"), address("10.0.0.2"), Instant::now());
        for _ in 0..3 {
            assert!(!attempts.is_tired_at(a, now));
            assert!(attempts.permit_at(a, now));
        }
        assert!(attempts.is_tired_at(a, now) && !attempts.is_tired_at(b, now));
        assert!(!attempts.is_tired_at(a, now + RECOVERY));
        assert!(!attempts.permit_at(a, now));
        assert!(attempts.permit_at(b, now), "others are not concerned");
        assert!(attempts.permit_at(a, now + RECOVERY));
        assert!(!attempts.permit_at(a, now + RECOVERY));
        assert!(attempts.permit_at(a, now + RECOVERY * 9));
    }

    #[test]
    fn attempts_are_bounded_in_memory() {
        let mut attempts = Attempts::new(1);
        let now = Instant::now();
        for n in 0..MAX_ADDRESSES {
            let bits = u32::try_from(n).unwrap();
            assert!(attempts.permit_at(IpAddr::from(bits.to_be_bytes()).into(), now));
        }
        assert!(!attempts.permit_at(address("10.0.0.1"), now));
        assert!(attempts.permit_at(address("10.0.0.1"), now + RECOVERY));
        assert_eq!(attempts.until.len(), 1);
    }
}
