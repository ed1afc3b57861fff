//! Variables in a compose file's values: `$NAME`, `${NAME}`, `${NAME:-default}` and their kin.

use std::collections::BTreeMap;

/// How deep defaults may have variables in them.
const DEPTH_MAX: usize = 8;

/// A text with its variables filled in; one that is not there is empty, as with docker compose.
pub(crate) fn fill(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    Filler { variables }.fill(text, 0)
}

struct Filler<'a> {
    variables: &'a BTreeMap<String, String>,
}

impl Filler<'_> {
    fn fill(&self, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err("its defaults have defaults too deeply".into());
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let len = closing(inner).ok_or_else(|| format!("`{text}` lacks a `}}`"))?;
                out.push_str(&self.braced(&inner[..len], depth)?);
                rest = &inner[len + 1..];
            } else {
                let len = name_len(rest);
                if len == 0 {
                    return Err(format!("`{text}` has a `$` without a name; `$$` is a dollar"));
                }
                out.push_str(self.variables.get(&rest[..len]).map_or("", String::as_str));
                rest = &rest[len..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What stands between braces.
    fn braced(&self, inner: &str, depth: usize) -> Result<String, String> {
        let (name, rest) = inner.split_at(name_len(inner));
        if name.is_empty() {
            return Err(format!("`${{{inner}}}` has no name"));
        }
        let value = self.variables.get(name);
        let (empty_counts, rest) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let there = value.filter(|value| !(empty_counts && value.is_empty()));
        let mut letters = rest.chars();
        match (letters.next(), there) {
            (None, _) if !empty_counts => Ok(value.cloned().unwrap_or_default()),
            (Some('-' | '?'), Some(value)) => Ok(value.clone()),
            (Some('-'), None) | (Some('+'), Some(_)) => self.fill(letters.as_str(), depth + 1),
            (Some('+'), None) => Ok(String::new()),
            // What must be set and is not: docker compose would refuse to start, which is its to say.
            (Some('?'), None) => Ok(String::new()),
            _ => Err(format!("`${{{inner}}}` is no variable")),
        }
    }
}

fn name_len(text: &str) -> usize {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !text.starts_with(is_first) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Where the brace that closes a variable stands.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variables() -> BTreeMap<String, String> {
        [("A", "1"), ("E", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn every_form() {
        for (text, expected) in [
            ("x$A-$B.", "x1-."),
            ("$$A", "$A"),
            ("${A}:${B}", "1:"),
            ("${A:-2}${B:-2}${E:-2}", "122"),
            ("${A-2}${B-2}${E-2}", "12"),
            ("${A:+2}${B:+2}${E:+2}${E+2}", "22"),
            ("${B:-${C:-${A}}}", "1"),
            ("${A:?no}${B:?no}", "1"),
            ("${B:-a:b}", "a:b"),
        ] {
            assert_eq!(fill(text, &variables()).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "${A",
            "${}",
            "${A!}",
            "${A:}",
            "$1",
            "$",
            &"${B:-".repeat(20),
            &format!("{}{}", "${B:-".repeat(20), "}".repeat(20)),
        ] {
            assert!(fill(text, &variables()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[A-C1${}:?+é-]{0,40}") {
            let _ = fill(&text, &variables());
        }
    }
}
