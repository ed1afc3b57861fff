//! A terminal of its own for a copy: what a person has, with colours, questions and Ctrl-C. `script` of
//! util-linux makes it, since the standard library cannot.

/// What a key press of Ctrl-C sends.
pub const CTRL_C: &[u8] = &[3];

/// A terminal without a size would show every program nothing.
const SIZE: &str = "stty rows 40 cols 120";

/// The command that runs `argv` in a terminal and passes on its exit code.
pub fn around(argv: &[String]) -> Vec<String> {
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    // A runner in the background of a script has Ctrl-C ignored, which a person's terminal has not.
    let inside =
        format!("{SIZE} && exec env --default-signal=HUP,INT,QUIT,TERM {}", words.join(" "));
    let words = ["script", "--quiet", "--return", "--command", &inside, "/dev/null"];
    words.map(str::to_owned).to_vec()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The text without the colours and cursor movements that programs write to a terminal.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        rest = after_escape(&rest[start + 1..]);
    }
    plain.push_str(rest);
    plain.replace('\r', "")
}

/// What follows an escape sequence; only the form `ESC [ … letter` carries more than one character.
fn after_escape(text: &str) -> &str {
    let Some(parameters) = text.strip_prefix('[') else {
        let mut rest = text.chars();
        rest.next();
        return rest.as_str();
    };
    let end = parameters.find(|letter: char| ('@'..='~').contains(&letter));
    end.map_or("", |end| &parameters[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::{plain, quoted};

    #[test]
    fn colours_are_taken_away() {
        assert_eq!(
            plain("\u{1b}[1;32mwharf:\u{1b}[0m ready\r\n\u{1b}7x\u{1b}["),
            "wharf: ready\nx"
        );
    }

    #[test]
    fn a_quoted_word_is_one_word() {
        assert_eq!(quoted("it's; a"), r"'it'\''s; a'");
    }
}
