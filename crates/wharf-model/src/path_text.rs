//! A path as text that survives JSON and SQLite, also when it is not UTF-8.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A path in an injective text form: UTF-8 stays as it is, a byte that is not UTF-8 becomes `\xHH`
/// and a backslash becomes `\\`. Two different paths never give the same text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathText(String);

impl PathText {
    /// The text of a path.
    pub fn new(path: &Path) -> PathText {
        let mut text = String::new();
        for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
            text.push_str(&chunk.valid().replace('\\', "\\\\"));
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        PathText(text)
    }

    /// Takes a text that [`PathText::new`] made, such as one read back from the database.
    pub fn from_text(text: String) -> PathText {
        PathText(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path again. A text that `new` did not make gives the path that it most nearly spells.
    pub fn to_path(&self) -> PathBuf {
        PathBuf::from(unescape(&self.0))
    }
}

#[cfg(unix)]
fn unescape(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(unescape_bytes(text.as_bytes()))
}

#[cfg(not(unix))]
fn unescape(text: &str) -> std::ffi::OsString {
    String::from_utf8_lossy(&unescape_bytes(text.as_bytes())).into_owned().into()
}

fn unescape_bytes(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let (byte, rest) = match (first, rest) {
            (b'\\', [b'\\', rest @ ..]) => (b'\\', rest),
            (b'\\', [b'x', high, low, rest @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, rest),
                _ => (first, &text[1..]),
            },
            _ => (first, rest),
        };
        bytes.push(byte);
        text = rest;
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    proptest! {
        #[test]
        fn every_path_comes_back(bytes in prop::collection::vec(1u8..=255, 0..40)) {
            let path = PathBuf::from(OsString::from_vec(bytes));
            prop_assert_eq!(PathText::new(&path).to_path(), path);
        }
    }

    #[test]
    fn plain_paths_read_as_themselves() {
        assert_eq!(PathText::new(Path::new("/home/zoë/my shop\n")).as_str(), "/home/zoë/my shop\n");
    }
}
