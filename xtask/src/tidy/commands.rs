//! Every command has help and a test.

use super::source::{self, Source, closing};
use super::{Breach, Tree};

const CLI: &str = "crates/wharf/src/cli/";
const TESTS: &str = "crates/wharf/tests/";
const DERIVES: &[&str] = &["Args", "Parser", "Subcommand", "ValueEnum"];

/// Checks the command files and the command line's types.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let files = tree.sources.iter().filter(|source| source.path.starts_with(CLI));
    for source in files {
        breaches.extend(untested(source, tree));
        breaches.extend(unexplained(source));
    }
    breaches
}

/// A file `cli/NAME.rs` needs a test that calls the command: `"NAME"` among its arguments. Files in
/// folders below belong to the command of the folder's name.
fn untested(source: &Source, tree: &Tree) -> Option<Breach> {
    let name = source.path.strip_prefix(CLI)?.strip_suffix(".rs")?;
    if name == "mod" || name.contains('/') {
        return None;
    }
    let argument = format!("\"{}\"", name.replace('_', "-"));
    let mut tests = tree.sources.iter().filter(|source| source.path.starts_with(TESTS));
    if tests.any(|test| test.text.contains(&argument)) {
        return None;
    }
    let what = format!("no test in {TESTS} runs the command {argument}: add one");
    Some(Breach::new(&source.path, 1, "command-test", what))
}

/// Types of the command line whose help is missing, or the help of one of their parts.
fn unexplained(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for offset in source.find_outside_tests("derive(") {
        let Some(close) = closing(&source.code, offset + "derive".len()) else {
            continue;
        };
        let derived = &source.code[offset..close];
        if !DERIVES.iter().any(|name| source::find(derived, name).next().is_some()) {
            continue;
        }
        let Some(open) = source.code[close..].find(['{', ';']).map(|found| close + found) else {
            continue;
        };
        // The help of an enum is that of its variants.
        let is_enum = source::find(&source.code[close..open], "enum").next().is_some();
        if !is_enum && !has_help_above(source, offset) {
            let what = "add a doc comment: it is the help of the command";
            breaches.push(Breach::new(&source.path, source.line(open), "help", what));
        }
        if source.code.as_bytes()[open] == b'{' {
            breaches.extend(unexplained_parts(source, open));
        }
    }
    breaches
}

/// Whether the line above the attribute at `offset` belongs to a doc comment.
fn has_help_above(source: &Source, offset: usize) -> bool {
    let from = source.code[..offset].rfind('\n').unwrap_or(0);
    let comment = source.comments[..from].lines().last().unwrap_or_default();
    comment.trim_start().starts_with("///")
}

/// Fields and variants between the braces that have neither a doc comment nor an excuse: clap takes
/// over the help of what is flattened, and shows nothing of what is hidden.
fn unexplained_parts(source: &Source, open: usize) -> Vec<Breach> {
    let close = closing(&source.code, open).unwrap_or(source.code.len());
    let mut breaches = Vec::new();
    let mut at = open + 1;
    let mut excused = false;
    while at < close {
        let line_end = source.code[at..close].find('\n').map_or(close, |end| at + end);
        let code = source.code[at..line_end].trim_start();
        if source.comments[at..line_end].trim_start().starts_with("///") {
            excused = true;
        } else if code.starts_with("#[") {
            let start = line_end - code.len();
            let end = closing(&source.code, start + 1).unwrap_or(close);
            let attribute = &source.code[start..end];
            let words = ["flatten", "subcommand", "skip", "hide", "help", "about"];
            excused |= words.iter().any(|word| source::find(attribute, word).next().is_some());
            at = end + 1;
            continue;
        } else if code.starts_with(|c: char| c.is_alphabetic()) {
            if !excused {
                let what = "add a doc comment: it is the help of this argument";
                breaches.push(Breach::new(
                    &source.path,
                    source.line(line_end - code.len()),
                    "help",
                    what,
                ));
            }
            excused = false;
            at = part_end(&source.code, line_end - code.len(), close);
            continue;
        }
        at = line_end + 1;
    }
    breaches
}

/// The end of the field or variant that begins here: past its comma.
fn part_end(code: &str, from: usize, close: usize) -> usize {
    let mut at = from;
    while at < close {
        match code.as_bytes()[at] {
            b',' => return at + 1,
            b'(' | b'[' | b'{' => at = closing(code, at).unwrap_or(close),
            _ => {}
        }
        at += 1;
    }
    close
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(cli: &str, test: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("crates/wharf/src/cli/who.rs", cli),
            ("crates/wharf/tests/ports.rs", test),
        ]);
        check(&tree).iter().map(|breach| format!("{} {}", breach.line, breach.rule)).collect()
    }

    const TESTED: &str = "fn a() { wharf([\"who\"]) }";

    #[test]
    fn a_command_without_a_test_is_a_breach() {
        assert_eq!(breaches("", "fn a() { wharf([\"ls\"]) } // \"who\""), ["1 command-test"]);
        assert_eq!(breaches("", TESTED), [""; 0]);
    }

    #[test]
    fn an_argument_without_help_is_a_breach() {
        let bare = "#[derive(Debug, clap::Args)]\npub(crate) struct Args {\n    port: u16,\n}";
        assert_eq!(breaches(bare, TESTED), ["2 help", "3 help"]);
        let good = "/// Who.\n#[derive(Debug, clap::Args)]\nstruct Args {\n    /// P\n    \
            #[arg(long,\n  short)]\n    port: Option<(u16,\n u16)>,\n    #[command(flatten)]\n    \
            more: More,\n}\n#[derive(Debug)]\nstruct Other {\n    a: u8,\n}";
        assert_eq!(breaches(good, TESTED), [""; 0]);
        let one = good.replace("    more: More,\n", "    more: More,\n    last: u8,\n");
        assert_eq!(breaches(&one, TESTED), ["11 help"]);
    }

    #[test]
    fn a_subcommand_without_help_is_a_breach() {
        let text =
            "/// Who.\n#[derive(Subcommand)]\nenum Command {\n    /// A\n    A(A),\n    B(B),\n}";
        assert_eq!(breaches(text, TESTED), ["6 help"]);
    }
}
