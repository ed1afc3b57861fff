//! nginx's configuration with the files in it that it includes and that listen: a copy of the first
//! file alone would leave their `listen` as it is.

use std::path::{Path, PathBuf};

use super::{Directive, directives, is_listen};
use crate::folder;

/// How deep files may include files: one that includes itself ends here.
const DEPTH_MAX: usize = 8;

/// How many files are read in all, each as often as it is included.
const FILES_MAX: usize = 200;

/// How long a file may be, in bytes: of a longer one only the beginning is read.
const FILE_MAX: usize = 256 * 1024;

/// A configuration as one text.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) text: String,
    pieces: Vec<Piece>,
}

/// A part of the text that stands in one file.
#[derive(Debug)]
struct Piece {
    /// Where it begins in the text.
    start: usize,
    /// The file.
    file: PathBuf,
    /// The line of the file in which it begins, from 1.
    line: usize,
}

/// How much may still be read.
struct Bounds {
    depth: usize,
    files: usize,
}

impl Merged {
    /// A configuration file's text with what it includes; paths are relative to `beside`.
    pub(super) fn of(file: &Path, text: &str, beside: &Path) -> Merged {
        Merged::within(file, text, beside, &mut Bounds { depth: DEPTH_MAX, files: FILES_MAX })
    }

    fn within(file: &Path, text: &str, beside: &Path, bounds: &mut Bounds) -> Merged {
        let mut merged = Merged::default();
        let mut from = 0;
        for directive in directives(text) {
            let Some(included) = included(&directive, beside, bounds) else { continue };
            merged.push(file, text, from..directive.whole.start);
            for part in included {
                merged.append(part);
            }
            from = directive.whole.end;
        }
        merged.push(file, text, from..text.len());
        merged
    }

    fn push(&mut self, file: &Path, text: &str, part: std::ops::Range<usize>) {
        let line = text[..part.start].matches('\n').count() + 1;
        self.pieces.push(Piece { start: self.text.len(), file: file.to_path_buf(), line });
        self.text.push_str(&text[part]);
    }

    fn append(&mut self, other: Merged) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        // A file may end in a comment.
        self.text.push('\n');
        let moved = |piece: Piece| Piece { start: piece.start + base, ..piece };
        self.pieces.extend(other.pieces.into_iter().map(moved));
    }

    /// The file and the line of a place in the text.
    pub(super) fn place(&self, at: usize) -> Option<(&Path, usize)> {
        let piece = self.pieces.iter().rfind(|piece| piece.start <= at)?;
        let lines = self.text.get(piece.start..at)?.matches('\n').count();
        Some((&piece.file, piece.line + lines))
    }
}

/// The files that a directive includes, if one of them listens. `None` if none does or if they cannot
/// all be read in full: nginx includes them itself then.
fn included(directive: &Directive<'_>, beside: &Path, bounds: &mut Bounds) -> Option<Vec<Merged>> {
    let [(name, _), (path, _)] = directive.words.as_slice() else { return None };
    if *name != "include" {
        return None;
    }
    let files = files(path.trim_matches(['"', '\'']), beside)?;
    bounds.depth = bounds.depth.checked_sub(1)?;
    let parts = files.into_iter().map(|file| {
        bounds.files = bounds.files.checked_sub(1)?;
        let text = folder::evidence(&file)?;
        let whole = text.len() < FILE_MAX && !text.contains('\u{fffd}');
        whole.then(|| Merged::within(&file, &text, beside, bounds))
    });
    let parts: Option<Vec<Merged>> = parts.collect();
    bounds.depth += 1;
    let listens = |part: &Merged| directives(&part.text).iter().any(is_listen);
    parts.filter(|parts| parts.iter().any(listens))
}

/// The files that a path of nginx's names; `None` for a pattern that wharf does not know.
fn files(path: &str, beside: &Path) -> Option<Vec<PathBuf>> {
    if path.is_empty() || path.contains(['$', '?', '[', '{', '\\']) {
        return None;
    }
    let mut found = match path.strip_prefix('/') {
        Some(path) => folder::find(Path::new("/"), path),
        None => folder::find(beside, path),
    };
    if path.contains('*') {
        let hidden = |file: &PathBuf| {
            file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        found.retain(|file| !hidden(file));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_listen_are_merged_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("sites")).unwrap();
        write("mime.types", "types { text/html html; }");
        write("sites/a.conf", "server {\n include listen; } # a");
        write("sites/b.conf", "server { listen 8080; }");
        write("sites/.c.conf", "server { listen 1; }");
        write("listen", "\nlisten 8080;");
        let file = dir.path().join("nginx.conf");
        let text = "http {\n include mime.types;\n include sites/*.conf;\n}";
        let merged = Merged::of(&file, text, dir.path());
        let expected = "http {\n include mime.types;\n server {\n \nlisten 8080;\n } # a\n\
            server { listen 8080; }\n\n}";
        assert_eq!(merged.text, expected);
        let place = |what| merged.place(merged.text.find(what).unwrap()).unwrap();
        assert_eq!(place("listen"), (dir.path().join("listen").as_path(), 2));
        assert_eq!(place("# a"), (dir.path().join("sites/a.conf").as_path(), 2));
        assert_eq!(place("mime"), (file.as_path(), 2));
        assert_eq!(merged.place(merged.text.len() - 1).unwrap(), (file.as_path(), 4));
    }

    #[test]
    fn what_includes_itself_comes_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let text = "server { listen 80; } include *.conf; include *.conf;";
        for name in ["a.conf", "b.conf", "c.conf"] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let merged = Merged::of(&dir.path().join("a.conf"), text, dir.path());
        assert!(merged.text.matches("listen").count() <= 1 + FILES_MAX);
    }
}
