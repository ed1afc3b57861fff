//! Bytes of a terminal become keys.

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Tab,
    Backspace,
    Escape,
    /// A letter together with Ctrl.
    Ctrl(char),
    Char(char),
    /// A letter that was not typed but pasted.
    Pasted(char),
}

/// Reads keys, of which a terminal may send the bytes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pending: Vec<u8>,
    is_pasted: bool,
}

/// What the first bytes mean.
enum Word {
    Key(Key),
    PasteBegins,
    PasteEnds,
    Nothing,
}

/// No sequence of a key is longer; what is, is dropped.
const LONGEST: usize = 32;

impl Keys {
    /// The keys that are whole with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        while let Some((length, word)) = next(&self.pending[at..]) {
            at += length;
            match word {
                Word::PasteBegins => self.is_pasted = true,
                Word::PasteEnds => self.is_pasted = false,
                Word::Key(Key::Char(letter)) if self.is_pasted => keys.push(Key::Pasted(letter)),
                // Should the end of a paste have been lost, this still gets out.
                Word::Key(key) if !self.is_pasted || key == Key::Ctrl('c') => keys.push(key),
                Word::Key(_) | Word::Nothing => {}
            }
        }
        self.pending.drain(..at);
        if self.pending.len() > LONGEST {
            self.pending.clear();
        }
        keys
    }

    /// Whether the end of a key is still to come.
    pub(crate) fn is_amid(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing more came for a while: a lone escape was the key of that name.
    pub(crate) fn pause(&mut self) -> Option<Key> {
        let was = std::mem::take(&mut self.pending);
        (was == [0x1b]).then_some(Key::Escape)
    }
}

/// How many bytes the first word has, and what it means. `None` if its end is missing.
fn next(bytes: &[u8]) -> Option<(usize, Word)> {
    let (&first, rest) = bytes.split_first()?;
    Some(match first {
        0x1b => return sequence(rest),
        b'\r' | b'\n' => (1, Word::Key(Key::Enter)),
        b'\t' => (1, Word::Key(Key::Tab)),
        0x7f | 0x08 => (1, Word::Key(Key::Backspace)),
        1..=26 => (1, Word::Key(Key::Ctrl(char::from(b'a' + first - 1)))),
        0..=31 => (1, Word::Nothing),
        _ => return letter(bytes),
    })
}

/// What comes after an escape.
fn sequence(rest: &[u8]) -> Option<(usize, Word)> {
    match rest.first()? {
        b'[' => {
            let end = rest[1..].iter().position(|byte| (0x40..=0x7e).contains(byte))?;
            let word = match &rest[1..=end + 1] {
                b"A" => Word::Key(Key::Up),
                b"B" => Word::Key(Key::Down),
                b"H" | b"1~" | b"7~" => Word::Key(Key::Home),
                b"F" | b"4~" | b"8~" => Word::Key(Key::End),
                b"5~" => Word::Key(Key::PageUp),
                b"6~" => Word::Key(Key::PageDown),
                b"200~" => Word::PasteBegins,
                b"201~" => Word::PasteEnds,
                _ => Word::Nothing,
            };
            Some((end + 3, word))
        }
        b'O' => {
            let word = match rest.get(1)? {
                b'A' => Word::Key(Key::Up),
                b'B' => Word::Key(Key::Down),
                b'H' => Word::Key(Key::Home),
                b'F' => Word::Key(Key::End),
                _ => Word::Nothing,
            };
            Some((3, word))
        }
        _ => Some((1, Word::Key(Key::Escape))),
    }
}

fn letter(bytes: &[u8]) -> Option<(usize, Word)> {
    let length = match bytes[0] {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((1, Word::Nothing)),
    };
    let Some(whole) = bytes.get(..length) else {
        // A start that nothing can complete is no letter.
        let is_broken = bytes[1..].iter().any(|byte| !(0x80..0xc0).contains(byte));
        return is_broken.then_some((1, Word::Nothing));
    };
    let letter = std::str::from_utf8(whole).ok().and_then(|text| text.chars().next());
    Some(letter.map_or((1, Word::Nothing), |letter| (length, Word::Key(Key::Char(letter)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_whole_and_in_pieces() {
        let bytes = "a\x1b[A\x1bOB\x1b[5~é\r\t\x7f\x03\x1b[1;5Cq".as_bytes();
        let wanted = [
            Key::Char('a'),
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::Char('é'),
            Key::Enter,
            Key::Tab,
            Key::Backspace,
            Key::Ctrl('c'),
            Key::Char('q'),
        ];
        assert_eq!(Keys::default().feed(bytes), wanted);
        for cut in 0..bytes.len() {
            let mut keys = Keys::default();
            let mut got = keys.feed(&bytes[..cut]);
            got.extend(keys.feed(&bytes[cut..]));
            assert_eq!(got, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_pasted_is_no_command() {
        let mut keys = Keys::default();
        let pasted = keys.feed(b"\x1b[200~sy\r\x1b[A\x1b[201~s");
        assert_eq!(pasted, [Key::Pasted('s'), Key::Pasted('y'), Key::Char('s')]);
        assert_eq!(keys.feed(b"\x1b[200~\x03"), [Key::Ctrl('c')]);
    }

    #[test]
    fn a_lone_escape_is_a_key_after_a_pause() {
        let mut keys = Keys::default();
        assert_eq!(keys.feed(b"\x1b"), []);
        assert!(keys.is_amid());
        assert_eq!(keys.pause(), Some(Key::Escape));
        assert!(!keys.is_amid());
    }

    #[test]
    fn no_bytes_upset_it_and_a_letter_after_them_is_read() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..2000 {
            let mut keys = Keys::default();
            for _ in 0..20 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                keys.feed(&seed.to_le_bytes()[..(seed % 8) as usize]);
                assert!(keys.pending.len() <= LONGEST);
            }
            keys.pause();
            assert_eq!(keys.feed(b"x"), [Key::Char('x')]);
        }
    }
}
