//! A literal port in the code that nothing can change.

use super::super::files::Files;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::literals;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "hard-coded-port",
    level: Level::Low,
    title: "a port stands in the code and nothing can change it",
    why: "two worktrees, two people on one machine, or a program that has the port already: the second start \
          fails, or worse, another copy answers",
    fix: "read the variable PORT, with this number as its default; `wharf run` gives each copy a port of its \
          own meanwhile",
    sources: &["https://12factor.net/port-binding"],
    page: include_str!("../../../../../docs/audit/hard-coded-port.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    let fixed = literals::all(files).into_iter().filter(|literal| literal.is_fixed);
    let hit = |literal: literals::Literal| {
        let what = format!("port {} stands in the code", literal.port);
        let line = files.line(&literal.path, literal.line).unwrap_or_default().trim().to_owned();
        let hit = Hit::new(RULE.level, what, RULE.fix).seen(line);
        hit.seen("nothing in this file reads PORT").at(literal.path, literal.line)
    };
    fixed.map(hit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_can_be_set_is_no_finding() {
        let count = |text| check(&Files::made(&[("server.js", text)])).len();
        assert_eq!(count("app.listen(3000)"), 1);
        assert_eq!(count("app.listen(process.env.PORT || 3000)"), 0);
        assert_eq!(count("app.listen(port)"), 0);
    }
}
