//! A server that lets scripts of any site read its answers.

use super::super::answers::{FOREIGN_ORIGIN, Question};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "cors-any-origin",
    level: Level::Low,
    title: "scripts of any site may read the answers",
    why: "with Access-Control-Allow-Origin for everybody, a script of any page that is open in the browser \
          reads what the server shows, although the server listens on this machine only; where credentials \
          are allowed for the origin that asks, it reads it as whoever is logged in",
    fix: "name the origins of your own front, such as http://localhost:5173, and allow credentials for these \
          only",
    sources: &[
        "https://fetch.spec.whatwg.org/#http-cors-protocol",
        "https://github.com/advisories/GHSA-67mh-4wv8-2f99 (esbuild)",
    ],
    page: include_str!("../../../../../docs/audit/cors-any-origin.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let answer = listener.answers.to(Question::ForeignOrigin)?;
    let allowed = answer.field("access-control-allow-origin")?.trim();
    let with_credentials = answer
        .field("access-control-allow-credentials")
        .is_some_and(|value| value.trim() == "true");
    let level = match (allowed, with_credentials) {
        (FOREIGN_ORIGIN, true) => Level::High,
        (FOREIGN_ORIGIN, false) => RULE.level,
        // Browsers refuse `*` with credentials: whoever wrote it wants more than it gives, and may get it by
        // reflecting the origin next.
        ("*", true) => Level::Medium,
        ("*", false) => RULE.level,
        _ => return None,
    };
    let what = match with_credentials {
        true => format!(
            "`{}` on {} lets scripts of any site in, with credentials",
            listener.name(),
            listener.endpoint()
        ),
        false => format!(
            "`{}` on {} lets scripts of any site read it",
            listener.name(),
            listener.endpoint()
        ),
    };
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    let credentials =
        if with_credentials { ", Access-Control-Allow-Credentials: true" } else { "" };
    Some(hit.seen(format!(
        "GET / with `Origin: {FOREIGN_ORIGIN}` got Access-Control-Allow-Origin: {allowed}{credentials}"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn a_reflected_origin_with_credentials_is_the_worst() {
        let level = |fields: &[(&str, &str)]| {
            let mut listener = made::listener("127.0.0.1", 8000);
            made::answer(&mut listener, Question::ForeignOrigin, 200, fields, "");
            check(&listener).map(|hit| hit.level)
        };
        let credentials = ("access-control-allow-credentials", "true");
        assert_eq!(
            level(&[("access-control-allow-origin", FOREIGN_ORIGIN), credentials]),
            Some(Level::High)
        );
        assert_eq!(
            level(&[("access-control-allow-origin", "*"), credentials]),
            Some(Level::Medium)
        );
        assert_eq!(level(&[("access-control-allow-origin", "*")]), Some(Level::Low));
        assert_eq!(
            level(&[("access-control-allow-origin", "http://localhost:5173"), credentials]),
            None
        );
        assert_eq!(level(&[]), None);
    }
}
