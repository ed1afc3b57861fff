//! A port that scanners look at first.

use wharf_model::PortRange;

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::port_use::PortUse;
use super::super::rule::{Check, Rule};
use crate::ports;

pub(super) const RULE: Rule = Rule {
    id: "port-scanned",
    level: Level::Info,
    title: "a port that scanners look at first",
    why: "who scans a network asks the ports first on which something is found most often. That changes nothing \
          for a server on 127.0.0.1, and shortens the time until one on every interface is found: no port is safe \
          for being unusual, and none is unsafe for being listed",
    fix: "nothing, as long as it listens on 127.0.0.1 only",
    sources: &["the nmap-services file of nmap 7.93 (Debian 7.93+dfsg1-1)"],
    page: include_str!("../../../../../docs/audit/port-scanned.md"),
    check: Check::Port(check),
};

fn check(used: &PortUse, _: PortRange) -> Option<Hit> {
    let facts = ports::facts(used.port).filter(|facts| facts.nmap_top100)?;
    let rank = facts.nmap_rank?;
    let what = format!("port {} is among the 100 ports that `nmap -F` asks", used.port);
    let fact = format!(
        "rank {rank} of nmap-services by open frequency ({}), as {}",
        facts.nmap_frequency, facts.nmap_name
    );
    Some(Hit::new(Level::Info, what, RULE.fix).seen(fact).all_seen(used.places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_8000_is_and_8787_is_not() {
        let hit = |port| {
            let used = PortUse { port, ..PortUse::default() };
            check(&used, PortRange { first: 32768, last: 60999 })
        };
        let told = hit(8000).unwrap();
        assert!(
            told.evidence[0].contains("rank 38 ") && told.evidence[0].contains("0.009710"),
            "{told:?}"
        );
        assert_eq!(hit(8787), None);
    }
}
