//! Versions of webpack-dev-server that other sites can read the sources through.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};
use super::super::versions::{self, Advisory};

pub(super) const RULE: Rule = Rule {
    id: "webpack-dev-server-advisory",
    level: Level::Medium,
    title: "this version of webpack-dev-server has published holes",
    why: "webpack-dev-server has let pages of other sites take the sources: by scripts of the classic kind, \
          and over its WebSocket, whose Origin it did not look at as it should",
    fix: "update it: npm install webpack-dev-server@^5.2.4",
    sources: &[
        "https://github.com/advisories/GHSA-4v9v-hfq4-rm2v (CVE-2025-30359)",
        "https://github.com/advisories/GHSA-9jgg-88mc-972h (CVE-2025-30360)",
        "https://github.com/advisories/GHSA-79cf-xcqc-c78w (CVE-2026-6402)",
    ],
    page: include_str!("../../../../../docs/audit/webpack-dev-server-advisory.md"),
    check: Check::Listener(check),
};

const ANYWHERE: [Advisory; 3] = [
    Advisory {
        name: "CVE-2026-6402",
        text: "over plain HTTP a page of another site still takes the sources",
        affected: &[((0, 0, 0), (5, 2, 4))],
    },
    Advisory {
        name: "CVE-2025-30359, CVE-2025-30360",
        text: "a page of another site takes the sources",
        affected: &[((0, 0, 0), (5, 2, 1))],
    },
    Advisory {
        name: "CVE-2018-14732",
        text: "the WebSocket's Origin is not looked at",
        affected: &[((0, 0, 0), (3, 1, 11))],
    },
];

fn check(listener: &Listener) -> Option<Hit> {
    let names = [
        "webpack",
        "webpack-dev-server",
        "webpack-cli",
        "react-scripts",
        "vue-cli-service",
        "start.js",
    ];
    match listener.runs(&names) {
        true => versions::judge(listener, "webpack-dev-server", (&ANYWHERE, &[]), &RULE),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_installed_version_decides() {
        let hit = |version| {
            let dir = made::installed("webpack-dev-server", version);
            let mut listener =
                made::running("127.0.0.1", 8080, "node node_modules/.bin/webpack serve");
            listener.processes[0].folder = Some(dir.path().to_path_buf());
            check(&listener)
        };
        assert_eq!(hit("5.2.0").unwrap().level, Level::Medium);
        assert_eq!(hit("5.2.4"), None);
        assert_eq!(
            hit("5.2.1").unwrap().evidence.iter().filter(|fact| fact.contains("CVE-")).count(),
            1
        );
        assert!(hit("3.1.10").unwrap().evidence.iter().any(|fact| fact.contains("CVE-2018-14732")));
    }
}
