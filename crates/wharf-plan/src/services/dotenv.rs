//! `.env` files: `NAME=value` lines, as foreman, honcho, overmind and docker compose read them.
//!
//! They do not agree on everything. Where they differ, the later and larger grammar counts: `export`,
//! comments behind a value, quotes that span lines. `$NAME` in a value stays as it is written. What is
//! no assignment is no error, as with all of them.

use std::collections::BTreeMap;

/// The variables of a `.env` file; of two with one name the later.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let whole = rest;
        rest = below;
        let Some((name, value)) = assignment(line) else { continue };
        let mut text = unquoted(value);
        // A quote may end in a later line; where it never does, it is a letter like any other.
        if let Some(quote @ ('"' | '\'')) = value.chars().next()
            && let Some(at) = whole.find('=').and_then(|eq| Some(eq + whole[eq..].find(quote)? + 1))
            && let Some((inner, len)) = quoted(&whole[at..], quote)
        {
            text = inner;
            rest = whole[at + len..].split_once('\n').map_or("", |(_, below)| below);
        }
        variables.insert(name.to_owned(), text);
    }
    variables
}

/// The text up to the closing quote, and where what is behind that begins.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((inner, at + letter.len_utf8())),
            '\\' if quote == '"' => match letters.next()?.1 {
                'n' => inner.push('\n'),
                'r' => inner.push('\r'),
                't' => inner.push('\t'),
                other @ ('"' | '\\' | '$') => inner.push(other),
                other => inner.extend(['\\', other]),
            },
            _ => inner.push(letter),
        }
    }
    None
}

/// The name and the rest of an assignment's line.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_name = name.starts_with(is_first) && name.chars().all(is_letter);
    is_name.then_some((name, value.trim_start()))
}

fn unquoted(value: &str) -> String {
    if value.starts_with('#') {
        return String::new();
    }
    let comment = value.find(" #").into_iter().chain(value.find("\t#")).min();
    value[..comment.unwrap_or(value.len())].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_grammar() {
        for (line, expected) in [
            ("A=1", "1"),
            ("A=", ""),
            (" export  A = 1 ", "1"),
            ("A=1 # why", "1"),
            ("A=1#2", "1#2"),
            ("A=#2", ""),
            ("A= # why", ""),
            ("A=b c=d", "b c=d"),
            ("A='b # c' # d", "b # c"),
            ("A=\"b\\n\\\"c\\\" \\d\"", "b\n\"c\" \\d"),
            ("A='b\\n'", "b\\n"),
            ("A='b\nc'\nB=1", "b\nc"),
            ("A=\"b", "\"b"),
            ("A=it's", "it's"),
            ("A=$B", "$B"),
            ("A=1\r\nB=2", "1"),
            ("A=1\nA=2", "2"),
        ] {
            assert_eq!(parse(line).get("A").map(String::as_str), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_assignment_says_nothing() {
        let text = "# A=1\n\nA\n1A=1\nA B=1\n=1\nexport\n: x\nexporter=2\n";
        assert_eq!(parse(text), BTreeMap::from([("exporter".into(), "2".into())]));
        assert_eq!(parse("A='x\ny' z\nB=2").len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~\n\r\t='\"\\\\#é]{0,80}") {
            parse(&text);
        }

        #[test]
        fn single_quotes_keep_what_they_hold(value in "[ -&(-~\n]{0,40}") {
            prop_assert_eq!(&parse(&format!("A='{value}'"))["A"], &value);
        }
    }
}
