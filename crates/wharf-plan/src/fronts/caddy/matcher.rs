//! Which requests a directive of Caddy's is about (<https://caddyserver.com/docs/caddyfile/matchers>).

use std::collections::BTreeMap;

use super::lines::Line;

/// The requests of a matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    /// These paths: each with whether what is below it belongs to it.
    Paths(Vec<(String, bool)>),
    /// All names below this one, as `wharf export caddy` says it.
    Below(String),
    /// Something that wharf has no word for.
    Other,
}

/// The matchers that a site gives names to.
pub(super) fn named(lines: &[Line]) -> BTreeMap<&str, Matcher> {
    let of = |line: &'_ Line| match (line.arguments(), line.block.as_deref()) {
        ([], Some([only])) if only.block.is_none() => condition(&only.words),
        ([_, ..], None) => condition(line.arguments()),
        _ => Matcher::Other,
    };
    let is_one = |line: &&Line| line.name().starts_with('@') && line.name().len() > 1;
    lines.iter().filter(is_one).map(|line| (line.name(), of(line))).collect()
}

fn condition(words: &[String]) -> Matcher {
    match words {
        [kind, paths @ ..] if kind == "path" && !paths.is_empty() => {
            let paths: Option<Vec<(String, bool)>> =
                paths.iter().map(|path| pattern(path)).collect();
            paths.map_or(Matcher::Other, Matcher::Paths)
        }
        [kind, field, pattern] if kind == "header_regexp" && field == "Host" => {
            below(pattern).map_or(Matcher::Other, Matcher::Below)
        }
        _ => Matcher::Other,
    }
}

/// The matcher that stands in front of a directive's words, and the words behind it.
pub(super) fn inline<'a>(
    words: &'a [String],
    known: &BTreeMap<&str, Matcher>,
) -> (Option<Matcher>, &'a [String]) {
    match words {
        [all, rest @ ..] if all == "*" => (None, rest),
        [path, rest @ ..] if path.starts_with('/') => {
            let paths = pattern(path).map(|path| Matcher::Paths(vec![path]));
            (Some(paths.unwrap_or(Matcher::Other)), rest)
        }
        [name, rest @ ..] if name.starts_with('@') => {
            (Some(known.get(name.as_str()).cloned().unwrap_or(Matcher::Other)), rest)
        }
        _ => (None, words),
    }
}

/// `/api/*`, `/api*`, `/api`.
fn pattern(text: &str) -> Option<(String, bool)> {
    let (path, is_prefix) = match text.strip_suffix('*') {
        Some(path) => (path, true),
        None => (text, false),
    };
    let is_plain = path.starts_with('/') && !path.contains(['*', '{', '%', '[', '\\']);
    is_plain.then(|| (path.to_owned(), is_prefix))
}

/// The name in `(?i)^.+\.shop\.localhost(:[0-9]+)?$`.
fn below(pattern: &str) -> Option<String> {
    let name = pattern.strip_prefix("(?i)^.+\\.")?.strip_suffix("(:[0-9]+)?$")?;
    let plain = name.replace("\\.", ".");
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (!plain.is_empty() && plain.chars().all(is_letter)).then_some(plain)
}
