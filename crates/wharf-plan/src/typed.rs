//! What the user typed of a port and a host, and where it can be replaced.

use std::ops::Range;

use wharf_model::Port;

use crate::catalog::{Framework, Positional};
use crate::command::{Assignment, Command, Place, Word};
use crate::detect::Match;

/// What stands where a port is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A port.
    Port(Port),
    /// 0: any free port.
    Zero,
    /// `$PORT`, perhaps with a default: the shell hands on what wharf sets.
    Variable(Option<Port>),
    /// A host without a port.
    Absent,
    /// Something else.
    Other,
}

/// How a port was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// After a flag.
    Flag,
    /// As a positional argument.
    Positional,
    /// As a variable.
    Variable,
    /// After a flag that may mean something else.
    Guess,
}

/// A port that stands in the command.
#[derive(Clone, Debug)]
pub(crate) struct TypedPort {
    /// What it is.
    pub(crate) said: Said,
    /// The word that holds it, as it is spelled.
    pub(crate) word: String,
    /// The place of that word.
    pub(crate) place: Place,
    /// Where in the word the port is to stand.
    pub(crate) span: Range<usize>,
    /// How it was written.
    pub(crate) form: Form,
    /// The words that show it to people.
    pub(crate) shown: String,
}

impl TypedPort {
    /// The word with another port in it. `None` if it cannot be replaced: it stands in a file of
    /// the project, the user's own braces would read as placeholders, or it may be no port at all.
    pub(crate) fn replaced(&self) -> Option<String> {
        let guess = self.form == Form::Guess;
        if guess || self.place == Place::Fixed || self.word.contains('{') {
            return None;
        }
        let (head, tail) = (self.word.get(..self.span.start)?, self.word.get(self.span.end..)?);
        let colon = if self.said == Said::Absent { ":" } else { "" };
        Some(format!("{head}{colon}{{port}}{tail}"))
    }

    /// Whether it stands in what was typed, rather than in a file of the project.
    pub(crate) fn was_typed(&self) -> bool {
        self.place != Place::Fixed
    }
}

/// What the command says of port and host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    /// The port, if the command names one.
    pub(crate) port: Option<TypedPort>,
    /// Whether it names a host.
    pub(crate) host: bool,
}

/// Reads what a command says of port and host to its framework.
pub(crate) fn read(command: &Command, found: &Match) -> Typed {
    let framework = found.framework;
    let mut typed = Typed::default();
    variables(command, framework, &mut typed);
    let words = &command.words[found.start.min(command.words.len())..];
    flags(words, framework, &mut typed);
    match framework.inject.positional {
        Some(Positional::Port | Positional::Address) => positional(command, found, &mut typed),
        Some(Positional::FlagAddress) | None => {}
    }
    typed
}

/// Variables that carry the framework's port or host.
fn variables(command: &Command, framework: &Framework, typed: &mut Typed) {
    for assignment in &command.assignments {
        let name = assignment.name.as_str();
        if framework.inject.env_host.iter().any(|(host, _)| *host == name) {
            typed.host = true;
        }
        if framework.port_variables().any(|variable| variable == name) {
            typed.port = Some(assigned(assignment));
        }
    }
}

/// A variable that carries a port.
pub(crate) fn assigned(assignment: &Assignment) -> TypedPort {
    let head = assignment.name.len() + 1;
    let word = format!("{}={}", assignment.name, assignment.value);
    let (said, span) = said_in(&assignment.value, assignment.expands);
    TypedPort {
        said,
        shown: word.clone(),
        word,
        place: assignment.place.clone(),
        span: span.start + head..span.end + head,
        form: Form::Variable,
    }
}

impl Framework {
    /// The variables whose value is the port, `PORT` among them if it is read.
    pub(crate) fn port_variables(&self) -> impl Iterator<Item = &'static str> {
        let own = self.inject.env.iter().filter(|(_, value)| value.contains("{port}"));
        let port = (self.reads_port_env != crate::catalog::Reads::Never).then_some("PORT");
        own.map(|(name, _)| *name).chain(port)
    }
}

/// Reads the flags behind a program.
pub(crate) fn flags(words: &[Word], framework: &Framework, typed: &mut Typed) {
    let t = &framework.typed;
    for (index, word) in words.iter().enumerate().skip(1) {
        let text = word.text.as_str();
        if text == "--" {
            return;
        }
        if let Some(value) = value_of(words, index, t.port) {
            let mut port = taken(value, Form::Flag, text);
            if port.said == Said::Absent {
                port.said = Said::Other;
            }
            typed.port = Some(port);
        } else if let Some(value) = value_of(words, index, t.address) {
            let port = taken(value, Form::Flag, text);
            typed.host |= names_host(&port);
            typed.port = Some(port);
        } else if names_host_by_flag(text, t.host) {
            typed.host = true;
        } else if let Some((key, at)) = inline(text, t.inline) {
            let rest = &text[at..];
            let (said, span) =
                said_in(rest.split([' ', ',', '\'', '"']).next().unwrap_or(""), word.expands);
            typed.port = Some(TypedPort {
                said,
                word: text.to_owned(),
                place: word.place.clone(),
                span: span.start + at..span.end + at,
                form: Form::Flag,
                shown: format!("{key}{rest}"),
            });
        }
    }
}

/// Whether an address names a host besides the port.
fn names_host(port: &TypedPort) -> bool {
    let host = port.word[..port.span.start.min(port.word.len())].trim_end_matches(':');
    let host = host.rsplit(['/', '=']).next().unwrap_or(host);
    !host.is_empty() && !host.starts_with('-')
}

/// A flag's value: the word that holds it, and where it begins in that word.
pub(crate) struct Value<'a> {
    word: &'a Word,
    at: usize,
}

pub(crate) fn taken(value: Value<'_>, form: Form, flag: &str) -> TypedPort {
    let text = &value.word.text;
    let (said, span) = said_in(&text[value.at..], value.word.expands);
    let shown = if value.at == 0 { format!("{flag} {text}") } else { text.clone() };
    TypedPort {
        said,
        word: text.clone(),
        place: value.word.place.clone(),
        span: span.start + value.at..span.end + value.at,
        form,
        shown,
    }
}

/// The value of one of some flags at an index: `--port 1`, `--port=1`, `-p1`.
pub(crate) fn value_of<'a>(words: &'a [Word], index: usize, flags: &[&str]) -> Option<Value<'a>> {
    let word = &words[index];
    for flag in flags {
        let Some(rest) = word.text.strip_prefix(flag) else {
            continue;
        };
        if rest.is_empty() {
            let next = words.get(index + 1)?;
            return Some(Value { word: next, at: 0 });
        }
        if rest.starts_with('=') {
            return Some(Value { word, at: flag.len() + 1 });
        }
        let short = flag.len() == 2 && !flag.starts_with("--");
        if short && rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "[$:".contains(c)) {
            return Some(Value { word, at: flag.len() });
        }
    }
    None
}

/// Whether a word is one of the flags for a host: `--host`, `--host=h`, `-Hh`, or for a key that ends
/// in `=`, a word that has it (`-Ehttp.host=h`).
fn names_host_by_flag(text: &str, flags: &[&str]) -> bool {
    flags.iter().any(|flag| match text.strip_prefix(flag) {
        Some(rest) => rest.is_empty() || rest.starts_with('=') || flag.len() == 2,
        None => false,
    } || flag.ends_with('=') && text.contains(flag))
}

fn inline<'a>(text: &str, keys: &[&'a str]) -> Option<(&'a str, usize)> {
    keys.iter().find_map(|key| text.find(key).map(|at| (*key, at + key.len())))
}

/// The first word after the command that is neither a flag nor a flag's value.
fn positional(command: &Command, found: &Match, typed: &mut Typed) {
    let t = &found.framework.typed;
    let mut at = found.end;
    while let Some(word) = command.words.get(at) {
        let text = word.text.as_str();
        if t.value_flags.contains(&text) || t.host.contains(&text) {
            at += 2;
        } else if text.len() > 1 && text.starts_with('-') {
            at += 1;
        } else {
            let port = taken(Value { word, at: 0 }, Form::Positional, "");
            typed.host |= names_host(&port);
            typed.port = Some(TypedPort { shown: text.to_owned(), ..port });
            return;
        }
    }
}

/// Reads `9000`, `0.0.0.0:9000`, `[::1]:9000`, `tcp://h:9000`, `:9000`, `$PORT` or `h:${PORT:-3000}`;
/// the span is where the port stands, or where it would.
fn said_in(text: &str, expands: bool) -> (Said, Range<usize>) {
    if let Some((span, default)) = variable(text).filter(|_| expands) {
        return (Said::Variable(default), span);
    }
    // The number of a descriptor is no port.
    if text.starts_with("fd://") {
        return (Said::Other, text.len()..text.len());
    }
    let scheme = text.find("://").map_or(0, |at| at + 3);
    let authority = &text[scheme..];
    let end = scheme + authority.find('/').unwrap_or(authority.len());
    let after_brackets = text[scheme..end].rfind(']').map_or(scheme, |at| scheme + at);
    let at = text[after_brackets..end].rfind(':').map(|at| after_brackets + at + 1);
    // A bare number is a port; a bare name is a host.
    let start = match at {
        Some(at) => at,
        None if text[scheme..end].bytes().all(|b| b.is_ascii_digit()) => scheme,
        // What another variable holds is not known, so nothing is added to it.
        None if expands && text.contains(['$', '`']) => return (Said::Other, end..end),
        None => {
            return (if end > scheme { Said::Absent } else { Said::Other }, end..end);
        }
    };
    let said = match text[start..end].parse::<Port>() {
        Ok(port) => Said::Port(port),
        Err(wharf_model::port::PortError::Zero) => Said::Zero,
        Err(_) => Said::Other,
    };
    (said, start..end)
}

/// Where `$PORT`, `${PORT}` or `${PORT:-3000}` stands, and its default.
fn variable(text: &str) -> Option<(Range<usize>, Option<Port>)> {
    let start = text.find('$')?;
    let rest = &text[start + 1..];
    let Some(braced) = rest.strip_prefix('{') else {
        let name = rest.strip_prefix("PORT")?;
        let goes_on = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        return (!goes_on).then_some((start..start + 5, None));
    };
    let len = braced.find('}')?;
    let default = braced[..len].strip_prefix("PORT")?;
    let default = match default {
        "" => None,
        _ => default.trim_start_matches([':', '-', '=']).parse().ok(),
    };
    Some((start..start + len + 3, default))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> (Said, &str) {
        let (said, span) = said_in(text, text.contains('$'));
        (said, &text[span])
    }

    #[test]
    fn every_form_of_an_address() {
        let port = |n| Said::Port(Port::new(n).unwrap());
        for text in [
            "9000",
            ":9000",
            "h:9000",
            "0.0.0.0:9000",
            "[::1]:9000",
            "tcp://0.0.0.0:9000",
            "http://x:9000/y",
        ] {
            assert_eq!(said(text), (port(9000), "9000"), "{text}");
        }
        assert_eq!(said("0"), (Said::Zero, "0"));
        assert_eq!(said("$PORT"), (Said::Variable(None), "$PORT"));
        assert_eq!(said("h:${PORT:-3001}"), (Said::Variable(Port::new(3001)), "${PORT:-3001}"));
        assert_eq!(said("localhost"), (Said::Absent, ""));
        assert_eq!(said("[::1]").0, Said::Absent);
        assert_eq!(said("99999").0, Said::Other);
        assert_eq!(said("$PORTS").0, Said::Other);
        assert_eq!(said("").0, Said::Other);
        assert_eq!(said("fd://3").0, Said::Other);
    }
}
