//! Versions of Vite that other sites, or the network, can read files through.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};
use super::super::versions::{self, Advisory};

pub(super) const RULE: Rule = Rule {
    id: "vite-advisory",
    level: Level::High,
    title: "this version of Vite has published holes",
    why: "Vite's dev server has had holes by which a page of any site reads the sources (it did not look at \
          Host or Origin), and others by which whoever reaches the port reads any file of this user",
    fix: "update within the series: npm install vite@^6, or the newest of 5 and 4; and start without --host",
    sources: &[
        "https://github.com/advisories/GHSA-vg6x-rcgg-rjx6",
        "https://github.com/advisories/GHSA-x574-m823-4x7w",
    ],
    page: include_str!("../../../../../docs/audit/vite-advisory.md"),
    check: Check::Listener(check),
};

/// Holes that a page in the browser comes through.
const ANYWHERE: [Advisory; 1] = [Advisory {
    name: "CVE-2025-24010",
    text: "any site reads what the dev server shows, over its WebSocket too",
    affected: &[((0, 0, 0), (4, 5, 6)), ((5, 0, 0), (5, 4, 12)), ((6, 0, 0), (6, 0, 9))],
}];

/// Holes for whoever reaches the port.
const OPEN: [Advisory; 1] = [Advisory {
    name: "CVE-2025-30208",
    text: "`?raw??` in a path reads any file that the server may read",
    affected: &[
        ((0, 0, 0), (4, 5, 10)),
        ((5, 0, 0), (5, 4, 15)),
        ((6, 0, 0), (6, 0, 12)),
        ((6, 1, 0), (6, 1, 2)),
        ((6, 2, 0), (6, 2, 3)),
    ],
}];

fn check(listener: &Listener) -> Option<Hit> {
    match listener.runs(&["vite", "vite.js"]) {
        true => versions::judge(listener, "vite", (&ANYWHERE, &OPEN), &RULE),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_installed_version_and_the_address_decide() {
        let level = |address, version| {
            let dir = made::installed("vite", version);
            let mut listener = made::running(address, 5173, "node node_modules/.bin/vite");
            listener.processes[0].folder = Some(dir.path().to_path_buf());
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(level("127.0.0.1", "6.0.8"), Some(Level::Medium));
        assert_eq!(level("0.0.0.0", "6.0.8"), Some(Level::High));
        assert_eq!(level("127.0.0.1", "6.2.2"), None, "nobody else reaches it");
        assert_eq!(level("0.0.0.0", "6.2.2"), Some(Level::High));
        assert_eq!(level("0.0.0.0", "6.2.3"), None);
        assert_eq!(check(&made::running("0.0.0.0", 5173, "node server.js")), None);
    }
}
