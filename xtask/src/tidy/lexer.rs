//! Enough of Rust's lexical rules to tell code, literals and comments apart.

use std::ops::Range;

/// What a piece of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Code, the quotes of literals included.
    Code,
    /// The inside of a text or character literal.
    Literal,
    /// A comment.
    Comment,
}

/// The whole file in pieces, in order, without a gap.
pub fn pieces(file: &str) -> Vec<(Kind, Range<usize>)> {
    let bytes = file.as_bytes();
    let mut pieces = Vec::new();
    let mut code_from = 0;
    let mut at = 0;
    while at < bytes.len() {
        match special(file, at) {
            Some((kind, range, next)) => {
                pieces.push((Kind::Code, code_from..range.start));
                code_from = range.end;
                at = next;
                pieces.push((kind, range));
            }
            None => at += 1,
        }
    }
    pieces.push((Kind::Code, code_from..bytes.len()));
    pieces
}

/// The comment or literal that begins here: its inside, and where to go on.
fn special(file: &str, at: usize) -> Option<(Kind, Range<usize>, usize)> {
    let bytes = file.as_bytes();
    let rest = &file[at..];
    match bytes[at] {
        b'/' if rest.starts_with("//") => {
            let end = at + rest.find('\n').unwrap_or(rest.len());
            Some((Kind::Comment, at..end, end))
        }
        b'/' if rest.starts_with("/*") => {
            let end = at + block_comment(rest);
            Some((Kind::Comment, at..end, end))
        }
        b'"' => {
            let end = at + 1 + quoted(&rest[1..], b'"');
            Some((Kind::Literal, at + 1..end, (end + 1).min(file.len())))
        }
        b'r' if !inside_word(bytes, at) || matches!(bytes[at - 1], b'b' | b'c') => raw(file, at),
        b'\'' => character(file, at),
        _ => None,
    }
}

fn inside_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// The length of a comment, with those nested in it.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length up to the closing quote.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// `r"…"`, `r#"…"#`; a raw identifier is none.
fn raw(file: &str, at: usize) -> Option<(Kind, Range<usize>, usize)> {
    let hashes = file[at + 1..].bytes().take_while(|byte| *byte == b'#').count();
    let inside = at + 1 + hashes + 1;
    if file.as_bytes().get(inside - 1) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside + file[inside..].find(&close).unwrap_or(file.len() - inside);
    Some((Kind::Literal, inside..end, (end + close.len()).min(file.len())))
}

/// `'x'` and `'\n'`; a lifetime is none.
fn character(file: &str, at: usize) -> Option<(Kind, Range<usize>, usize)> {
    let inside = &file[at + 1..];
    let first = inside.chars().next()?;
    let length = match first {
        '\\' => quoted(inside, b'\''),
        _ if inside[first.len_utf8()..].starts_with('\'') => first.len_utf8(),
        _ => return None,
    };
    let end = at + 1 + length;
    Some((Kind::Literal, at + 1..end, (end + 1).min(file.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(file: &str) -> Vec<&str> {
        let pieces = pieces(file);
        let whole: String = pieces.iter().map(|(_, range)| &file[range.clone()]).collect();
        assert_eq!(whole, file);
        let literal =
            |(kind, range): (Kind, Range<usize>)| (kind == Kind::Literal).then(|| &file[range]);
        pieces.into_iter().filter_map(literal).collect()
    }

    #[test]
    fn literals_of_every_form() {
        assert_eq!(literals(r#"let a = "x\"y"; b"z""#), [r#"x\"y"#, "z"]);
        assert_eq!(literals(r###"r#"a"b"# br##"c"#d"##"###), ["a\"b", "c\"#d"]);
        assert_eq!(literals(r"'a' '\'' 'ä' b'\\'"), ["a", r"\'", "ä", r"\\"]);
        assert_eq!(literals("fn f<'a>(r#type: &'a str, for_r: u8)"), [""; 0]);
    }

    #[test]
    fn a_file_that_ends_early_is_no_panic() {
        for file in ["\"abc", "r#\"abc", "/* abc", "'", "'\\", "\"\\", "r#", "//"] {
            literals(file);
        }
    }
}
