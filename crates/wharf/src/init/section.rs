//! The section of a text that is wharf's: what stands between two markers, each a line of its own.

use std::ops::Range;
use std::path::Path;

use crate::report::{Code, Report};

const BEGIN: &str = "<!-- wharf:begin (written by `wharf init agents`; changes here are lost) -->";
const END: &str = "<!-- wharf:end -->";
/// What a marker is known by, so that the words behind it may change.
const BEGIN_MARK: &[u8] = b"<!-- wharf:begin";
const END_MARK: &[u8] = b"<!-- wharf:end";

/// The section as it is written.
pub(super) fn text(rules: &str) -> String {
    format!("{BEGIN}\n{rules}{END}\n")
}

/// A file with the section in it: in the place of the one that it has, else at its end. Everything else stays as it
/// is, byte for byte. A file that is `whole` wharf's own has one already, or is somebody else's.
///
/// # Errors
/// The markers are no pair, or there are none in a file of wharf's own.
pub(super) fn put(old: &[u8], rules: &str, path: &Path, whole: bool) -> Result<Vec<u8>, Report> {
    let mut section = text(rules);
    if ends_lines_as_windows_does(old) {
        section = section.replace('\n', "\r\n");
    }
    let mut new = Vec::with_capacity(old.len() + section.len() + 4);
    match find(old).map_err(|lines| broken(path, &lines))? {
        Some(range) => {
            new.extend_from_slice(&old[..range.start]);
            new.extend_from_slice(section.as_bytes());
            // Where the last line had no end, the new one needs none.
            if range.end == old.len() && !old.ends_with(b"\n") {
                new.truncate(new.trim_ascii_end().len());
            }
            new.extend_from_slice(&old[range.end..]);
        }
        None if whole => return Err(not_ours(path)),
        None => {
            let end = if section.contains('\r') { "\r\n" } else { "\n" };
            new.extend_from_slice(old);
            if !old.is_empty() {
                let ends = if old.ends_with(b"\n") { 1 } else { 2 };
                new.extend_from_slice(end.repeat(ends).as_bytes());
            }
            new.extend_from_slice(section.as_bytes());
        }
    }
    Ok(new)
}

/// By its first line.
fn ends_lines_as_windows_does(text: &[u8]) -> bool {
    let first = text.iter().position(|byte| *byte == b'\n');
    first.is_some_and(|end| end > 0 && text[end - 1] == b'\r')
}

/// From the first marker to the end of the last one's line; else the lines of the markers that are no pair.
fn find(text: &[u8]) -> Result<Option<Range<usize>>, Vec<usize>> {
    let (mut marks, mut at) = (Vec::new(), 0);
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let words = line.trim_ascii();
        let closed = words.ends_with(b"-->");
        if closed && (words.starts_with(BEGIN_MARK) || words.starts_with(END_MARK)) {
            marks.push((words.starts_with(BEGIN_MARK), number + 1, at..at + line.len()));
        }
        at += line.len();
    }
    match &marks[..] {
        [] => Ok(None),
        [(true, _, begin), (false, _, end)] => Ok(Some(begin.start..end.end)),
        _ => Err(marks.into_iter().map(|(_, number, _)| number).collect()),
    }
}

fn broken(path: &Path, lines: &[usize]) -> Report {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let what =
        format!("{} is left as it is: the markers of wharf's section are no pair", path.display());
    Report::new(Code::Conflict, what)
        .why(format!("there is a marker in line {}", lines.join(", ")))
        .help("leave one `<!-- wharf:begin -->` before one `<!-- wharf:end -->`, or take all of them out")
}

fn not_ours(path: &Path) -> Report {
    Report::new(Code::Conflict, format!("{} is left as it is: it is not wharf's", path.display()))
        .why("it has no section of wharf's, so somebody else has written it")
        .help("move it away, or take what you want of `wharf init agents --print`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn into(old: &str) -> String {
        let new = put(old.as_bytes(), "rules\n", Path::new("AGENTS.md"), false).unwrap();
        let again = put(&new, "rules\n", Path::new("AGENTS.md"), false).unwrap();
        assert_eq!(new, again, "a second time changes nothing");
        String::from_utf8(new).unwrap()
    }

    #[test]
    fn it_stands_at_the_end_and_is_replaced_in_place() {
        let section = text("rules\n");
        assert_eq!(into(""), section);
        assert_eq!(into("# A\n"), format!("# A\n\n{section}"));
        assert_eq!(into("# A"), format!("# A\n\n{section}"));
        let old = "a\n<!-- wharf:begin -->\nold\n<!-- wharf:end -->\nb";
        assert_eq!(into(old), format!("a\n{section}b"));
        let last = "a\n<!-- wharf:begin -->\nold\n<!-- wharf:end -->";
        assert_eq!(into(last), format!("a\n{}", section.trim_end()));
    }

    #[test]
    fn the_rest_stays_byte_for_byte() {
        let old = b"\xff\xfe\r\n  x \r\n<!-- wharf:begin -->\r\n<!-- wharf:end -->\r\n\0\t ";
        let new = put(old, "rules\n", Path::new("AGENTS.md"), false).unwrap();
        assert!(new.starts_with(b"\xff\xfe\r\n  x \r\n<!-- wharf:begin ("));
        assert!(new.ends_with(b"\r\nrules\r\n<!-- wharf:end -->\r\n\0\t "));
    }

    #[test]
    fn markers_that_are_no_pair_are_an_error() {
        let (begin, end) = ("<!-- wharf:begin -->\n", "<!-- wharf:end -->\n");
        for old in [
            begin.to_owned(),
            end.to_owned(),
            format!("{end}{begin}"),
            format!("{begin}{begin}{end}"),
            format!("{begin}{end}{end}"),
            format!("{begin}{end}x\n{begin}{end}"),
        ] {
            let refused =
                put(old.as_bytes(), "rules\n", Path::new("AGENTS.md"), false).unwrap_err();
            assert_eq!(refused.code, Code::Conflict, "{old}");
            assert!(refused.why[0].starts_with("there is a marker in line 1"), "{refused:?}");
        }
        // In a sentence it is no marker.
        assert!(into("write `<!-- wharf:end -->` there\n").starts_with("write `"));
    }

    #[test]
    fn what_is_to_be_whole_and_has_no_section_is_somebody_elses() {
        assert!(put(b"mine\n", "rules\n", Path::new("SKILL.md"), true).is_err());
    }
}
