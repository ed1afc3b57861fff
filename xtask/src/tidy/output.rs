//! Stdout carries answers, and answers are written in one place.

use super::source::Source;
use super::{Breach, Tree};

const RULE: &str = "stdout";

/// The only folder that writes to stdout.
const RENDER: &str = "crates/wharf/src/render/";

/// What may follow `stdout()`: a question about it, which writes nothing.
const QUESTIONS: &[&str] = &[".is_terminal()"];
/// What `stdout()` may be an argument of.
const ASKED_BY: &[&str] = &["tcgetwinsize(", "isatty("];

/// Checks the sources of every crate.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let in_scope = |source: &&Source| {
        source.path.starts_with("crates/")
            && source.path.contains("/src/")
            && !source.path.starts_with(RENDER)
    };
    tree.sources.iter().filter(in_scope).flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Breach> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for name in ["print!", "println!", "STDOUT_FILENO"] {
        found.extend(source.find_outside_tests(name).map(|offset| (offset, name)));
    }
    // clap's own ways to print help.
    for name in [".print()", ".print_help()", ".print_long_help()"] {
        found.extend(source.find_outside_tests(name).map(|offset| (offset, name)));
    }
    let streams = source.find_outside_tests("stdout()");
    let written = streams.filter(|offset| writes(&source.code, *offset));
    found.extend(written.map(|offset| (offset, "stdout()")));
    let breach = |(offset, name)| {
        let what = format!("`{name}` outside {RENDER}: answer through `crate::render`");
        Breach::new(&source.path, source.line(offset), RULE, what)
    };
    found.sort_unstable();
    found.into_iter().map(breach).collect()
}

/// Whether this `stdout()` is more than a question: `Command::stdout(…)` has an argument, and is not
/// found at all.
fn writes(code: &str, offset: usize) -> bool {
    let after = code[offset + "stdout()".len()..].trim_start();
    let before =
        code[..offset].trim_end_matches(|c: char| c.is_alphanumeric() || "_:&".contains(c));
    !QUESTIONS.iter().any(|question| after.starts_with(question))
        && !ASKED_BY.iter().any(|asker| before.ends_with(asker))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn every_way_to_stdout_is_seen() {
        let text =
            "fn a() { println!(\"x\");\nprint!(\"x\");\nio::stdout().lock();\nerror.print();\n}";
        assert_eq!(lines("crates/wharf/src/narrate.rs", text), [1, 2, 3, 4]);
        assert_eq!(lines("crates/wharf-os/src/a.rs", "fn a() { w(libc::STDOUT_FILENO) }"), [1]);
        assert_eq!(lines("crates/wharf/src/render/mod.rs", text), [0; 0]);
        assert_eq!(lines("crates/wharf-plan/build/main.rs", text), [0; 0]);
        assert_eq!(lines("crates/wharf/tests/run.rs", text), [0; 0]);
    }

    #[test]
    fn questions_and_stderr_are_no_answers() {
        let text = "fn a() { eprintln!(\"println!\"); c.stdout(Stdio::piped()); child.stdout;\n\
            std::io::stdout()\n.is_terminal(); tcgetwinsize(rustix::stdio::stdout());\n}\n\
            #[cfg(test)]\nmod tests { fn a() { println!(); } }";
        assert_eq!(lines("crates/wharf/src/narrate.rs", text), [0; 0]);
    }
}
