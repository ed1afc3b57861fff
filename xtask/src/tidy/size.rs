//! How long a file and a function may be.

use super::source::{Source, closing};
use super::{Breach, Tree};

/// The longest file, without its tests.
const FILE_LINES_MAX: usize = 600;
/// The longest function: the threshold in clippy.toml, counted in the same way.
const FUNCTION_LINES_MAX: usize = 70;

/// Checks every file of the workspace.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let files = tree.sources.iter().filter_map(long_file);
    files.chain(tree.sources.iter().flat_map(long_functions)).collect()
}

/// A file of tests counts as a whole; in other files the tests do not count.
fn long_file(source: &Source) -> Option<Breach> {
    let mut offset = 0;
    let mut count = 0;
    for line in source.code.split_inclusive('\n') {
        let start = offset + line.len() - line.trim_start().len();
        offset += line.len();
        count += usize::from(source.is_test() || !source.in_test(start.min(offset - 1)));
    }
    let what =
        format!("{count} lines without tests, {FILE_LINES_MAX} are allowed: split it by subject");
    (count > FILE_LINES_MAX).then(|| Breach::new(&source.path, 1, "file-length", what))
}

fn long_functions(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for offset in source.find("fn") {
        let Some((name, lines)) = function(source, offset) else {
            continue;
        };
        if lines > FUNCTION_LINES_MAX {
            let what = format!(
                "`{name}` has {lines} lines, {FUNCTION_LINES_MAX} are allowed: give a part of it a name"
            );
            breaches.push(Breach::new(&source.path, source.line(offset), "function-length", what));
        }
    }
    breaches
}

/// The name of the function that begins here, and how many lines of code its body has. None for a
/// function's type and for a function without a body.
fn function(source: &Source, offset: usize) -> Option<(String, usize)> {
    let head = &source.code[offset + "fn".len()..];
    let name: String = head
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || "_$#".contains(*c))
        .collect();
    if name.is_empty() {
        return None;
    }
    let mut at = offset;
    loop {
        at += source.code[at..].find(['(', '[', '{', ';'])?;
        match source.code.as_bytes()[at] {
            b'{' => break,
            b';' => return None,
            _ => at = closing(&source.code, at)? + 1,
        }
    }
    let body = &source.text[at + 1..closing(&source.code, at)?];
    Some((name, body.lines().filter(|line| !line.trim().is_empty()).count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(text: &str) -> Vec<(&'static str, usize)> {
        let found = check(&Tree::of(&[("crates/wharf/src/a.rs", text)]));
        found.iter().map(|breach| (breach.rule, breach.line)).collect()
    }

    #[test]
    fn a_file_may_have_600_lines_and_then_tests() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(300));
        assert_eq!(breaches(&("const A: u8 = 1;\n".repeat(600) + &tests)), []);
        assert_eq!(breaches(&("const A: u8 = 1;\n".repeat(601) + &tests)), [("file-length", 1)]);
    }

    #[test]
    fn a_function_may_have_70_lines_of_code() {
        let function = |lines| {
            let lines = "    a();\n    // why\n\n".repeat(lines);
            format!("type A = fn(u8);\nfn a(x: [u8; 3]) -> u8\nwhere\n    u8: B,\n{{\n{lines}}}\n")
        };
        assert_eq!(breaches(&function(70)), []);
        assert_eq!(breaches(&function(71)), [("function-length", 2)]);
    }
}
