//! A program that listens on every interface by its own code.

use regex_lite::Regex;

use super::super::files::{Files, Kind};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "code-binds-all",
    level: Level::Low,
    title: "the program's own code listens on every interface",
    why: "what the code says cannot be set from outside: whoever starts it is open to the network. In a \
          container every interface is right, since Docker decides who gets in; on the machine itself it is \
          not",
    fix: "take the address from a variable that is 127.0.0.1 unless the container's file sets it; `wharf run \
          --loopback` keeps it to this machine without a change",
    sources: &["https://flask.palletsprojects.com/en/stable/quickstart/"],
    page: include_str!("../../../../../docs/audit/code-binds-all.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    // A call that listens, and the address among its arguments.
    let Ok(pattern) = Regex::new(
        r#"(?:\bhost(?:name)?\s*[=:]\s*|\blisten\([^)]*,\s*|\bbind\(\(?\s*|HTTPServer\(\(\s*|run_simple\(\s*|ListenAndServe\(\s*|::bind\(\s*)["'`](0\.0\.0\.0|::|\[::\])(?::[0-9]+)?["'`]"#,
    ) else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let code = files.of(&[Kind::Python, Kind::Script, Kind::Code]).filter(|file| !file.is_test());
    // The configurations of dev servers are another rule's.
    for file in code.filter(|file| !file.name().contains(".config.")) {
        let everywhere =
            |(_, line): &(usize, &str)| line.contains("0.0.0.0") || line.contains("::");
        for (number, line) in file.lines().filter(everywhere) {
            let Some(address) = pattern.captures(line).and_then(|found| found.get(1)) else {
                continue;
            };
            let local = if address.as_str() == "0.0.0.0" { "127.0.0.1" } else { "::1" };
            let mended = format!("{}{local}{}", &line[..address.start()], &line[address.end()..]);
            let what = "the code listens on every interface";
            let hit = Hit::new(RULE.level, what, RULE.fix).seen(line.trim()).at(&file.path, number);
            hits.push(hit.changed(file.change(number, vec![mended])));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_calls_are_told() {
        let is_told = |name, line| !check(&Files::made(&[(name, line)])).is_empty();
        assert!(is_told("app.py", "app.run(host=\"0.0.0.0\", port=5000)"));
        assert!(is_told("app.py", "HTTPServer((\"0.0.0.0\", 8000), Handler)"));
        assert!(is_told("server.js", "app.listen(3000, '0.0.0.0')"));
        assert!(is_told("main.go", "http.ListenAndServe(\"0.0.0.0:8080\", nil)"));
        assert!(is_told("main.rs", "TcpListener::bind(\"0.0.0.0:3000\")"));
        assert!(!is_told("app.py", "app.run(host=\"127.0.0.1\")"));
        assert!(!is_told("app.py", "# app.run(host=\"0.0.0.0\")"));
        assert!(!is_told("app.py", "BLOCKED = [\"0.0.0.0\"]"));
        assert!(!is_told("tests/app.py", "app.run(host=\"0.0.0.0\")"));
    }
}
