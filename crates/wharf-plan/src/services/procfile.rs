//! Procfiles: one `name: command` per line, as foreman, honcho, overmind and Heroku read them.

use super::yaml::Wrong;

/// A line of a Procfile.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) name: String,
    /// A text for a shell.
    pub(crate) command: String,
    pub(crate) line: usize,
}

/// The processes of a Procfile. The programs that read one skip a line that they do not understand; here it is an
/// error, since otherwise a service would be missing without a word.
pub(crate) fn parse(text: &str) -> Result<Vec<Process>, Wrong> {
    let mut processes: Vec<Process> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| Wrong::new(number, why);
        let Some((name, command)) = line.split_once(':') else {
            return Err(wrong("it is no `name: command`".into()));
        };
        let (name, command) = (name.trim_end(), command.trim());
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(is_letter) {
            return Err(wrong(format!(
                "`{name}` is no name: letters, digits, `-` and `_` make one"
            )));
        }
        if command.is_empty() {
            return Err(wrong(format!("`{name}` has no command")));
        }
        if let Some(earlier) = processes.iter().find(|process| process.name == name) {
            return Err(wrong(format!("line {} has a `{name}` already", earlier.line)));
        }
        let (name, command) = (name.to_owned(), command.to_owned());
        processes.push(Process { name, command, line: number });
    }
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names_and_commands(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|p| (p.name, p.command)).collect()
    }

    #[test]
    fn the_grammar() {
        let pair = |name: &str, command: &str| (name.to_owned(), command.to_owned());
        for (line, expected) in [
            ("web: x", pair("web", "x")),
            ("web:x:y", pair("web", "x:y")),
            ("  my_web-2 :\tx  # y ", pair("my_web-2", "x  # y")),
            ("web: A=1 x -p ${PORT:-3000}", pair("web", "A=1 x -p ${PORT:-3000}")),
            ("\u{feff}# c\r\n\r\nweb: x\r\n", pair("web", "x")),
        ] {
            assert_eq!(names_and_commands(line), [expected], "{line:?}");
        }
        assert_eq!(parse("# a\n\nweb: x\n").unwrap()[0].line, 3);
        assert_eq!(parse("\n#\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_process_names_its_line() {
        for (text, line) in
            [("web: x\nnonsense", 2), ("a b: c", 1), (": x", 1), ("web:", 1), ("a: x\n\na: y", 3)]
        {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n\r:#é]{0,80}") {
            for process in parse(&text).into_iter().flatten() {
                prop_assert!(!process.name.is_empty() && !process.command.is_empty());
            }
        }
    }
}
