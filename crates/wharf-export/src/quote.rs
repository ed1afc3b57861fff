//! Values in the quoting of each format. What a format cannot say is refused.

use std::ffi::OsStr;
use std::path::Path;

use crate::error::ExportError;

pub(crate) fn no_form(format: &'static str, value: &str, why: &'static str) -> ExportError {
    ExportError::NoForm { format, what: format!("{value:?}"), why }
}

/// A text where there has to be one: paths and words may be any bytes.
pub(crate) fn text<'a>(format: &'static str, value: &'a OsStr) -> Result<&'a str, ExportError> {
    value.to_str().ok_or_else(|| {
        no_form(format, &value.to_string_lossy(), "it is not UTF-8, and the format is text")
    })
}

/// A value for nginx, in double quotes.
pub(crate) fn nginx(value: &str) -> Result<String, ExportError> {
    if value.contains('$') {
        return Err(no_form("nginx", value, "`$` begins a variable there and cannot be escaped"));
    }
    if value.contains('\0') {
        return Err(no_form("nginx", value, "no value there has a zero byte"));
    }
    Ok(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A file for nginx.
pub(crate) fn nginx_path(path: &Path) -> Result<String, ExportError> {
    nginx(text("nginx", path.as_os_str())?)
}

/// A word for a Caddyfile. `{` begins a placeholder in any quotes, and one of its environment even before quotes
/// are read (<https://caddyserver.com/docs/caddyfile/concepts>).
pub(crate) fn caddy(value: &str) -> Result<String, ExportError> {
    if value.contains(['{', '\0', '\n', '\r']) {
        return Err(no_form("Caddy", value, "placeholders and line ends cannot be escaped there"));
    }
    if !value.contains('`') {
        return Ok(format!("`{value}`"));
    }
    if value.contains('\\') {
        let why = "a backquote takes double quotes, in which a backslash is not one";
        return Err(no_form("Caddy", value, why));
    }
    Ok(format!("\"{}\"", value.replace('"', "\\\"")))
}

/// A path of addresses, for what compares paths in their normal form: wharf compares them as they come.
pub(crate) fn normal_path(format: &'static str, value: &str) -> Result<(), ExportError> {
    let has_dots = value.split('/').any(|part| matches!(part, "." | ".."));
    if has_dots || value.contains("//") || value.contains('%') {
        let why = "it compares paths in their normal form, and wharf as they come";
        return Err(no_form(format, value, why));
    }
    plain_path(format, value)
}

/// A path of addresses: what comes after `?` or `#` is none.
pub(crate) fn plain_path(format: &'static str, value: &str) -> Result<(), ExportError> {
    match value.contains(['?', '#']) {
        false => Ok(()),
        true => Err(no_form(format, value, "a path ends at `?` and at `#`")),
    }
}

/// A path for nginx.
pub(crate) fn nginx_url_path(value: &str) -> Result<String, ExportError> {
    normal_path("nginx", value)?;
    nginx(value)
}

/// A path for HAProxy, which compares paths as they come.
pub(crate) fn haproxy_url_path(value: &str) -> Result<String, ExportError> {
    plain_path("HAProxy", value)?;
    haproxy(value)
}

/// A path for a matcher of Caddy's, in which `*`, `[` and the backslash are its own.
pub(crate) fn caddy_path(value: &str) -> Result<String, ExportError> {
    normal_path("Caddy", value)?;
    if value.contains(['*', '[', '\\']) {
        let why = "`*`, `[` and a backslash mean more than themselves in its paths";
        return Err(no_form("Caddy", value, why));
    }
    caddy(value)
}

/// A word for HAProxy, in weak quotes (<https://docs.haproxy.org/2.6/configuration.html>, section 2.2).
pub(crate) fn haproxy(value: &str) -> Result<String, ExportError> {
    if value.contains(['\n', '\r', '\0']) {
        return Err(no_form("HAProxy", value, "a line ends where it ends"));
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    Ok(text)
}

/// Which line of a unit a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A word of a command, in which `$` begins a variable.
    Exec,
    /// Another word, in which it does not.
    Word,
}

/// A word for a unit of systemd's, in double quotes (`man systemd.syntax`, `man systemd.service`).
pub(crate) fn systemd(value: &str, unit: Unit) -> Result<String, ExportError> {
    if value.contains('\0') {
        return Err(no_form("systemd", value, "no value there has a zero byte"));
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            '$' if unit == Unit::Exec => text.push_str("$$"),
            c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    Ok(text)
}

/// A folder for a unit of systemd's: its line takes no quotes.
pub(crate) fn systemd_path(path: &Path) -> Result<String, ExportError> {
    let value = text("systemd", path.as_os_str())?;
    if value.contains(|c: char| c.is_ascii_control()) || value.trim() != value {
        let why = "a folder's line takes neither quotes nor escapes";
        return Err(no_form("systemd", value, why));
    }
    Ok(value.replace('%', "%%"))
}

/// A word for a POSIX shell; what needs no quotes has none.
pub(crate) fn shell(value: &str) -> Result<String, ExportError> {
    if value.contains('\0') {
        return Err(no_form("a shell", value, "no word there has a zero byte"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    Ok(format!("'{}'", value.replace('\'', "'\\''")))
}

/// A basic string of TOML (<https://toml.io/en/v1.0.0#string>).
pub(crate) fn toml(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_ascii_control() => text.push_str(&format!("\\u{:04X}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What systemd reads out of a quoted word: the escapes of `man systemd.syntax` that are written here.
    fn read_systemd(quoted: &str, unit: Unit) -> String {
        let mut out = String::new();
        let mut rest = quoted[1..quoted.len() - 1].chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => match rest.next().unwrap() {
                    'x' => {
                        let digits: String = rest.by_ref().take(2).collect();
                        out.push(u8::from_str_radix(&digits, 16).unwrap().into());
                    }
                    c => out.push(c),
                },
                '%' => out.push(rest.next().unwrap()),
                '$' if unit == Unit::Exec => out.push(rest.next().unwrap()),
                c => out.push(c),
            }
        }
        out
    }

    /// What is read where a backslash takes the next character as it is.
    fn read_backslashes(quoted: &str) -> String {
        let mut out = String::new();
        let mut rest = quoted[1..quoted.len() - 1].chars();
        while let Some(c) = rest.next() {
            out.push(if c == '\\' { rest.next().unwrap() } else { c });
        }
        out
    }

    proptest! {
        #[test]
        fn a_unit_says_every_text(value in "\\PC*|[\"\\\\%$\n\t '#;]*") {
            for unit in [Unit::Exec, Unit::Word] {
                let quoted = systemd(&value, unit).unwrap();
                prop_assert!(!quoted.contains('\n'));
                prop_assert_eq!(read_systemd(&quoted, unit), value.clone());
            }
        }

        #[test]
        fn what_nginx_and_haproxy_take_is_what_was_meant(value in "\\PC*|[\"\\\\$ '#;{}\n]*") {
            if let Ok(quoted) = nginx(&value) {
                prop_assert_eq!(read_backslashes(&quoted), value.clone());
            } else {
                prop_assert!(value.contains(['$', '\0']));
            }
            match haproxy(&value) {
                Ok(quoted) => prop_assert_eq!(read_backslashes(&quoted), value),
                Err(_) => prop_assert!(value.contains(['\n', '\r', '\0'])),
            }
        }

        #[test]
        fn what_caddy_takes_is_what_was_meant(value in "[a`\"\\\\ '#{}é\n]*") {
            if let Ok(quoted) = caddy(&value) {
                let inner = &quoted[1..quoted.len() - 1];
                if quoted.starts_with('`') {
                    prop_assert_eq!(inner, value);
                } else {
                    prop_assert_eq!(inner.replace("\\\"", "\""), value);
                }
            }
        }

        #[test]
        fn toml_says_every_text(value in "(?s).{0,40}|[\"\\\\$'#\n\r\t\u{0}\u{7f}é]{0,20}") {
            let text = format!("{} = {}", toml(&value), toml(&value));
            let read: ::toml::Table = ::toml::from_str(&text).unwrap();
            prop_assert_eq!(read.get(&value).and_then(|read| read.as_str()), Some(value.as_str()));
        }
    }

    proptest! {
        // Each of them is a process.
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_says_every_text(value in "[^\u{0}]{0,30}|[\"\\\\$'`!*~#; \n\t=é-]{0,20}") {
            let line = format!("printf %s {}", shell(&value).unwrap());
            let done = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            prop_assert_eq!(String::from_utf8(done.stdout).unwrap(), value);
        }
    }

    #[test]
    fn a_shell_says_what_was_meant() {
        for value in ["", "a b", "it's", "$HOME", "`id`", "a\nb", "ünï", "-n", "*", "~", "a=b"] {
            let line = format!("printf %s {}", shell(value).unwrap());
            let done = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(done.stdout).unwrap(), value, "{line}");
        }
    }
}
