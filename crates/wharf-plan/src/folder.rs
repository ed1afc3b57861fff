//! Reading a project's files, within bounds: nothing here follows a pipe, reads without end, or
//! fails because a name is not UTF-8.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How much of a file is read. An entry file names its port near its top, and a manifest that is
/// larger is not one that a person wrote.
pub(crate) const READ_MAX: u64 = 256 * 1024;

/// How many names of one folder a glob looks at.
const NAMES_MAX: usize = 2000;

/// How long a glob with alternatives may be, and how many it may come down to. What goes beyond is no
/// pattern that a person wrote.
const GLOB_MAX: usize = 500;
const ALTERNATIVES_MAX: usize = 200;

/// The text of a regular file; what is not UTF-8 in it is replaced. `None` if there is no such file.
pub(crate) fn text(path: &Path) -> io::Result<Option<String>> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(why) if is_absence(&why) => return Ok(None),
        Err(why) => return Err(why),
    };
    // Opening a named pipe would wait for its writer.
    if !about.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether a file is larger than what is read of it.
pub(crate) fn is_too_large(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.len() > READ_MAX)
}

fn is_absence(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The text of a file that is only evidence: one that cannot be read says nothing.
pub(crate) fn evidence(path: &Path) -> Option<String> {
    text(path).ok().flatten()
}

/// Whether a regular file begins with these bytes.
pub(crate) fn begins_with(path: &Path, start: &[u8]) -> bool {
    // Opening a named pipe would wait for its writer.
    if !fs::metadata(path).is_ok_and(|about| about.is_file()) {
        return false;
    }
    let mut bytes = vec![0; start.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.is_ok() && bytes == start
}

/// The files below a folder that a glob names, sorted. A glob knows `*` within a name and
/// `{a,b}` alternatives, of which the earlier come first.
pub(crate) fn find(dir: &Path, glob: &str) -> Vec<PathBuf> {
    let mut all = usize::MAX;
    find_within(dir, glob, &mut all)
}

/// As [`find`], looking at no more than so many names in folders; what is left of them is 0 once they were too few.
pub(crate) fn find_within(dir: &Path, glob: &str, names_left: &mut usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pattern in alternatives(glob) {
        let mut paths = vec![dir.to_path_buf()];
        for part in pattern.split('/') {
            paths = paths.iter().flat_map(|path| step(path, part, names_left)).collect();
        }
        found.append(&mut paths);
    }
    found
}

fn step(dir: &Path, part: &str, names_left: &mut usize) -> Vec<PathBuf> {
    if !part.contains('*') {
        let path = dir.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .take(NAMES_MAX)
        .take_while(|_| {
            let is_left = *names_left > 0;
            *names_left = names_left.saturating_sub(1);
            is_left
        })
        .flatten()
        .filter(|entry| matches(&entry.file_name().to_string_lossy(), part))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn alternatives(glob: &str) -> Vec<String> {
    let Some((head, rest)) = glob.split_once('{').filter(|_| glob.len() <= GLOB_MAX) else {
        return vec![glob.to_owned()];
    };
    let Some((inner, tail)) = rest.split_once('}') else {
        return vec![glob.to_owned()];
    };
    let tails = alternatives(tail);
    let mut all = Vec::new();
    for choice in inner.split(',') {
        all.extend(tails.iter().map(|tail| format!("{head}{choice}{tail}")));
    }
    all.truncate(ALTERNATIVES_MAX);
    all
}

/// Whether a name matches a pattern in which `*` stands for any text.
pub(crate) fn matches(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A path as people would write it from a folder.
pub(crate) fn shown(path: &Path, from: &Path) -> String {
    path.strip_prefix(from).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_know_stars_and_alternatives() {
        assert!(matches("python3.11", "python3.*"));
        assert!(matches("main.ts", "main.*") && matches("a", "*") && matches("abc", "a*b*c"));
        assert!(!matches("main", "main.*") && !matches("ab", "a") && !matches("a", "ab"));
        assert!(!matches("ab", "ab*b"), "a letter is not used twice");
        assert_eq!(alternatives("a.{js,ts}.{x,y}"), ["a.js.x", "a.js.y", "a.ts.x", "a.ts.y"]);
        assert_eq!(alternatives("a{b"), ["a{b"]);
        assert_eq!(alternatives(&"{a,b}".repeat(60)).len(), ALTERNATIVES_MAX);
        assert_eq!(alternatives(&"{a,b}".repeat(50_000)).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        assert_eq!(evidence(&dir.path().join("loop")), None);
        assert_eq!(evidence(dir.path()), None);
        fs::write(dir.path().join("big"), vec![0xff; 300 * 1024]).unwrap();
        assert!(begins_with(&dir.path().join("big"), &[0xff, 0xff]));
        assert!(!begins_with(&dir.path().join("big"), b"#!") && !begins_with(dir.path(), b""));
        assert!(evidence(&dir.path().join("big")).is_some_and(|text| text.starts_with('\u{fffd}')));
        assert_eq!(find(dir.path(), "b*"), [dir.path().join("big")]);
    }
}
