//! A port that browsers refuse.

use wharf_model::{Port, PortRange};

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::port_use::PortUse;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "port-browser-blocked",
    level: Level::Medium,
    title: "a port that browsers refuse",
    why: "browsers do not open http:// to a port of the Fetch standard's list (ERR_UNSAFE_PORT): the server \
          runs, curl reaches it, and nobody sees a page",
    fix: "take another port, such as the next one",
    sources: &["https://fetch.spec.whatwg.org/#port-blocking"],
    page: include_str!("../../../../../docs/audit/port-browser-blocked.md"),
    check: Check::Port(check),
};

fn check(used: &PortUse, _: PortRange) -> Option<Hit> {
    Port::try_from(used.port).ok().filter(|port| port.is_browser_blocked())?;
    let what = format!("browsers refuse port {}", used.port);
    Some(Hit::new(RULE.level, what, RULE.fix).all_seen(used.places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_list() {
        let level = |port| {
            let used = PortUse { port, ..PortUse::default() };
            check(&used, PortRange { first: 32768, last: 60999 }).map(|hit| hit.level)
        };
        assert_eq!((level(6000), level(6001)), (Some(Level::Medium), None));
    }
}
