//! Django's pages for developers: settings, paths and queries.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "django-debug",
    level: Level::Low,
    title: "Django shows its pages for developers",
    why: "with DEBUG = True every error shows settings, paths, local variables and queries, and a page that \
          there is not lists every URL",
    fix: "set DEBUG from a variable that is false unless somebody asks, and keep a server with DEBUG on \
          127.0.0.1",
    sources: &["https://docs.djangoproject.com/en/stable/ref/settings/#debug"],
    page: include_str!("../../../../../docs/audit/django-debug.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let page = listener.answers.to(Question::Missing)?;
    let is_djangos = page.status == 404 && page.is_page() && page.body.contains("DEBUG = True");
    if !is_djangos || !page.body.contains("Django") {
        return None;
    }
    let level = if listener.is_open() { Level::High } else { RULE.level };
    let what = format!("Django on {} runs with DEBUG = True", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen("its page for a path that there is not says `DEBUG = True` and lists URLs"))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_page_of_a_developer_is_told_by_its_words() {
        let level = |address, body| {
            let mut listener = made::listener(address, 8000);
            let fields = [("content-type", "text/html; charset=utf-8")];
            made::answer(&mut listener, Question::Missing, 404, &fields, body);
            check(&listener).map(|hit| hit.level)
        };
        let page = "because you have <code>DEBUG = True</code> in your Django settings file";
        assert_eq!(level("127.0.0.1", page), Some(Level::Low));
        assert_eq!(level("0.0.0.0", page), Some(Level::High));
        assert_eq!(level("0.0.0.0", "<h1>Not Found</h1>"), None);
    }
}
