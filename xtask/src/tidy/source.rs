//! Rust source seen three ways: as code, as code with its literals, and as comments.

use std::ops::Range;

use super::lexer::{self, Kind};

/// One file of Rust. The three views have the length and the lines of the file itself, so that an
/// offset means the same place in each.
#[derive(Debug)]
pub struct Source {
    /// The path from the root of the repository.
    pub path: String,
    /// The code alone: comments and the insides of literals are blanks.
    pub code: String,
    /// The code with its literals: comments are blanks.
    pub text: String,
    /// The comments alone.
    pub comments: String,
    whole: bool,
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Takes a file apart. `is_test` is for files that are tests as a whole.
    pub fn new(path: &str, file: &str, is_test: bool) -> Source {
        let pieces = lexer::pieces(file);
        let view = |wanted: &[Kind]| {
            let mut view = String::with_capacity(file.len());
            for (kind, range) in &pieces {
                match wanted.contains(kind) {
                    true => view.push_str(&file[range.clone()]),
                    false => blank(&file[range.clone()], &mut view),
                }
            }
            view
        };
        let code = view(&[Kind::Code]);
        Source {
            path: path.to_owned(),
            text: view(&[Kind::Code, Kind::Literal]),
            comments: view(&[Kind::Comment]),
            whole: is_test || is_test_path(path),
            tests: test_items(&code),
            code,
        }
    }

    /// The line of an offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    /// Whether the offset lies in a test.
    pub fn in_test(&self, offset: usize) -> bool {
        self.whole || self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Whether the file is a test as a whole.
    pub fn is_test(&self) -> bool {
        self.whole
    }

    /// Where a text stands in the code, as whole words.
    pub fn find<'a>(&'a self, words: &'a str) -> impl Iterator<Item = usize> + 'a {
        find(&self.code, words)
    }

    /// Where a text stands in the code, as whole words, outside tests.
    pub fn find_outside_tests<'a>(&'a self, words: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.find(words).filter(|offset| !self.in_test(*offset))
    }

    /// The names of modules that are declared here for tests alone, each in a file of its own.
    pub fn test_modules(&self) -> Vec<String> {
        let declared = |range: &Range<usize>| {
            let item = self.code[range.clone()].trim_end().strip_suffix(';')?;
            let (_, name) = item.rsplit_once("mod ")?;
            Some(name.trim().to_owned())
        };
        self.tests.iter().filter_map(declared).collect()
    }
}

fn blank(text: &str, view: &mut String) {
    view.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

fn is_test_path(path: &str) -> bool {
    ["/tests/", "/benches/", "/examples/"].iter().any(|part| path.contains(part))
        || path.ends_with("/tests.rs")
}

/// Where a text stands as whole words: neither end is inside an identifier.
pub fn find<'a>(code: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = code.as_bytes();
    let starts_inside = words.as_bytes().first().is_some_and(|b| inside(Some(b)));
    let ends_inside = words.as_bytes().last().is_some_and(|b| inside(Some(b)));
    code.match_indices(words).map(|(offset, _)| offset).filter(move |&offset| {
        let before = offset.checked_sub(1).and_then(|before| bytes.get(before));
        let cut_before = starts_inside && inside(before);
        let cut_after = ends_inside && inside(bytes.get(offset + words.len()));
        !cut_before && !cut_after
    })
}

/// The items under `#[cfg(test)]`, `#[cfg(all(test, …))]` and `#[test]`, attributes included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[") {
        let Some(end) = closing(code, start + 1) else {
            continue;
        };
        let attribute: String = code[start + 2..end].split_whitespace().collect();
        let cfg_test = attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,");
        if cfg_test || attribute == "test" || attribute.ends_with("::test") {
            items.push(start..item_end(code, end + 1));
        }
    }
    items
}

/// The end of the item that begins here: its closing brace or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let bytes = code.as_bytes();
    let mut offset = from;
    while offset < bytes.len() {
        match bytes[offset] {
            b';' => return offset + 1,
            b'{' => return closing(code, offset).map_or(code.len(), |end| end + 1),
            b'(' | b'[' => offset = closing(code, offset).unwrap_or(code.len()),
            _ => {}
        }
        offset += 1;
    }
    code.len()
}

/// The bracket that closes the one at `open`.
pub fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(offset);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r##"
        // one FIXME here
        fn a<'a>(x: &'a str) -> char { let c = '"'; let s = "todo!() // no"; '\'' }
        /* block /* nested */ still */ fn b() { let r = r#"raw " unsafe"#; }
        #[cfg(test)]
        mod tests { fn unsafe_name() { sleep(); } }
        fn c() { sleep(); }
    "##;

    #[test]
    fn comments_and_literals_are_told_from_code() {
        let source = Source::new("crates/x/src/a.rs", FILE, false);
        for gone in ["todo", "unsafe\"", "FIXME", "nested", "still", "raw"] {
            assert!(!source.code.contains(gone), "{gone}");
        }
        assert!(source.code.contains("fn b()") && source.code.contains("fn c()"));
        assert!(source.text.contains("\"todo!() // no\""));
        assert!(source.comments.contains("FIXME") && !source.comments.contains("todo"));
        assert_eq!(source.code.len(), FILE.len());
        assert_eq!(source.line(source.find("c").last().unwrap()), 7);
    }

    #[test]
    fn whole_words_only() {
        let source = Source::new("crates/x/src/a.rs", FILE, false);
        assert_eq!(source.find("unsafe").count(), 0);
        assert_eq!(source.find("sleep").count(), 2);
        assert_eq!(source.find_outside_tests("sleep").count(), 1);
    }

    #[test]
    fn tests_in_other_files_are_known() {
        let source = Source::new("crates/x/src/a.rs", "#[cfg(test)]\nmod cases;\nfn a() {}", false);
        assert_eq!(source.test_modules(), ["cases"]);
        assert!(Source::new("crates/x/tests/run.rs", "fn a() {}", false).is_test());
        assert!(!source.is_test());
    }
}
