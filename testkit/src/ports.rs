//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use odd_contracts::Role;

/// First offset that is tried. With the roles' own ports it stays below the range that systems take ports of
/// outgoing connections from (32768 on Linux).
const FIRST: u16 = 10_000;
/// Distance between two offsets. No multiple of it is a distance between the ports of two roles, so that no port under
/// one offset is another role's port under another.
const STEP: u16 = 37;
/// Range of offsets: a multiple of the step, so that they stay multiples where they begin anew.
const SPAN: u16 = STEP * 378;

/// A port that was free a moment ago.
///
/// # Panics
/// Where the system has none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

/// A port offset under which every role's port was free a moment ago. No two calls in one process return the same,
/// and processes begin at different places.
///
/// # Panics
/// Where no offset is left.
pub fn free_port_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const OFFSETS: u16 = SPAN / STEP;
    // Below the number of offsets, and thus of u16.
    let begin = u16::try_from(std::process::id() % u32::from(OFFSETS)).unwrap_or_default();
    for _ in 0..OFFSETS {
        let tried = NEXT.fetch_add(1, Ordering::Relaxed) % OFFSETS;
        let offset = FIRST + (begin + tried) % OFFSETS * STEP;
        let free =
            |role: Role| TcpListener::bind((Ipv4Addr::LOCALHOST, role.default_port() + offset)).is_ok();
        if Role::ALL.into_iter().all(free) {
            return offset;
        }
    }
    panic!("no port offset is free");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_free_and_differ() {
        let (one, other) = (free_port_offset(), free_port_offset());
        assert_ne!(one, other);
        let port = Role::Gateway.default_port() + one;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn no_port_of_one_offset_is_a_port_of_another() {
        for one in Role::ALL {
            for other in Role::ALL {
                let distance = one.default_port().abs_diff(other.default_port());
                assert!(
                    distance == 0 || !distance.is_multiple_of(STEP),
                    "{one} and {other}"
                );
            }
        }
    }
}
