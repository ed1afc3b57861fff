//! PostgreSQL that trusts whoever connects.

use std::path::Path;

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};
use crate::folder;

pub(super) const RULE: Rule = Rule {
    id: "postgres-trust",
    level: Level::Medium,
    title: "PostgreSQL lets anybody in as any user",
    why: "with `trust` in pg_hba.conf the name is enough to be the superuser, who reads everything, and runs \
          programs with COPY … TO PROGRAM. `initdb` writes that for loopback unless it is told otherwise: \
          every program and user of this machine is let in",
    fix: "write scram-sha-256 in pg_hba.conf in the place of trust, set a password for each role, and \
          reload; `initdb --auth=scram-sha-256` begins so",
    sources: &[
        "https://www.postgresql.org/docs/current/auth-trust.html",
        "https://www.postgresql.org/docs/current/protocol-message-formats.html",
    ],
    page: include_str!("../../../../../docs/audit/postgres-trust.md"),
    check: Check::Answers(check),
};

/// What a server asks for that asks for nothing: AuthenticationOk.
const NOTHING: u32 = 0;

fn check(listener: &Listener) -> Option<Hit> {
    if listener.answers.postgres? != NOTHING {
        return None;
    }
    let (lines, is_wide) = trusted(listener.process().and_then(|one| one.folder.as_deref()));
    let level = match (listener.is_open(), is_wide) {
        (true, true) => Level::Critical,
        (true, false) => Level::High,
        (false, _) => RULE.level,
    };
    let what = format!("PostgreSQL on {} asks for no password", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    let hit = hit.seen(
        "a session as `postgres` over loopback was let in without a password (AuthenticationOk)",
    );
    Some(hit.all_seen(lines))
}

/// The lines of pg_hba.conf that trust clients over TCP, and whether they do so beyond loopback. A server's working
/// folder is its data folder.
fn trusted(folder: Option<&Path>) -> (Vec<String>, bool) {
    let text = folder.and_then(|folder| folder::evidence(&folder.join("pg_hba.conf")));
    let mut is_wide = false;
    let mut lines = Vec::new();
    for (number, line) in text.as_deref().unwrap_or_default().lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, _, _, address, .., method] = &words[..] else { continue };
        if kind.starts_with("host") && *method == "trust" {
            is_wide |= !address.starts_with("127.")
                && !address.starts_with("::1")
                && *address != "localhost";
            lines.push(format!("pg_hba.conf line {}: {}", number + 1, words.join(" ")));
        }
    }
    (lines, is_wide)
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    fn level(address: &str, asks: u32, hba: &str) -> Option<Level> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pg_hba.conf"), hba).unwrap();
        let mut listener = made::running(address, 5432, "postgres");
        listener.processes[0].folder = Some(dir.path().to_path_buf());
        listener.answers.postgres = Some(asks);
        check(&listener).map(|hit| hit.level)
    }

    #[test]
    fn who_is_trusted_decides() {
        let near = "# host all all 0.0.0.0/0 trust\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n";
        let far = "host all all 0.0.0.0/0 trust\n";
        assert_eq!(level("127.0.0.1", 0, near), Some(Level::Medium));
        assert_eq!(level("0.0.0.0", 0, near), Some(Level::High));
        assert_eq!(level("0.0.0.0", 0, far), Some(Level::Critical));
        assert_eq!(level("0.0.0.0", 10, far), None, "it asks for SCRAM");
    }
}
