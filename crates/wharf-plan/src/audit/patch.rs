//! Changes as a patch that `patch -p1` and `git apply` take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::finding::Change;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A file with changes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The file, seen from the root that was audited.
    pub path: PathBuf,
    /// The text that it has.
    pub old: String,
    /// The text that it should have.
    pub new: String,
    hunks: String,
}

/// The files that these changes make. Of two changes of one line the first counts.
pub fn edited<'a>(files: &Files, changes: impl IntoIterator<Item = &'a Change>) -> Vec<Edited> {
    let mut by_file: BTreeMap<&Path, BTreeMap<usize, &[String]>> = BTreeMap::new();
    for change in changes {
        by_file.entry(&change.path).or_default().entry(change.line).or_insert(&change.new);
    }
    let edit = |(path, changes): (&Path, BTreeMap<usize, &[String]>)| {
        let file = files.all.iter().find(|file| file.path == path)?;
        Some(one(path, &file.text, &changes))
    };
    by_file.into_iter().filter_map(edit).collect()
}

/// The patch.
pub fn unified(edited: &[Edited]) -> String {
    edited.iter().map(|file| format!("{}{}", header(&file.path), file.hunks)).collect()
}

/// With a tab behind a name that has spaces, as GNU diff and git do, so that it is read whole.
fn header(path: &Path) -> String {
    let path = path.display().to_string();
    let end = if path.contains(' ') { "\t" } else { "" };
    format!("--- a/{path}{end}\n+++ b/{path}{end}\n")
}

fn one(path: &Path, old: &str, changes: &BTreeMap<usize, &[String]>) -> Edited {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let mut new = String::with_capacity(old.len() + 256);
    for (index, line) in lines.iter().enumerate() {
        match changes.get(&(index + 1)) {
            Some(with) => replaced(line, with).iter().for_each(|line| new.push_str(line)),
            None => new.push_str(line),
        }
    }
    let mut hunks = String::new();
    let mut shift = 0isize;
    for group in groups(changes, lines.len()) {
        hunks.push_str(&hunk(&lines, changes, &group, &mut shift));
    }
    Edited { path: path.to_path_buf(), old: old.to_owned(), new, hunks }
}

/// The new lines, each with the end that the old one had; the last line of a file may have none.
fn replaced(line: &str, with: &[String]) -> Vec<String> {
    let end = if line.ends_with("\r\n") {
        "\r\n"
    } else if line.ends_with('\n') {
        "\n"
    } else {
        ""
    };
    let inner = if end.is_empty() { "\n" } else { end };
    let last = with.len().saturating_sub(1);
    let ended = |(index, text): (usize, &String)| {
        format!("{text}{}", if index == last { end } else { inner })
    };
    with.iter().enumerate().map(ended).collect()
}

/// The lines of each hunk, from 1, both included: changes whose contexts touch are one.
fn groups(changes: &BTreeMap<usize, &[String]>, count: usize) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for line in changes.keys() {
        let first = line.saturating_sub(CONTEXT).max(1);
        let last = (line + CONTEXT).min(count);
        match groups.last_mut() {
            Some(group) if first <= group.1 + 1 => group.1 = last,
            _ => groups.push((first, last)),
        }
    }
    groups
}

fn hunk(
    lines: &[&str],
    changes: &BTreeMap<usize, &[String]>,
    (first, last): &(usize, usize),
    shift: &mut isize,
) -> String {
    let mut body = String::new();
    let mut added = 0usize;
    for number in *first..=*last {
        let line = lines[number - 1];
        let Some(with) = changes.get(&number) else {
            push(&mut body, ' ', line);
            added += 1;
            continue;
        };
        push(&mut body, '-', line);
        for line in replaced(line, with) {
            push(&mut body, '+', &line);
            added += 1;
        }
    }
    let old_count = last - first + 1;
    let new_first = first.saturating_add_signed(*shift);
    *shift += added.cast_signed() - old_count.cast_signed();
    format!("@@ -{first},{old_count} +{new_first},{added} @@\n{body}")
}

fn push(body: &mut String, sign: char, line: &str) {
    body.push(sign);
    body.push_str(line);
    if !line.ends_with('\n') {
        body.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(line: usize, new: &[&str]) -> Change {
        let new = new.iter().map(|text| (*text).to_owned()).collect();
        Change { path: "a.sh".into(), line, old: String::new(), new }
    }

    fn patch(text: &str, changes: &[Change]) -> (String, String) {
        let files = Files::made(&[("a.sh", text)]);
        let edited = edited(&files, changes);
        (edited[0].new.clone(), unified(&edited))
    }

    #[test]
    fn a_line_and_what_stands_around_it() {
        let (new, patch) = patch("1\n2\n3\n4\n5\n6\n", &[change(5, &["five", "more"])]);
        assert_eq!(new, "1\n2\n3\n4\nfive\nmore\n6\n");
        assert_eq!(
            patch,
            "--- a/a.sh\n+++ b/a.sh\n@@ -2,5 +2,6 @@\n 2\n 3\n 4\n-5\n+five\n+more\n 6\n"
        );
    }

    #[test]
    fn changes_that_are_near_are_one_hunk_and_others_are_counted_on() {
        let text = "x\n".repeat(30);
        let (_, patch) = patch(&text, &[change(2, &[]), change(5, &["y"]), change(25, &["z"])]);
        let heads: Vec<&str> = patch.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(heads, ["@@ -1,8 +1,7 @@", "@@ -22,7 +21,7 @@"]);
    }

    #[test]
    fn ends_of_lines_stay_what_they_are() {
        let (new, patch) = patch("a\r\nb", &[change(1, &["c"]), change(2, &["d", "e"])]);
        assert_eq!(new, "c\r\nd\ne");
        assert!(
            patch.contains("-b\n\\ No newline at end of file\n+d\n+e\n\\ No newline"),
            "{patch}"
        );
    }
}
