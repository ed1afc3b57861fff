//! Fields that a page in production would have.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "missing-security-headers",
    level: Level::Info,
    title: "fields that a page in production would have are missing",
    why: "they are no protection that a dev server lacks, but what production needs is best tried out where \
          it is written: a Content-Security-Policy that is added last breaks pages last",
    fix: "set them in the program or its framework's middleware, so that development and production have the \
          same",
    sources: &["https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html"],
    page: include_str!("../../../../../docs/audit/missing-security-headers.md"),
    check: Check::Answers(check),
};

/// What is looked for. Strict-Transport-Security is not: on localhost it would stick to the name.
const FIELDS: [&str; 4] =
    ["content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy"];

fn check(listener: &Listener) -> Option<Hit> {
    let home =
        listener.answers.to(Question::Home).filter(|home| home.is_good() && home.is_page())?;
    let framed = home.field("x-frame-options").is_some()
        || home
            .field("content-security-policy")
            .is_some_and(|value| value.contains("frame-ancestors"));
    let mut missing: Vec<&str> =
        FIELDS.into_iter().filter(|name| home.field(name).is_none()).collect();
    if !framed {
        missing.push("x-frame-options (or frame-ancestors)");
    }
    if missing.is_empty() {
        return None;
    }
    let what = format!(
        "pages of `{}` on {} lack {}",
        listener.name(),
        listener.endpoint(),
        missing.join(", ")
    );
    Some(Hit::new(Level::Info, what, RULE.fix).seen("the fields of GET /"))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let what = |fields: &[(&str, &str)]| {
            let mut listener = made::listener("127.0.0.1", 8000);
            made::answer(&mut listener, Question::Home, 200, fields, "");
            check(&listener).map(|hit| hit.what)
        };
        let page = ("content-type", "text/html");
        assert!(what(&[page, ("referrer-policy", "no-referrer")]).unwrap().ends_with(
            "lack content-security-policy, x-content-type-options, permissions-policy, x-frame-options (or \
             frame-ancestors)"
        ));
        assert_eq!(what(&[("content-type", "application/json")]), None, "it is no page");
        let all = [
            page,
            ("content-security-policy", "frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("permissions-policy", "camera=()"),
        ];
        assert_eq!(what(&all), None);
    }
}
