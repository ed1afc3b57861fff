//! Patterns that lines are looked through for.

use regex_lite::Regex;

use super::ansi;

/// A regular expression for lines, whose colours do not count.
#[derive(Clone, Debug)]
pub struct Matcher {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A pattern that means itself: most do, and are found at many times the speed.
    Text(String),
    /// A line without this text has not the pattern either. It may be empty.
    Pattern { regex: Regex, needed: String },
}

/// A text that is no regular expression.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{pattern}` is no regular expression")]
pub struct BadPattern {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    #[source]
    pub source: regex_lite::Error,
}

impl Matcher {
    /// A matcher for a regular expression.
    ///
    /// # Errors
    /// It is none, or too large a one.
    pub fn new(pattern: &str) -> Result<Matcher, BadPattern> {
        if regex_lite::escape(pattern) == pattern {
            return Ok(Matcher { kind: Kind::Text(pattern.to_owned()) });
        }
        match Regex::new(pattern) {
            Ok(regex) => Ok(Matcher { kind: Kind::Pattern { regex, needed: needed(pattern) } }),
            Err(source) => Err(BadPattern { pattern: pattern.to_owned(), source }),
        }
    }

    /// Whether the line has it anywhere. What is not UTF-8 counts as U+FFFD.
    pub fn is_match(&self, line: &[u8]) -> bool {
        let line = ansi::stripped(line);
        let line = String::from_utf8_lossy(&line);
        match &self.kind {
            Kind::Text(text) => line.contains(text.as_str()),
            Kind::Pattern { regex, needed } => line.contains(needed) && regex.is_match(&line),
        }
    }
}

/// The longest text that every match of the pattern has in it, as far as that is plain to see. Lines that
/// cannot match are told by it at many times the speed of the pattern, and most cannot.
fn needed(pattern: &str) -> String {
    let (mut best, mut run) = (String::new(), String::new());
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        let is_over = match character {
            // Either side may match, and what is in a group may be left out.
            '|' | '(' => return String::new(),
            '\\' => match rest.next() {
                Some('x' | 'u' | 'U' | 'p' | 'P') | None => return String::new(),
                Some(_) => true,
            },
            '[' => {
                let class: String = rest.by_ref().take_while(|inner| *inner != ']').collect();
                // A bracket may stand first in a class.
                if matches!(class.as_str(), "" | "^") || class.contains(['[', '\\']) {
                    return String::new();
                }
                true
            }
            '?' | '*' => {
                run.pop();
                true
            }
            '{' => {
                rest.by_ref().take_while(|inner| *inner != '}').for_each(drop);
                run.pop();
                true
            }
            '+' | '.' | '^' | '$' => true,
            plain => {
                run.push(plain);
                false
            }
        };
        if is_over {
            best = longer(best, std::mem::take(&mut run));
        }
    }
    longer(best, run)
}

fn longer(one: String, other: String) -> String {
    if other.len() > one.len() { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_do_not_come_between() {
        let line = b"  \x1b[32mready\x1b[0m in \x1b[1m123\x1b[22m ms \xff";
        for pattern in ["ready in 123", r"ready in \d+ ms", "^  ready", "(?i)READY", ""] {
            assert!(Matcher::new(pattern).unwrap().is_match(line), "{pattern}");
        }
        assert!(!Matcher::new("32m").unwrap().is_match(line));
        assert!(!Matcher::new("^ready").unwrap().is_match(line));
    }

    #[test]
    fn what_a_match_needs_is_the_longest_plain_text() {
        for (pattern, text) in [
            (r"ready in \d+ ms", "ready in "),
            (r"^Listening on http://[^:]+:\d+$", "Listening on http://"),
            ("abcd?e{2}f*gh+i", "abc"),
            ("ready|done", ""),
            ("(?i)ready", ""),
            (r"\x41bcd", ""),
            ("[]a]bc", ""),
        ] {
            assert_eq!(needed(pattern), text, "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_makes_no_difference_but_in_speed(
            pattern in r"([ab01é.?*+^$]|\\d|\\.|\[ab\]|\[\^a\]|\{[02]\}|\(|\)|\|){0,8}",
            line in "[ab01é.]{0,12}",
        ) {
            if let (Ok(regex), Ok(matcher)) = (Regex::new(&pattern), Matcher::new(&pattern)) {
                proptest::prop_assert_eq!(matcher.is_match(line.as_bytes()), regex.is_match(&line));
            }
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for bad in ["(", "a{2", "[z-a]", "(a{1000}){1000}"] {
            let error = Matcher::new(bad).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
            assert!(!error.source.to_string().is_empty());
        }
    }
}
