//! A port that outgoing connections take.

use wharf_model::{Port, PortRange};

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::port_use::PortUse;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "port-ephemeral",
    level: Level::Low,
    title: "a port that outgoing connections may have taken",
    why: "the kernel gives ports of this range to connections: now and then the server does not start, since \
          a browser or a package manager has its port. On Windows the range is 49152-65535, of which Hyper-V \
          keeps blocks for itself",
    fix: "take a port below the range: 1024-32767 on Linux",
    sources: &[
        "net.ipv4.ip_local_port_range, ip(7)",
        "https://learn.microsoft.com/troubleshoot/windows-server/networking/default-dynamic-port-range-tcpip-chang",
    ],
    page: include_str!("../../../../../docs/audit/port-ephemeral.md"),
    check: Check::Port(check),
};

/// Where Windows and macOS begin, as RFC 6335 has it.
const DYNAMIC: u16 = 49152;

fn check(used: &PortUse, ephemeral: PortRange) -> Option<Hit> {
    let port = Port::try_from(used.port).ok()?;
    let range = format!("{}-{}", ephemeral.first, ephemeral.last);
    let fact = match (ephemeral.contains(port), used.port >= DYNAMIC) {
        (true, _) => format!("net.ipv4.ip_local_port_range of this machine is {range}"),
        (false, true) => {
            format!("Windows and macOS take {DYNAMIC}-65535; this machine takes {range}")
        }
        (false, false) => return None,
    };
    let what = format!("port {} is in a range for outgoing connections", used.port);
    Some(Hit::new(RULE.level, what, RULE.fix).seen(fact).all_seen(used.places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_range_and_that_of_others() {
        let level = |port| {
            let used = PortUse { port, ..PortUse::default() };
            check(&used, PortRange { first: 32768, last: 60999 }).map(|hit| hit.level)
        };
        assert_eq!((level(35729), level(8000)), (Some(Level::Low), None));
        assert_eq!(level(61000), Some(Level::Low));
    }
}
