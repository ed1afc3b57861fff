//! Literal ports in a project's files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use regex_lite::Regex;

use super::compose;
use super::files::{Files, Kind, SourceFile};
use crate::code;

/// A port that stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    pub(super) port: u16,
    pub(super) path: PathBuf,
    pub(super) line: usize,
    /// Whether it is listened on, rather than connected to.
    pub(super) listens: bool,
    /// Whether it is the program's own source that names it, and nothing in that file reads a variable instead.
    pub(super) is_fixed: bool,
}

/// Ports below are not what a dev server has, and numbers below are hardly ever ports.
const LEAST: u16 = 80;

/// All of a project, by port, file and line.
pub(super) fn all(files: &Files) -> Vec<Literal> {
    let Some(patterns) = Patterns::new() else { return Vec::new() };
    let mut found = BTreeSet::new();
    for file in files.all.iter().filter(|file| !file.is_test()) {
        match file.kind {
            Kind::Compose => found.extend(published(file, files)),
            Kind::Container => {}
            Kind::Python | Kind::Script | Kind::Code => in_code(file, &patterns, &mut found),
            Kind::Package | Kind::Commands | Kind::Dotenv | Kind::Settings => {
                in_commands(file, &patterns, &mut found);
            }
        }
    }
    found.into_iter().collect()
}

struct Patterns {
    /// A port after a flag, a variable or a key.
    listens: Regex,
    /// A port of an address of this machine.
    url: Regex,
}

impl Patterns {
    fn new() -> Option<Patterns> {
        let listens = r#"(?:--port|--server\.port|\s-p|\bPORT|_PORT|\bserver\.port|^\s*port|\brunserver|runserver\s+(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|0):|(?:--bind|-b|-S|-l)[ =](?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]):)\s*[ =:]?\s*["']?([0-9]{2,5})(?:[^.\w]|$)"#;
        let url = r"(?:localhost|127\.0\.0\.1|\[::1\]|host\.docker\.internal):([0-9]{2,5})\b";
        Some(Patterns { listens: Regex::new(listens).ok()?, url: Regex::new(url).ok()? })
    }
}

fn literal(file: &SourceFile, port: u16, line: usize, listens: bool, is_fixed: bool) -> Literal {
    Literal { port, path: file.path.clone(), line, listens, is_fixed }
}

fn port_of(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port >= LEAST)
}

fn published(file: &SourceFile, files: &Files) -> Vec<Literal> {
    let mut found = Vec::new();
    for one in compose::published(file, files) {
        let of_line = |port: &u16| literal(file, *port, one.line, true, false);
        found.extend(one.ports.iter().filter(|port| **port >= LEAST).map(of_line));
    }
    found
}

fn in_code(file: &SourceFile, patterns: &Patterns, found: &mut BTreeSet<Literal>) {
    let reads =
        ["env.PORT", "\"PORT\"", "'PORT'", "`PORT`"].iter().any(|mark| file.text.contains(mark));
    for (number, line) in file.lines() {
        if let Some(port) = code::named(line).filter(|port| *port >= LEAST)
            && !line.contains("://")
        {
            found.insert(literal(file, port, number, true, !reads));
        }
        found.extend(urls(file, number, line, patterns));
    }
}

fn in_commands(file: &SourceFile, patterns: &Patterns, found: &mut BTreeSet<Literal>) {
    // A workflow of CI runs elsewhere, and a lock file names nothing that listens.
    if file.path.starts_with(".github") {
        return;
    }
    for (number, line) in file.lines() {
        // `mkdir -p 2024` names no port.
        if !line.bytes().any(|byte| byte.is_ascii_digit()) || line.contains("mkdir") {
            continue;
        }
        for captures in patterns.listens.captures_iter(line) {
            if let Some(port) = captures.get(1).and_then(|text| port_of(text.as_str())) {
                found.insert(literal(file, port, number, true, false));
            }
        }
        found.extend(urls(file, number, line, patterns));
    }
}

fn urls(file: &SourceFile, number: usize, line: &str, patterns: &Patterns) -> Vec<Literal> {
    if !line.contains(':') {
        return Vec::new();
    }
    let ports =
        patterns.url.captures_iter(line).filter_map(|found| port_of(found.get(1)?.as_str()));
    ports.map(|port| literal(file, port, number, false, false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(u16, usize, bool)> {
        let files = Files::made(&[(path, text)]);
        all(&files).into_iter().map(|one| (one.port, one.line, one.listens)).collect()
    }

    #[test]
    fn ports_of_commands_and_variables() {
        assert_eq!(found("Procfile", "web: x --port 3000\n"), [(3000, 1, true)]);
        assert_eq!(
            found(".env", "# PORT=1\nPORT=8000\nAPI=http://localhost:9000/x\n"),
            [(8000, 2, true), (9000, 3, false)]
        );
        assert_eq!(found("package.json", "\"dev\": \"next dev -p 3001\","), [(3001, 1, true)]);
        assert_eq!(found("run.sh", "manage.py runserver 0.0.0.0:8001"), [(8001, 1, true)]);
        assert_eq!(found("run.sh", "manage.py runserver 8002"), [(8002, 1, true)]);
        // It is listened on, and may be connected to; 127 is no port.
        let both = [(8003, 1, false), (8003, 1, true)];
        assert_eq!(found("run.sh", "runserver 127.0.0.1:8003"), both);
        assert_eq!(found("application.properties", "server.port=8080"), [(8080, 1, true)]);
        assert_eq!(found("a.sh", "mkdir -p 2024\nsleep 3000\nsleep 10"), []);
    }

    #[test]
    fn ports_of_code() {
        assert_eq!(
            found("server.js", "app.listen(3000)\nfetch('http://localhost:4000')"),
            [(3000, 1, true), (4000, 2, false)]
        );
        assert_eq!(found("tests/server.js", "app.listen(3000)"), []);
    }
}
