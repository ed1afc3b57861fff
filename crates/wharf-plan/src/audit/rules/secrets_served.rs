//! `.env` or the repository, served as files.

use super::super::answers::{Answer, Question};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "secrets-served",
    level: Level::High,
    title: "a server hands out .env or the repository",
    why: "the file has the passwords and keys of the project; from `.git` the whole history can be put \
          together, with whatever was ever committed. A page of any site reads them where Host is not \
          checked",
    fix: "serve a folder below the project's root, such as public/ or dist/, and never the root itself; \
          change what was served to others",
    sources: &["https://owasp.org/www-project-web-security-testing-guide/ (WSTG-CONF-04)"],
    page: include_str!("../../../../../docs/audit/secrets-served.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let of = |question, is_it: fn(&Answer) -> bool| {
        let answer = listener.answers.to(question).filter(|one| one.is_good() && !one.is_page())?;
        is_it(answer).then(|| question.path())
    };
    let served = [of(Question::Dotenv, is_dotenv), of(Question::GitHead, is_head)];
    let served: Vec<&str> = served.into_iter().flatten().collect();
    if served.is_empty() {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let paths = served.join(" and ");
    let what = format!("`{}` on {} hands out {paths}", listener.name(), listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    // What is in it is nobody's to read, and stands in no report.
    Some(hit.all_seen(served.iter().map(|path| format!("GET {path} got the file"))))
}

/// Most of its lines are `NAME=value` or comments.
fn is_dotenv(answer: &Answer) -> bool {
    let lines = answer
        .body
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_one = |line: &str| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=').is_some_and(|(name, _)| is_name(name.trim()))
    };
    let (good, all) =
        lines.fold((0, 0), |(good, all), line| (good + usize::from(is_one(line)), all + 1));
    good > 0 && good * 2 > all
}

/// What git writes there: a reference, or the number of a commit.
fn is_head(answer: &Answer) -> bool {
    let text = answer.body.trim();
    text.starts_with("ref: refs/")
        || (text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    fn hit(question: Question, kind: &str, body: &str) -> Option<Hit> {
        let mut listener = made::listener("127.0.0.1", 8000);
        made::answer(&mut listener, question, 200, &[("content-type", kind)], body);
        check(&listener)
    }

    #[test]
    fn the_files_are_told_and_what_is_in_them_is_not() {
        let found =
            hit(Question::Dotenv, "application/octet-stream", "# x\nSECRET_KEY=abc\n").unwrap();
        assert_eq!(found.level, Level::High);
        assert!(!format!("{found:?}").contains("abc"), "{found:?}");
        assert!(hit(Question::GitHead, "text/plain", "ref: refs/heads/main\n").is_some());
    }

    #[test]
    fn a_page_for_any_path_is_no_file() {
        assert_eq!(hit(Question::Dotenv, "text/html", "a=b"), None);
        assert_eq!(hit(Question::Dotenv, "application/json", "{\"a\": 1}"), None);
        assert_eq!(hit(Question::GitHead, "text/plain", "hello"), None);
    }
}
