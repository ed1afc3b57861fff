//! YAML, as much of it as is written: block maps and lists, comments, quoted texts
//! (<https://yaml.org/spec/1.2.2/>).

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Yaml {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// `true` or `false`.
    Bool(bool),
    /// A list.
    List(Vec<Yaml>),
    /// Keys and values, in order.
    Map(Vec<(String, Yaml)>),
    /// A value with a comment above it, where it is an entry of a map or a list.
    Said(String, Box<Yaml>),
    /// A value with a tag of this program's that reads it (`!override`).
    Tagged(&'static str, Box<Yaml>),
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Yaml {
        Yaml::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Yaml {
        Yaml::Text(text)
    }
}

impl From<u16> for Yaml {
    fn from(number: u16) -> Yaml {
        Yaml::Number(number.into())
    }
}

/// A map of these entries.
pub(crate) fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Yaml {
    /// With an entry at the end, where it is a map.
    pub(crate) fn with(mut self, key: &str, value: Yaml) -> Yaml {
        if let Yaml::Map(entries) = &mut self {
            entries.push((key.to_owned(), value));
        }
        self
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    /// Writes it as the block at this depth, on lines of its own.
    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        match self {
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    let value = value.say(&indent, out);
                    out.push_str(&format!("{indent}{}:", scalar(key)));
                    value.follow(depth, out);
                }
            }
            Yaml::List(items) => {
                for item in items {
                    let item = item.say(&indent, out);
                    out.push_str(&format!("{indent}-"));
                    item.follow_dash(depth, out);
                }
            }
            other => out.push_str(&format!("{indent}{}\n", other.flow())),
        }
    }

    /// Puts its comment out, and gives what it is about.
    fn say(&self, indent: &str, out: &mut String) -> &Yaml {
        let Yaml::Said(comment, value) = self else { return self };
        for line in comment.lines() {
            out.push_str(&format!("{indent}# {line}\n"));
        }
        value
    }

    /// After `key:`.
    fn follow(&self, depth: usize, out: &mut String) {
        match self {
            Yaml::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
            Yaml::List(items) if items.is_empty() => out.push_str(" []\n"),
            Yaml::Map(_) | Yaml::List(_) => {
                out.push('\n');
                self.write(depth + 1, out);
            }
            Yaml::Tagged(tag, value) => {
                out.push_str(&format!(" !{tag}"));
                value.follow(depth, out);
            }
            other => out.push_str(&format!(" {}\n", other.flow())),
        }
    }

    /// After `-`: a map begins on that line.
    fn follow_dash(&self, depth: usize, out: &mut String) {
        let Yaml::Map(entries) = self else { return self.follow(depth, out) };
        if entries.is_empty() {
            return out.push_str(" {}\n");
        }
        let mut block = String::new();
        self.write(depth + 1, &mut block);
        out.push(' ');
        out.push_str(&block[2 * (depth + 1)..]);
    }

    fn flow(&self) -> String {
        match self {
            Yaml::Text(text) => scalar(text),
            Yaml::Number(number) => number.to_string(),
            Yaml::Bool(value) => value.to_string(),
            Yaml::Said(_, value) => value.flow(),
            Yaml::Tagged(tag, value) => format!("!{tag} {}", value.flow()),
            Yaml::List(_) => "[]".to_owned(),
            Yaml::Map(_) => "{}".to_owned(),
        }
    }
}

/// Words that some readers of YAML take for something else than a text.
const RESERVED: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

/// A text: plain where nobody can read it otherwise, else in double quotes.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// In double quotes, with escapes for what YAML calls not printable, and for what would be folded or taken for the
/// end of a line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
                if !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                out.push(c);
            }
            '\u{10000}'.. => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Comments as they stand at the top of a file.
pub(crate) fn comments(lines: &[String]) -> String {
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr_parser::{Event, Parser};

    use super::*;

    /// The texts of a document, as another program's reader has them.
    fn texts(document: &str) -> Vec<String> {
        let events = Parser::new_from_str(document).map(|event| event.unwrap().0);
        let text = |event| match event {
            Event::Scalar(text, ..) => Some(text.into_owned()),
            _ => None,
        };
        events.filter_map(text).collect()
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was_meant(
            key in "(?s).{0,30}|[\"\\\\$'#:\n\r\t{}\\[\\]&*!|>%@`, é-]{0,12}",
            value in "(?s).{0,30}|[\"\\\\$'#:\n\r\t{}\\[\\]&*!|>%@`, é-]{0,12}",
        ) {
            let item = Yaml::List(vec![value.as_str().into(), map([(&key, value.as_str().into())])]);
            let document = map([(&key, item)]).document();
            let expected = [key.clone(), value.clone(), key, value];
            prop_assert_eq!(texts(&document), expected, "{}", document);
        }
    }

    #[test]
    fn blocks_and_comments() {
        let yaml = map([
            (
                "a",
                map([
                    ("b", 1_u16.into()),
                    (
                        "c",
                        Yaml::List(vec![
                            "x".into(),
                            map([("d", "e".into()), ("f", Yaml::List(vec!["g".into()]))]),
                        ]),
                    ),
                ]),
            ),
            ("empty", Yaml::List(vec![])),
            ("ports", Yaml::Said("why".into(), Box::new(Yaml::List(vec!["127.0.0.1:1:2".into()])))),
        ]);
        let expected = "a:\n  b: 1\n  c:\n    - x\n    - d: e\n      f:\n        - g\nempty: []\n# why\nports:\n  - \"127.0.0.1:1:2\"\n";
        assert_eq!(yaml.document(), expected);
    }

    #[test]
    fn what_could_be_read_otherwise_is_quoted() {
        for text in
            ["", "yes", "Null", "1", "-a", "a: b", "a #b", "é", "*a", "a b", "~", "0x1f", "null"]
        {
            assert!(scalar(text).starts_with('"'), "{text}");
        }
        assert_eq!(scalar("web.shop.localhost"), "web.shop.localhost");
        assert_eq!(quoted("a\u{7f}\u{2028}\n\"\\é"), r#""a\x7f\u2028\n\"\\é""#);
    }
}
