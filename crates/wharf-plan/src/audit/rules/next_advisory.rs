//! Versions of Next.js whose dev server other sites can read the sources through.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};
use super::super::versions::{self, Advisory};

pub(super) const RULE: Rule = Rule {
    id: "next-advisory",
    level: Level::Low,
    title: "this version of Next.js has a published hole in its dev server",
    why: "the dev server of Next.js did not look at the Origin of WebSockets and scripts: a page of another \
          site that is open in the same browser learns parts of the sources",
    fix: "update within the series, 14.2.30 or 15.2.2 and later, and set allowedDevOrigins",
    sources: &["https://github.com/advisories/GHSA-3h52-269p-cp9r (CVE-2025-48068)"],
    page: include_str!("../../../../../docs/audit/next-advisory.md"),
    check: Check::Listener(check),
};

const ANYWHERE: [Advisory; 1] = [Advisory {
    name: "CVE-2025-48068",
    text: "a page of another site learns parts of the sources of an App Router project",
    affected: &[((13, 0, 0), (14, 2, 30)), ((15, 0, 0), (15, 2, 2))],
}];

fn check(listener: &Listener) -> Option<Hit> {
    match listener.runs(&["next", "next-server"]) || listener.is_next() {
        true => versions::judge(listener, "next", (&ANYWHERE, &[]), &RULE),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_installed_version_decides() {
        let level = |version| {
            let dir = made::installed("next", version);
            let mut listener = made::running("127.0.0.1", 3000, "next-server (v15)");
            listener.processes[0].folder = Some(dir.path().to_path_buf());
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(level("15.2.1"), Some(Level::Low));
        assert_eq!((level("15.2.2"), level("14.2.30"), level("12.3.0")), (None, None, None));
    }
}
