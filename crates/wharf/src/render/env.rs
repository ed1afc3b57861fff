//! The answer of `wharf env`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;
use wharf_model::event::SCHEMA;

use crate::report::Report;
use crate::subject::Subject;

/// For whom it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `eval` in a shell.
    Shell,
    /// A `.env` file.
    Dotenv,
    /// An `.envrc`.
    Direnv,
    /// A program.
    Json,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    service: &'a str,
    instance: u32,
    running: bool,
    env: BTreeMap<String, String>,
}

/// Prints what an instance is told. Gives the names that cannot be written in this form.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn print(subject: &Subject, form: Form) -> Result<Vec<String>, Report> {
    let env = subject.told().variables();
    let lossy = |text: &OsStr| text.to_string_lossy().into_owned();
    if form == Form::Json {
        let document = Document {
            schema: SCHEMA,
            service: &subject.key.service,
            instance: subject.key.instance,
            running: subject.runs,
            env: env.iter().map(|(name, value)| (lossy(name), lossy(value))).collect(),
        };
        return super::json(&document).map(|()| Vec::new());
    }
    let mut text = Vec::new();
    if form == Form::Direnv {
        text.extend_from_slice(b"watch_file ");
        text.extend(in_shell(subject.root.join("wharf.toml").as_os_str()));
        text.push(b'\n');
    }
    let (written, left_out): (Vec<_>, Vec<_>) =
        env.iter().partition(|(name, _)| is_identifier(name));
    for (name, value) in written {
        if form != Form::Dotenv {
            text.extend_from_slice(b"export ");
        }
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend(if form == Form::Dotenv { in_dotenv(value) } else { in_shell(value) });
        text.push(b'\n');
    }
    super::bytes(&text)?;
    Ok(left_out.iter().map(|(name, _)| lossy(name)).collect())
}

fn is_identifier(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes.first().is_some_and(|first| !first.is_ascii_digit()) && bytes.iter().all(is_part)
}

/// Between single quotes a shell takes everything as it is, but for the quote itself.
fn in_shell(value: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in value.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Plain where nothing is special, between single quotes where that is enough, else between double quotes. These
/// three are read alike by shells, Docker Compose and the libraries of Ruby, Python and Node, but for escapes
/// between double quotes, which not all of them know: they are there only where a value has a single quote.
fn in_dotenv(value: &OsStr) -> Vec<u8> {
    let bytes = value.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,@%+".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return bytes.to_vec();
    }
    if !bytes.contains(&b'\'') {
        return [b"'", bytes, b"'"].concat();
    }
    let mut quoted = vec![b'"'];
    for byte in bytes {
        if b"\"\\$`".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(quoted: Vec<u8>) -> String {
        String::from_utf8(quoted).unwrap()
    }

    #[test]
    fn a_shell_sees_nothing_special() {
        for (value, quoted) in
            [("", "''"), ("a b", "'a b'"), ("it's $HOME\n`x`", "'it'\\''s $HOME\n`x`'")]
        {
            assert_eq!(text(in_shell(OsStr::new(value))), quoted);
        }
    }

    #[test]
    fn a_dotenv_file_has_the_plainest_form_that_will_do() {
        for (value, quoted) in [
            ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/x"),
            ("", "''"),
            ("a \"b\" $C # d\ne", "'a \"b\" $C # d\ne'"),
            ("it's", "\"it's\""),
            ("it's \"$x\" \\", "\"it's \\\"\\$x\\\" \\\\\""),
        ] {
            assert_eq!(text(in_dotenv(OsStr::new(value))), quoted);
        }
    }

    #[test]
    fn names_that_no_shell_can_set() {
        for (name, is) in [("A_1", true), ("1A", false), ("a.b", false), ("", false), ("Ä", false)]
        {
            assert_eq!(is_identifier(OsStr::new(name)), is, "{name}");
        }
    }
}
