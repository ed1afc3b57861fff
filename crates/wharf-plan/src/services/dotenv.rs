//! `.env` files: `NAME=value` lines, as foreman, honcho, overmind and docker compose read them.
//!
//! They do not agree on everything. Where they differ, the later and larger grammar counts: `export`,
//! comments behind a value, quotes that span lines. `$NAME` in a value stays as it is written. What is
//! no assignment is no error, as with all of them.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::interpolation::{self, Unfilled};

/// The variables of a `.env` file; of two with one name the later.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    entries(text, "$").into_iter().map(|one| (one.name, one.value)).collect()
}

/// The variables of a `.env` file as docker compose takes them: `$NAME` in a value that is not in single quotes is
/// filled in, by what is known already, else by what stands above it.
pub(crate) fn expanded(
    text: &str,
    known: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Unfilled> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let left = Cell::new(interpolation::FILLED_MAX);
    for one in entries(text, "$$") {
        let value = match one.quote {
            Some('\'') => one.value,
            _ => {
                let value_of = |name: &str| known(name).or_else(|| variables.get(name).cloned());
                interpolation::fill_within(&one.value, &value_of, &left)?
            }
        };
        variables.insert(one.name, value);
    }
    Ok(variables)
}

/// An assignment.
struct Entry {
    name: String,
    value: String,
    quote: Option<char>,
}

/// `dollar` stands for an escaped `$`.
fn entries(text: &str, dollar: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let whole = rest;
        rest = below;
        let Some((name, value)) = assignment(line) else { continue };
        let name = name.to_owned();
        // A quote may end in a later line; where it never does, it is a letter like any other.
        if let Some(quote @ ('"' | '\'')) = value.chars().next()
            && let Some(at) = whole.find('=').and_then(|eq| Some(eq + whole[eq..].find(quote)? + 1))
            && let Some((inner, len)) = quoted(&whole[at..], quote, dollar)
        {
            rest = whole[at + len..].split_once('\n').map_or("", |(_, below)| below);
            entries.push(Entry { name, value: inner, quote: Some(quote) });
        } else {
            entries.push(Entry { name, value: unquoted(value), quote: None });
        }
    }
    entries
}

/// The text up to the closing quote, and where what is behind that begins.
fn quoted(text: &str, quote: char, dollar: &str) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((inner, at + letter.len_utf8())),
            '\\' if quote == '"' => match letters.next()?.1 {
                'n' => inner.push('\n'),
                'r' => inner.push('\r'),
                't' => inner.push('\t'),
                '$' => inner.push_str(dollar),
                other @ ('"' | '\\') => inner.push(other),
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

    #[test]
    fn docker_compose_fills_variables_in() {
        let text = "A=1\nB=${A}-$C-$NONE\nD='$A'\nE=\"$A\\$A\"\nF=${X:-2}\nA=3\n";
        let known = |name: &str| (name == "C").then(|| "shell".to_owned());
        let all = expanded(text, &known).unwrap();
        let of = |name: &str| all[name].as_str();
        assert_eq!((of("B"), of("D"), of("E")), ("1-shell-", "$A", "1$A"));
        assert_eq!((of("F"), of("A")), ("2", "3"));
        assert!(expanded("A=${B:?no}", &known).is_err());
    }

    #[test]
    fn values_of_values_have_an_end() {
        let mut text = "A0=0123456789\n".to_owned();
        for n in 1..10 {
            text.push_str(&format!("A{n}={}\n", format!("$A{}", n - 1).repeat(10)));
        }
        assert_eq!(expanded(&text, &|_| None), Err(Unfilled::TooLong));
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
