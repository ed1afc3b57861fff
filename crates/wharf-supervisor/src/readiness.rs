//! From listeners to "it serves": which port is the instance's, and when nothing more is awaited.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use wharf_model::{Listener, Port};

/// A listener on a port that the program is known to name itself is believed after this time: Vite
/// opens and closes listeners for a few milliseconds before its real one.
const LIKELY_AFTER: Duration = Duration::from_millis(300);

/// A listener on any other port is believed after this time without one on the leased port.
const UNLIKELY_AFTER: Duration = Duration::from_secs(2);

/// A listener on a port of side channels (debuggers, reload sockets, whatever the kernel chose) is
/// believed after this time.
const SIDE_CHANNEL_AFTER: Duration = Duration::from_secs(10);

/// Node's inspector, JDWP, LiveReload, Vite's separate HMR socket, cargo-leptos' reload.
pub(crate) const SIDE_CHANNELS: &[u16] = &[5005, 9229, 9230, 24678, 35729];

/// Chooses the port on which an instance is believed to serve.
#[derive(Debug)]
pub struct Expectation {
    leased: u16,
    further: Vec<u16>,
    likely: Vec<u16>,
    /// Ports that the kernel gives to whoever names none: never a server's own choice.
    ephemeral: RangeInclusive<u16>,
    /// Where a listener of the tree has been seen without a break, and since when.
    since: BTreeMap<u16, Instant>,
    believed: u16,
}

impl Expectation {
    /// Expects the server on its leased port.
    pub fn new(
        leased: Port,
        further: &[Port],
        likely: &[Port],
        ephemeral: RangeInclusive<u16>,
    ) -> Expectation {
        let numbers = |ports: &[Port]| ports.iter().map(|port| port.get()).collect();
        Expectation {
            leased: leased.get(),
            further: numbers(further),
            likely: numbers(likely),
            ephemeral,
            since: BTreeMap::new(),
            believed: leased.get(),
        }
    }

    /// The port to watch and to probe.
    pub fn port(&self) -> u16 {
        self.believed
    }

    /// Takes in that a port was leased for one that the program named: it is believed soon.
    pub fn expect(&mut self, port: u16) {
        if port != self.leased && !self.likely.contains(&port) {
            self.likely.push(port);
        }
    }

    /// Takes in what the tree listens on. Returns the port when the belief has just changed.
    pub fn consider(&mut self, seen: &BTreeSet<Listener>, now: Instant) -> Option<u16> {
        let ports: BTreeSet<u16> = seen.iter().map(|listener| listener.port).collect();
        self.since.retain(|port, _| ports.contains(port));
        for port in &ports {
            self.since.entry(*port).or_insert(now);
        }
        let choice = self.choice(now)?;
        (choice != self.believed).then(|| {
            self.believed = choice;
            choice
        })
    }

    /// The leased port always wins; then the one that has been there longest among those that may be
    /// believed, the likely ones first.
    fn choice(&self, now: Instant) -> Option<u16> {
        if self.since.contains_key(&self.leased) {
            return Some(self.leased);
        }
        if self.since.contains_key(&self.believed) {
            return None;
        }
        let mut candidates: Vec<_> = self
            .since
            .iter()
            .filter(|(port, since)| {
                !self.further.contains(port)
                    && now.saturating_duration_since(**since) >= self.patience(**port)
            })
            .collect();
        candidates.sort_by_key(|(port, since)| (self.patience(**port), **since));
        candidates.first().map(|(port, _)| **port)
    }

    fn patience(&self, port: u16) -> Duration {
        if self.likely.contains(&port) {
            LIKELY_AFTER
        } else if SIDE_CHANNELS.contains(&port) || self.ephemeral.contains(&port) {
            SIDE_CHANNEL_AFTER
        } else {
            UNLIKELY_AFTER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ports: &[u16]) -> BTreeSet<Listener> {
        let listener =
            |port: &u16| Listener { address: [127, 0, 0, 1].into(), port: *port, pid: None };
        ports.iter().map(listener).collect()
    }

    fn expectation() -> Expectation {
        let port = |number| Port::new(number).unwrap();
        Expectation::new(port(8001), &[port(8002)], &[port(8000)], 32768..=60999)
    }

    #[test]
    fn the_leased_port_wins_at_once_and_for_ever() {
        let start = Instant::now();
        let mut expectation = expectation();
        assert_eq!(expectation.consider(&seen(&[9229, 8001, 8000]), start), None);
        let later = start + Duration::from_secs(60);
        assert_eq!(expectation.consider(&seen(&[9229, 8001, 8000]), later), None);
        assert_eq!(expectation.port(), 8001);
    }

    #[test]
    fn a_likely_port_is_believed_soon_and_given_up_for_the_leased_one() {
        let start = Instant::now();
        let mut expectation = expectation();
        assert_eq!(expectation.consider(&seen(&[8000, 9229]), start), None);
        let soon = start + LIKELY_AFTER;
        assert_eq!(expectation.consider(&seen(&[8000, 9229]), soon), Some(8000));
        assert_eq!(expectation.consider(&seen(&[8000, 9229]), soon), None);
        assert_eq!(expectation.consider(&seen(&[8001]), soon), Some(8001));
    }

    #[test]
    fn a_listener_that_comes_and_goes_is_not_believed() {
        let start = Instant::now();
        let mut expectation = expectation();
        for step in 0..20 {
            let now = start + Duration::from_millis(step * 400);
            let ports: &[u16] = if step % 2 == 0 { &[8000] } else { &[] };
            assert_eq!(expectation.consider(&seen(ports), now), None);
        }
    }

    #[test]
    fn further_leased_ports_are_never_the_server() {
        let start = Instant::now();
        let mut expectation = expectation();
        expectation.consider(&seen(&[8002]), start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(expectation.consider(&seen(&[8002]), later), None);
    }

    #[test]
    fn side_channels_are_believed_last() {
        let start = Instant::now();
        let mut expectation = expectation();
        expectation.consider(&seen(&[9229, 4444]), start);
        let later = start + UNLIKELY_AFTER;
        assert_eq!(expectation.consider(&seen(&[9229, 4444]), later), Some(4444));
    }
}
