//! The order in which ports are tried: the part of the policy that needs no table and no kernel.

use crate::port::{Port, PortRange};

/// The lowest port that a fallback takes: below it Linux asks for a privilege by default.
const LOWEST: u16 = 1024;

/// What is added to a privileged port: 80 is 8080 and 443 is 8443 wherever people write them.
const LIKENESS: u16 = 8000;

/// Whether a fallback may take this port by what its number means alone. A port that is asked for by
/// number is not judged by this.
pub fn suits_fallback(port: Port, ephemeral: PortRange) -> bool {
    port.get() >= LOWEST
        && !ephemeral.contains(port)
        && !port.is_browser_blocked()
        && !port.is_well_known_service()
        && !port.is_conventional()
}

/// The ports after `wanted` that a fallback may take, upwards to 65535 and then round from 1024:
/// each once, `wanted` itself never. The iterator is finite.
///
/// A privileged port has its unprivileged likeness, as people know it: after 80 come 8082 and on
/// (8080 and 8081 are conventions of others), after 443 comes 8443.
pub fn fallback_ports(wanted: Port, ephemeral: PortRange) -> impl Iterator<Item = Port> {
    let start = match wanted.get() {
        privileged @ ..LOWEST => LIKENESS + privileged,
        port => port + u16::from(port < u16::MAX),
    };
    let above = start..=u16::MAX;
    let below = LOWEST..start;
    above
        .chain(below)
        .filter(move |port| *port != wanted.get())
        .filter_map(Port::new)
        .filter(move |port| suits_fallback(*port, ephemeral))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const EPHEMERAL: PortRange = PortRange::LINUX_EPHEMERAL;

    fn first(wanted: u16, count: usize) -> Vec<u16> {
        fallback_ports(Port::new(wanted).unwrap(), EPHEMERAL).take(count).map(Port::get).collect()
    }

    #[test]
    fn fallback_goes_upwards_from_the_wanted_port() {
        assert_eq!(first(8000, 3), [8001, 8002, 8003]);
        assert_eq!(first(3305, 2), [3307, 3308], "3306 is MySQL's");
        assert_eq!(first(5999, 2), [6001, 6002], "6000 is blocked by browsers");
        assert_eq!(first(80, 2), [8082, 8083], "8080 and 8081 are conventions of others");
        assert_eq!(first(443, 1), [8443]);
    }

    #[test]
    fn fallback_jumps_over_the_ephemeral_range() {
        assert_eq!(first(32766, 2), [32767, 61000]);
    }

    #[test]
    fn fallback_wraps_and_offers_each_port_once() {
        for wanted in [1, 80, 1024, 8000, 65535] {
            let wanted = Port::new(wanted).unwrap();
            let all: Vec<Port> = fallback_ports(wanted, EPHEMERAL).collect();
            let distinct: BTreeSet<Port> = all.iter().copied().collect();
            assert_eq!(all.len(), distinct.len());
            assert!(!distinct.contains(&wanted));
            assert!(all.len() > 30_000, "{}", all.len());
        }
    }
}
