//! A server that answers by any name: DNS rebinding.

use super::super::answers::{Answer, FOREIGN_HOST, Question};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "host-not-checked",
    level: Level::Medium,
    title: "a server answers by any name (DNS rebinding)",
    why: "a page of any site can have its own name lead to 127.0.0.1 once it is open. A server that does not look \
          at Host then answers it as if it were its own page: what the server shows, the site reads, although \
          the server listens on this machine only",
    fix: "allow the names that it has: ALLOWED_HOSTS in Django, server.allowedHosts in Vite, TRUSTED_HOSTS in \
          Flask 3.1, TrustedHostMiddleware in Starlette and FastAPI; behind wharf's proxy other names get 421",
    sources: &[
        "https://github.com/advisories/GHSA-vg6x-rcgg-rjx6 (CVE-2025-24010)",
        "https://owasp.org/www-project-web-security-testing-guide/ (WSTG-INPV-17)",
    ],
    page: include_str!("../../../../../docs/audit/host-not-checked.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let home = listener.answers.to(Question::Home)?;
    let foreign = listener.answers.to(Question::ForeignHost)?;
    if !home.is_good() || !foreign.is_good() || !is_alike(home, foreign) {
        return None;
    }
    let what = format!("`{}` on {} answers by any name", listener.name(), listener.endpoint());
    let hit = Hit::new(Level::Medium, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!(
        "GET / with `Host: {FOREIGN_HOST}` got the same answer as by its own name: {}",
        foreign.shown()
    )))
}

/// Whether two answers are one page; it may have a token or the time in it.
fn is_alike(one: &Answer, other: &Answer) -> bool {
    let (longer, shorter) =
        (one.body.len().max(other.body.len()), one.body.len().min(other.body.len()));
    one.field("content-type") == other.field("content-type")
        && (one.body == other.body || longer - shorter <= longer / TOLERANCE)
}

/// By how much of its length a page may differ: a tenth.
const TOLERANCE: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    fn level(home: (u16, &str), foreign: (u16, &str)) -> Option<Level> {
        let mut listener = made::listener("127.0.0.1", 8000);
        made::answer(&mut listener, Question::Home, home.0, &[], home.1);
        made::answer(&mut listener, Question::ForeignHost, foreign.0, &[], foreign.1);
        check(&listener).map(|hit| hit.level)
    }

    #[test]
    fn the_same_page_by_another_name_is_told() {
        assert_eq!(level((200, "a page"), (200, "a page")), Some(Level::Medium));
        let (one, other) = ("x".repeat(100) + "token 1", "x".repeat(100) + "token 22");
        assert_eq!(level((200, &one), (200, &other)), Some(Level::Medium));
    }

    #[test]
    fn a_refusal_and_another_page_are_not() {
        assert_eq!(level((200, "a page"), (403, "a page")), None);
        assert_eq!(level((200, "a page of the shop"), (200, "no")), None);
        assert_eq!(level((404, "nothing"), (404, "nothing")), None);
        assert_eq!(check(&made::listener("127.0.0.1", 8000)), None, "it was not asked");
    }
}
