//! Variables in a compose file's values: `$NAME`, `${NAME}`, `${NAME:-default}` and their kin, read as Docker
//! Compose's own library does it (compose-go, `template`).

use std::cell::Cell;

use super::yaml::Wrong;

/// How much the variables and texts of one file may come to, in bytes: values that are made of values double each time.
pub(crate) const FILLED_MAX: usize = 1024 * 1024;

/// How deep defaults may have variables in them.
const DEPTH_MAX: usize = 8;

/// Why a text cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// It is not written as variables are.
    Wrong(String),
    /// It comes to more than [`FILLED_MAX`].
    TooLong,
    /// A variable that has to be set is not, and what the file says of that.
    Missing {
        /// Its name.
        name: String,
        /// The file's words; may be empty.
        why: String,
    },
}

impl Unfilled {
    /// The same as what is wrong in a line.
    pub(crate) fn at(&self, line: usize) -> Wrong {
        match self {
            Unfilled::TooLong => Wrong::limit(line, self.to_string()),
            _ => Wrong::new(line, self.to_string()),
        }
    }
}

impl std::fmt::Display for Unfilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfilled::Wrong(why) => f.write_str(why),
            Unfilled::TooLong => {
                write!(f, "with its variables filled in it has more than {} KiB", FILLED_MAX / 1024)
            }
            Unfilled::Missing { name, why } if why.is_empty() => {
                write!(f, "the variable {name} has to be set")
            }
            Unfilled::Missing { name, why } => {
                write!(f, "the variable {name} has to be set: {why}")
            }
        }
    }
}

/// A text with its variables filled in; one that is not there is empty, as with docker compose.
pub(crate) fn fill(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Unfilled> {
    fill_within(text, value_of, &Cell::new(FILLED_MAX))
}

/// The same, of a file of which so many bytes are left to be filled in.
pub(crate) fn fill_within(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<String>,
    left: &Cell<usize>,
) -> Result<String, Unfilled> {
    Filler { value_of, left }.fill(text, 0)
}

struct Filler<'a> {
    value_of: &'a dyn Fn(&str) -> Option<String>,
    left: &'a Cell<usize>,
}

impl Filler<'_> {
    /// A variable's value. It counts even where it is only looked at: whoever looks often enough has no end either.
    fn value(&self, name: &str) -> Result<Option<String>, Unfilled> {
        let value = (self.value_of)(name);
        self.spend(value.as_deref().unwrap_or_default())?;
        Ok(value)
    }

    fn spend(&self, text: &str) -> Result<(), Unfilled> {
        self.left.set(self.left.get().checked_sub(text.len()).ok_or(Unfilled::TooLong)?);
        Ok(())
    }

    fn fill(&self, text: &str, depth: usize) -> Result<String, Unfilled> {
        if depth > DEPTH_MAX {
            return Err(Unfilled::Wrong("its defaults have defaults too deeply".into()));
        }
        self.spend(text)?;
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let len = closing(inner)
                    .ok_or_else(|| Unfilled::Wrong(format!("`{text}` lacks a `}}`")))?;
                out.push_str(&self.braced(&inner[..len], depth)?);
                rest = &inner[len + 1..];
            } else {
                let len = name_len(rest);
                match len {
                    // A `$` before no name is a letter like any other.
                    0 => out.push('$'),
                    _ => out.push_str(&self.value(&rest[..len])?.unwrap_or_default()),
                }
                rest = &rest[len..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What stands between braces.
    fn braced(&self, inner: &str, depth: usize) -> Result<String, Unfilled> {
        let (name, rest) = inner.split_at(name_len(inner));
        if name.is_empty() {
            return Err(Unfilled::Wrong(format!("`${{{inner}}}` has no name")));
        }
        let value = self.value(name)?;
        let (empty_counts, rest) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let there = value.clone().filter(|value| !(empty_counts && value.is_empty()));
        let mut letters = rest.chars();
        match (letters.next(), there) {
            (None, _) if !empty_counts => Ok(value.unwrap_or_default()),
            (Some('-' | '?'), Some(value)) => Ok(value),
            (Some('-'), None) | (Some('+'), Some(_)) => self.fill(letters.as_str(), depth + 1),
            (Some('+'), None) => Ok(value.unwrap_or_default()),
            (Some('?'), None) => Err(Unfilled::Missing {
                name: name.to_owned(),
                why: self.fill(letters.as_str(), depth + 1)?,
            }),
            _ => Err(Unfilled::Wrong(format!("`${{{inner}}}` is no variable"))),
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

/// Where the brace that closes a variable stands. Braces of any kind are counted; where they do not pair, the last
/// one closes it.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    text.rfind('}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<String, Unfilled> {
        let known = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        fill(text, &known)
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
            ("${A:?no}", "1"),
            ("${E?no}", ""),
            ("${B:-{\"a\": {}}}", "{\"a\": {}}"),
            ("${A:-{\"a\": {}}}", "1"),
            ("${B:-{}", "{"),
            ("$1 and $", "$1 and $"),
            ("${B:-a:b}", "a:b"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "${A",
            "${}",
            "${A!}",
            "${A:}",
            &"${B:-".repeat(20),
            &format!("{}{}", "${B:-".repeat(20), "}".repeat(20)),
        ] {
            assert!(filled(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_filled_in_has_a_bound() {
        let large = "x".repeat(FILLED_MAX / 4);
        let known = |_: &str| Some(large.clone());
        assert!(fill("$A$A$A", &known).is_ok());
        for text in ["$A$A$A$A", "${A:+}${A:+}${A:+}${A:+}", "${A:-}${A}${A:?}${A-}"] {
            assert_eq!(fill(text, &known), Err(Unfilled::TooLong), "{text}");
        }
    }

    #[test]
    fn what_has_to_be_set_says_why() {
        for (text, expected) in [
            ("${B:?no $A}", "the variable B has to be set: no 1"),
            ("${E:?}", "the variable E has to be set"),
            ("x${B?}y", "the variable B has to be set"),
        ] {
            assert_eq!(filled(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[A-C1${}:?+é-]{0,40}") {
            let _ = filled(&text);
        }
    }
}
