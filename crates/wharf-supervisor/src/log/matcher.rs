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
    Pattern(Regex),
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
            Ok(regex) => Ok(Matcher { kind: Kind::Pattern(regex) }),
            Err(source) => Err(BadPattern { pattern: pattern.to_owned(), source }),
        }
    }

    /// Whether the line has it anywhere. What is not UTF-8 counts as U+FFFD.
    pub fn is_match(&self, line: &[u8]) -> bool {
        let line = ansi::stripped(line);
        let line = String::from_utf8_lossy(&line);
        match &self.kind {
            Kind::Text(text) => line.contains(text.as_str()),
            Kind::Pattern(regex) => regex.is_match(&line),
        }
    }
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
    fn what_is_no_pattern_says_why() {
        for bad in ["(", "a{2", "[z-a]", "(a{1000}){1000}"] {
            let error = Matcher::new(bad).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
            assert!(!error.source.to_string().is_empty());
        }
    }
}
