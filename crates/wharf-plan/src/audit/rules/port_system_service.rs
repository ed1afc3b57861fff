//! A port that a system of a team-mate has for itself.

use wharf_model::PortRange;

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::port_use::PortUse;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "port-system-service",
    level: Level::Info,
    title: "a port that a team-mate's system may have for itself",
    why: "macOS has AirPlay Receiver on 5000 and 7000, and Windows keeps blocks of ports for Hyper-V that \
          change at boot: the server starts here and not there, or another program answers in its place",
    fix: "let the port be given (`wharf run` does), or take another one where the team has such systems",
    sources: &[
        "https://developer.apple.com/forums/thread/682332",
        "https://support.microsoft.com/en-us/help/3039044",
    ],
    page: include_str!("../../../../../docs/audit/port-system-service.md"),
    check: Check::Port(check),
};

/// AirPlay Receiver, since macOS 12.
const AIRPLAY: [u16; 2] = [5000, 7000];
/// Lists of excluded ports that were seen on Windows, where the dynamic range begins low.
const EXCLUDED: [(u16, u16); 2] = [(1031, 1430), (2363, 2962)];

fn check(used: &PortUse, _: PortRange) -> Option<Hit> {
    let port = used.port;
    let is_excluded = EXCLUDED.iter().any(|(first, last)| (*first..=*last).contains(&port));
    let (what, fact) = if AIRPLAY.contains(&port) {
        (
            format!("AirPlay Receiver of macOS has port {port}"),
            "ControlCenter listens there since macOS 12 while AirPlay Receiver is on",
        )
    } else if is_excluded {
        (
            format!("Windows may keep port {port} for Hyper-V"),
            "`netsh interface ipv4 show excludedportrange protocol=tcp` was seen with 1031-1430 and 2363-2962",
        )
    } else {
        return None;
    };
    Some(Hit::new(RULE.level, what, RULE.fix).seen(fact).all_seen(used.places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn airplay_and_hyper_v() {
        let what = |port| {
            let used = PortUse { port, ..PortUse::default() };
            check(&used, PortRange { first: 32768, last: 60999 }).map(|hit| hit.what)
        };
        assert!(what(5000).unwrap().contains("AirPlay") && what(1313).unwrap().contains("Windows"));
        assert_eq!(what(8000), None);
    }
}
