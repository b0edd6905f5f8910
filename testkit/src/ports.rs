//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use odd_contracts::Role;

/// First offset that is tried. With the roles' own ports it stays below the range that systems take ports of
/// outgoing connections from (32768 on Linux).
const FIRST: u16 = 10_000;
/// Offsets in the range.
const SPAN: u16 = 14_000;
/// Distance between two offsets: no port of one is a port of the next.
const STEP: u16 = 1;

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
    let process = u16::try_from(std::process::id() % u32::from(SPAN)).unwrap_or_default();
    for _ in 0..SPAN {
        let tried = NEXT.fetch_add(STEP, Ordering::Relaxed);
        let offset = FIRST + (process.wrapping_mul(37) % SPAN + tried) % SPAN;
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
}
