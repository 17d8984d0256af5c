//! Slows guessing down: failures are counted by the peer's network and by login name, in memory.
//!
//! Delays double with each failure; after [`limits::FAILURES`] within [`limits::FAILURE_WINDOW_S`] nothing is checked until the window has passed.
//! A pair of network and name that logged in before answers only for its own failures, so that nobody can lock others out;
//! a success therefore forgives its own pair and nothing else: an attacker's own account must not wipe the slate of his
//! address, nor the victim's logins that of the name under attack.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use yubin_base::UnixMs;

use crate::{aging::Aging, limits};

/// Who is failing: a network (IPv4 address or IPv6 /64) and a login name (hashed; also of users who do not exist).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Suspect {
    network: u64,
    name: [u8; 16],
}

impl Suspect {
    /// The name should be in the form in which accounts are found, so that spellings of one name count together.
    pub(crate) fn new(remote: IpAddr, name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let name = digest.first_chunk::<16>().copied().unwrap_or_default();
        Self { network: network(remote), name }
    }
}

/// IPv4 addresses as such, also when written as IPv6; of IPv6 the first 64 bits. The two ranges do not meet: ::/64 is not in use.
fn network(remote: IpAddr) -> u64 {
    match remote.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

/// Failures since the first of them.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: UnixMs,
}

/// A pair that logged in before.
#[derive(Clone, Copy, Debug)]
struct Known {
    last: UnixMs,
    failures: Option<Failures>,
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Throttle {
    networks: Aging<u64, Failures>,
    names: Aging<[u8; 16], Failures>,
    known: Aging<Suspect, Known>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            networks: Aging::new(limits::THROTTLED_ADDRESSES),
            names: Aging::new(limits::THROTTLED_NAMES),
            known: Aging::new(limits::KNOWN_PAIRS),
        }
    }
}

impl Throttle {
    /// Whether the suspect must come back later. Asked before a check, and after it: of many checks at once no more may tell anything.
    pub(crate) fn barred(&self, suspect: Suspect, now: UnixMs) -> bool {
        self.count(suspect, now) >= limits::FAILURES
    }

    /// Counts a failure; tells how long to wait before the answer, in milliseconds.
    pub(crate) fn failed(&mut self, suspect: Suspect, now: UnixMs) -> u32 {
        if let Some(known) = self.known(suspect, now) {
            let failures = Some(one_more(known.failures, now));
            self.known.put(suspect, Known { failures, ..known });
        } else {
            let network = one_more(self.networks.get(&suspect.network).copied(), now);
            self.networks.put(suspect.network, network);
            let name = one_more(self.names.get(&suspect.name).copied(), now);
            self.names.put(suspect.name, name);
        }
        delay_ms(self.count(suspect, now))
    }

    /// Remembers a success.
    pub(crate) fn succeeded(&mut self, suspect: Suspect, now: UnixMs) {
        self.known.put(suspect, Known { last: now, failures: None });
    }

    fn known(&self, suspect: Suspect, now: UnixMs) -> Option<Known> {
        self.known.get(&suspect).copied().filter(|known| now.since(known.last) < limits::KNOWN_PAIR_S * 1000)
    }

    /// The failures that count against the suspect.
    fn count(&self, suspect: Suspect, now: UnixMs) -> u32 {
        if let Some(known) = self.known(suspect, now) {
            return current(known.failures, now);
        }
        let network = current(self.networks.get(&suspect.network).copied(), now);
        network.max(current(self.names.get(&suspect.name).copied(), now))
    }
}

/// The count, unless its window has passed. A clock that went back far ends the window too.
fn current(failures: Option<Failures>, now: UnixMs) -> u32 {
    let in_window = |f: &Failures| {
        now.since(f.since) < limits::FAILURE_WINDOW_S * 1000
            && f.since.since(now) < limits::FAILURE_WINDOW_S * 1000
    };
    failures.filter(in_window).map_or(0, |f| f.count)
}

fn one_more(failures: Option<Failures>, now: UnixMs) -> Failures {
    match (current(failures, now), failures) {
        (count @ 1.., Some(before)) => Failures { count: count.saturating_add(1), ..before },
        _ => Failures { count: 1, since: now },
    }
}

/// Doubles from the least to the most.
fn delay_ms(count: u32) -> u32 {
    let doubled = 1_u32.checked_shl(count.saturating_sub(1)).unwrap_or(u32::MAX);
    limits::FAILURE_DELAY_MIN_MS.saturating_mul(doubled).min(limits::FAILURE_DELAY_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn suspect(ip: &str, name: &str) -> Suspect {
        Suspect::new(ip.parse().unwrap(), name)
    }

    #[test]
    fn delays_grow_and_end_in_a_bar_until_the_window_has_passed() {
        let mut throttle = Throttle::default();
        let s = suspect("192.0.2.1", "ann");
        let delays: Vec<_> = (0..10)
            .map(|n| {
                assert!(!throttle.barred(s, UnixMs(n)));
                throttle.failed(s, UnixMs(n))
            })
            .collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000]);
        assert!(throttle.barred(s, UnixMs(10)));
        assert!(throttle.barred(suspect("192.0.2.1", "bob"), UnixMs(10)), "same address");
        assert!(throttle.barred(suspect("198.51.100.9", "ann"), UnixMs(10)), "same name");
        assert!(!throttle.barred(suspect("198.51.100.9", "bob"), UnixMs(10)));
        assert!(!throttle.barred(s, UnixMs(10 * MINUTE)));
        assert_eq!(throttle.failed(s, UnixMs(10 * MINUTE)), 500);
    }

    #[test]
    fn networks_are_ipv4_addresses_and_ipv6_64s() {
        for (a, b, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(suspect(a, "") == suspect(b, ""), same, "{a} {b}");
        }
    }

    #[test]
    fn a_known_pair_is_not_locked_out_by_others() {
        let mut throttle = Throttle::default();
        let ann = suspect("192.0.2.1", "ann");
        throttle.succeeded(ann, UnixMs(0));
        for n in 0..20 {
            throttle.failed(suspect("198.51.100.9", "ann"), UnixMs(n));
            throttle.failed(suspect("192.0.2.1", "bob"), UnixMs(n));
        }
        assert!(!throttle.barred(ann, UnixMs(20)));
        assert!(throttle.barred(suspect("198.51.100.9", "ann"), UnixMs(20)));
        for n in 20..30 {
            throttle.failed(ann, UnixMs(n));
        }
        assert!(throttle.barred(ann, UnixMs(30)), "its own failures count");
        throttle.succeeded(ann, UnixMs(30));
        assert!(!throttle.barred(ann, UnixMs(31)), "a success forgives its own");
        assert!(throttle.barred(suspect("192.0.2.1", "bob"), UnixMs(31)), "and no others'");
    }
}
