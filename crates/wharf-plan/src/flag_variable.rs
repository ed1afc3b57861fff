//! A variable that holds flags (`GUNICORN_CMD_ARGS`) and that the user has set: in the environment
//! of `wharf run`, or in the command. A port in it is the user's; a second one beside it would be a
//! second listener.

use std::ffi::OsString;

use crate::catalog::Framework;
use crate::command::{Command, Place, Word};
use crate::shell;
use crate::typed::{self, TypedPort};

/// A variable that holds flags.
#[derive(Debug)]
pub(crate) struct FlagVariable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its value.
    pub(crate) value: String,
    /// The flags that wharf would add to it.
    template: &'static str,
    /// The port in it.
    pub(crate) port: Option<TypedPort>,
    /// Where the command sets it; `None` if the environment does.
    pub(crate) place: Option<Place>,
}

impl FlagVariable {
    /// The variable that a framework takes its port from, where it is set.
    pub(crate) fn of(
        framework: &'static Framework,
        command: &Command,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Option<FlagVariable> {
        let carries = |(_, template): &&(_, &str)| template.contains("{port}");
        let &(name, template) = framework.inject.env_append.iter().find(carries)?;
        let assigned = command.assignments.iter().rfind(|assignment| assignment.name == name);
        let (value, place) = match assigned {
            Some(assigned) => (assigned.value.clone(), Some(assigned.place.clone())),
            None => (env(name)?.into_string().ok()?, None),
        };
        let port = port_in(&value, framework);
        Some(FlagVariable { name, value, template, port, place })
    }

    /// The value with wharf's port in place of its own, or with wharf's flags behind it. `None` if
    /// that cannot be written: the user's own braces would read as placeholders.
    pub(crate) fn leased(&self) -> Option<String> {
        if self.value.contains('{') {
            return None;
        }
        let Some(port) = &self.port else {
            return Some(format!("{} {}", self.value, self.template).trim_start().to_owned());
        };
        let Place::Shell { span, .. } = &port.place else { return None };
        let (head, tail) = (self.value.get(..span.start)?, self.value.get(span.end..)?);
        Some(format!("{head}{}{tail}", shell::quoted(&port.replaced()?)))
    }

    /// Where it is set, for people.
    pub(crate) fn shown(&self) -> String {
        let whose = match &self.place {
            None => "environment",
            Some(Place::Fixed) => "the script's",
            Some(_) => "the command's",
        };
        format!("{whose} {}", self.name)
    }
}

/// The port that flags name; its place is that of its word in the value.
fn port_in(value: &str, framework: &Framework) -> Option<TypedPort> {
    let program = Word { text: framework.id.to_owned(), place: Place::Fixed, expands: false };
    let mut words = vec![program];
    for simple in shell::parse(value).commands {
        // No shell reads it: what looks like an expansion is none.
        words.extend(simple.words.into_iter().map(|word| Word {
            text: word.text,
            place: Place::Shell { argv: 0, span: word.span },
            expands: false,
        }));
    }
    let mut found = typed::Typed::default();
    typed::flags(&words, framework, &mut found);
    found.port
}
