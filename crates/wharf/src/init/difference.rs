//! What a change looks like, as `diff -u` shows it. One stretch of a file changes at most, so there is one hunk.

use std::path::Path;

/// Lines of context around the change.
const CONTEXT: usize = 3;

/// The change of a file; nothing where there is none.
pub(super) fn unified(path: &Path, old: Option<&[u8]>, new: &[u8]) -> String {
    let before = lines(old.unwrap_or_default());
    let after = lines(new);
    if old.is_some() && before == after {
        return String::new();
    }
    let same = |pairs: &mut dyn Iterator<Item = (&Vec<u8>, &Vec<u8>)>| {
        pairs.take_while(|(one, other)| one == other).count()
    };
    let head = same(&mut before.iter().zip(&after));
    let tail = same(&mut before[head..].iter().rev().zip(after[head..].iter().rev()));
    let from = head.saturating_sub(CONTEXT);
    let old_end = (before.len() - tail + CONTEXT).min(before.len());
    let new_end = (after.len() - tail + CONTEXT).min(after.len());
    let name = path.display();
    let first = if old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
    let mut text = format!(
        "--- {first}\n+++ b/{name}\n@@ -{} +{} @@\n",
        range(from, old_end),
        range(from, new_end),
    );
    let mut add = |mark: char, lines: &[Vec<u8>]| {
        lines.iter().for_each(|line| text.push_str(&shown(mark, line)));
    };
    add(' ', &before[from..head]);
    add('-', &before[head..before.len() - tail]);
    add('+', &after[head..after.len() - tail]);
    add(' ', &before[before.len() - tail..old_end]);
    text
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Of no lines the one before them is named.
fn range(from: usize, end: usize) -> String {
    let count = end - from;
    format!("{},{count}", if count == 0 { from } else { from + 1 })
}

/// With what must not reach a terminal made visible.
fn shown(mark: char, line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let inner = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let visible: Vec<String> =
        inner.unwrap_or(&text).split('\t').map(crate::render::printable).collect();
    let end = if inner.is_some() { "\n" } else { "\n\\ No newline at end of file\n" };
    format!("{mark}{}{end}", visible.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(old: Option<&str>, new: &str) -> String {
        unified(Path::new("f"), old.map(str::as_bytes), new.as_bytes())
    }

    #[test]
    fn a_change_has_its_context() {
        assert_eq!(of(Some("a\n"), "a\n"), "");
        assert_eq!(of(None, "a\nb\n"), "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(
            of(Some("1\n2\n3\n4\n5\n6\n7\n8\n"), "1\n2\n3\n4\nx\n6\n7\n8\n"),
            "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"
        );
        assert_eq!(
            of(Some("a"), "a\n\nb\n"),
            "--- a/f\n+++ b/f\n@@ -1,1 +1,3 @@\n-a\n\\ No newline at end of file\n+a\n+\n+b\n"
        );
    }
}
