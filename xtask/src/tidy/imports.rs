//! What the code of a crate may name of the standard library, of the system and of its neighbours.

use super::source::Source;
use super::{Breach, Tree, paths};

/// Something that one crate, or all but one, may not name.
struct Ban {
    rule: &'static str,
    crates: Crates,
    paths: &'static [&'static str],
    why: &'static str,
}

enum Crates {
    Only(&'static [&'static str]),
    AllBut(&'static str),
}

impl Crates {
    fn include(&self, name: &str) -> bool {
        match self {
            Crates::Only(names) => names.contains(&name),
            Crates::AllBut(other) => name != *other,
        }
    }
}

const BANS: &[Ban] = &[
    Ban {
        rule: "pure",
        crates: Crates::Only(&["wharf-model"]),
        paths: &[
            "tokio",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::process",
            "std::thread",
            "std::os::unix::net",
            "SystemTime::now",
            "Instant::now",
        ],
        why: "wharf-model has no I/O, no clock and no async: take it as an argument",
    },
    Ban {
        rule: "pure",
        crates: Crates::Only(&["wharf-lease"]),
        paths: &[
            "tokio",
            "std::net::Tcp",
            "std::net::Udp",
            "std::os::unix::net",
            "std::process::Command",
            "SystemTime::now",
            "Instant::now",
        ],
        why: "wharf-lease knows no sockets and no time: take a `Moment` and a `Kernel`",
    },
    Ban {
        rule: "starts-nothing",
        crates: Crates::Only(&["wharf-plan", "wharf-export", "wharf-daemon"]),
        paths: &["std::process::Command", "process::Command", "tokio::process"],
        why: "this crate starts nothing: only wharf-os starts processes, for a pilot",
    },
    Ban {
        rule: "unsafe",
        crates: Crates::AllBut("wharf-os"),
        paths: &["unsafe", "target_os"],
        why: "only wharf-os has `unsafe` and code for one system: put the call there",
    },
];

/// The one file of the binary that may know the daemon.
const DAEMON_DOOR: &str = "crates/wharf/src/cli/daemon.rs";
/// The one file of the binary that may know the proxy: of it the local CA alone.
const PROXY_DOOR: &str = "crates/wharf/src/authority.rs";
/// Crates that one file of the binary may know.
const DOORS: [(&str, &str, &str); 2] =
    [("wharf_daemon", DAEMON_DOOR, "daemon"), ("wharf_proxy", PROXY_DOOR, "proxy")];

/// Checks every file of the workspace.
pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.sources
        .iter()
        .flat_map(|source| {
            let mut breaches = file(source);
            breaches.extend(missing_forbid(source));
            breaches
        })
        .collect()
}

/// The name of the crate that a file belongs to.
fn crate_of(path: &str) -> &str {
    let below = path.strip_prefix("crates/").unwrap_or(path);
    below.split('/').next().unwrap_or_default()
}

fn file(source: &Source) -> Vec<Breach> {
    let name = crate_of(&source.path);
    let mut breaches = Vec::new();
    for ban in BANS.iter().filter(|ban| ban.crates.include(name)) {
        for path in ban.paths {
            for offset in paths::mentions(source, path) {
                let what = format!("`{path}` may not stand here: {}", ban.why);
                breaches.push(Breach::new(&source.path, source.line(offset), ban.rule, what));
            }
        }
    }
    let others = DOORS.iter().filter(|(_, door, _)| name == "wharf" && source.path != *door);
    for (of, door, what) in others {
        for offset in source.find_outside_tests(of) {
            let what = format!("only {door} may know the {what}'s crate");
            breaches.push(Breach::new(&source.path, source.line(offset), "imports", what));
        }
    }
    breaches
}

/// Every root of a crate but wharf-os forbids `unsafe`, so that no `allow` can bring it back.
fn missing_forbid(source: &Source) -> Option<Breach> {
    let root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
    let exempt = crate_of(&source.path) == "wharf-os";
    let attribute = "#![forbid(unsafe_code)]";
    (root && !exempt && !source.code.contains(attribute))
        .then(|| Breach::new(&source.path, 1, "unsafe", format!("add `{attribute}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> Vec<String> {
        let found = check(&Tree::of(&[(path, text)]));
        found.iter().map(|breach| format!("{} {}", breach.line, breach.rule)).collect()
    }

    #[test]
    fn the_model_has_no_world() {
        let path = "crates/wharf-model/src/a.rs";
        assert_eq!(breaches(path, "fn a() { std::fs::read(p) }"), ["1 pure"]);
        assert_eq!(breaches(path, "use std::{io, net::{IpAddr, TcpStream}};"), ["1 pure"]);
        assert_eq!(breaches(path, "use std::{fmt,\n fs};"), ["1 pure"]);
        assert_eq!(breaches(path, "fn a() { let t = Instant::now(); }"), ["1 pure"]);
        assert_eq!(breaches(path, "use tokio::sync::watch;"), ["1 pure", "1 pure"]);
        assert_eq!(breaches(path, "use std::{net::IpAddr, fmt}; // std::fs\n"), [""; 0]);
        assert_eq!(breaches(path, "#[cfg(test)]\nmod tests { use std::fs; }"), [""; 0]);
        assert_eq!(breaches("crates/wharf-os/src/a.rs", "use std::fs;"), [""; 0]);
    }

    #[test]
    fn the_ledger_has_no_clock_and_no_socket() {
        let path = "crates/wharf-lease/src/a.rs";
        assert_eq!(breaches(path, "fn a() { std::time::SystemTime::now() }"), ["1 pure"]);
        assert_eq!(breaches(path, "use std::net::TcpListener;"), ["1 pure", "1 pure"]);
        assert_eq!(breaches(path, "use std::fs;"), [""; 0]);
    }

    #[test]
    fn the_plan_and_the_daemon_start_nothing() {
        let text = "use std::process;\nfn a() { process::Command::new(x) }";
        assert_eq!(breaches("crates/wharf-plan/src/a.rs", text), ["2 starts-nothing"]);
        assert_eq!(breaches("crates/wharf-daemon/src/a.rs", "use tokio::process::Child;").len(), 2);
        assert_eq!(breaches("crates/wharf-supervisor/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn only_one_crate_has_unsafe_and_systems() {
        let text = "fn a() {\n unsafe { x() } }\n#[cfg(target_os = \"linux\")]\nfn b() {}";
        assert_eq!(breaches("crates/wharf/src/a.rs", text), ["2 unsafe", "3 unsafe"]);
        assert_eq!(breaches("crates/wharf-os/src/a.rs", text), [""; 0]);
        assert_eq!(breaches("xtask/src/main.rs", "fn main() {}"), ["1 unsafe"]);
        assert_eq!(breaches("crates/wharf-os/src/lib.rs", ""), [""; 0]);
        assert_eq!(breaches("crates/wharf/src/main.rs", "#![forbid(unsafe_code)]\n"), [""; 0]);
    }

    #[test]
    fn one_file_knows_the_daemon_and_one_the_proxy() {
        assert_eq!(breaches("crates/wharf/src/cli/ls.rs", "use wharf_daemon::run;"), ["1 imports"]);
        assert_eq!(breaches(DAEMON_DOOR, "use wharf_daemon::run;"), [""; 0]);
        assert_eq!(breaches(DAEMON_DOOR, "use wharf_proxy::Tls;"), ["1 imports"]);
        assert_eq!(breaches(PROXY_DOOR, "use wharf_proxy::Ca;"), [""; 0]);
    }
}
