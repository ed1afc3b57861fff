//! A port below 1024.

use wharf_model::PortRange;

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::port_use::PortUse;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "port-privileged",
    level: Level::Low,
    title: "a port below 1024",
    why: "on most Linux systems an ordinary user may not bind it, so team-mates start the server with sudo: \
          then its files are root's, and so is whoever breaks into it",
    fix: "take a port from 1024 on; wharf's proxy gives a name without a port where the system lets it have \
          80",
    sources: &["RFC 6335, section 6", "net.ipv4.ip_unprivileged_port_start, ip(7)"],
    page: include_str!("../../../../../docs/audit/port-privileged.md"),
    check: Check::Port(check),
};

fn check(used: &PortUse, _: PortRange) -> Option<Hit> {
    if used.port >= 1024 {
        return None;
    }
    let what = format!("port {} may be root's alone to bind", used.port);
    Some(Hit::new(RULE.level, what, RULE.fix).all_seen(used.places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_1024() {
        let level = |port| {
            let used = PortUse { port, ..PortUse::default() };
            check(&used, PortRange { first: 32768, last: 60999 }).map(|hit| hit.level)
        };
        assert_eq!((level(443), level(1024)), (Some(Level::Low), None));
    }
}
