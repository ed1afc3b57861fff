//! A server that lists a folder.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "directory-listing",
    level: Level::Low,
    title: "a server lists a folder",
    why: "every file of the folder is offered, also those that nobody thought of: `.env`, keys, notes, the \
          database. `python -m http.server` lists the folder in which it was started",
    fix: "serve a folder that holds what is meant to be seen, or turn the list off (autoindex off in nginx)",
    sources: &["https://owasp.org/www-project-web-security-testing-guide/ (WSTG-CONF-04)"],
    page: include_str!("../../../../../docs/audit/directory-listing.md"),
    check: Check::Answers(check),
};

/// How the pages of servers that list folders begin: Python, nginx and Apache, webpack and `serve`, `http-server`.
const MARKS: [&str; 5] = [
    "<title>Directory listing for ",
    "<title>Index of ",
    "<title>listing directory ",
    "<title>Files within ",
    "<h1>Directory: ",
];

fn check(listener: &Listener) -> Option<Hit> {
    let home = listener.answers.to(Question::Home).filter(|home| home.is_good())?;
    let mark = MARKS.iter().find(|mark| home.body.contains(**mark))?;
    let level = if listener.is_open() { Level::Medium } else { RULE.level };
    let what = format!("`{}` on {} lists a folder", listener.name(), listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!("GET / got a page with {mark}…")))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn lists_are_told_by_their_titles() {
        let level = |address, body| {
            let mut listener = made::listener(address, 8000);
            made::answer(&mut listener, Question::Home, 200, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(level("127.0.0.1", "<title>Directory listing for /</title>"), Some(Level::Low));
        assert_eq!(level("0.0.0.0", "<html><head><title>Index of /</title>"), Some(Level::Medium));
        assert_eq!(level("0.0.0.0", "<title>Shop</title>"), None);
    }
}
