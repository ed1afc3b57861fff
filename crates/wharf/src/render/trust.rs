//! The answers of `wharf trust` and `wharf untrust`.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use wharf_model::PathText;
use wharf_model::event::SCHEMA;
use wharf_os::trust::{Command, Kind, Store};

use super::printable;
use crate::authority::{Authority, Valid};

/// What became of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The certificate was put in.
    Installed,
    /// It was there.
    Unchanged,
    /// It was taken out.
    Removed,
    /// It was not there.
    Absent,
    /// Only root may.
    NeedsRoot,
    /// It could not be done, for another reason.
    Impossible,
}

/// One store.
#[derive(Debug, Serialize)]
pub(crate) struct StoreLine {
    kind: &'static str,
    place: PathText,
    state: State,
    why: Option<String>,
    command: Option<String>,
    #[serde(skip)]
    store: Store,
}

impl StoreLine {
    pub(crate) fn new(store: &Store, state: State) -> StoreLine {
        let kind = match store.kind {
            Kind::System => "system",
            Kind::Nss => "nss",
        };
        let place = PathText::new(&store.place);
        StoreLine { kind, place, state, why: None, command: None, store: store.clone() }
    }

    /// With the reason, and its own reason.
    pub(crate) fn why(mut self, error: &dyn Error) -> StoreLine {
        let mut why = error.to_string();
        if let Some(source) = error.source() {
            why.push_str(&format!(": {source}"));
        }
        self.why = Some(why);
        self
    }

    /// With what is to be typed, where root has to do it.
    pub(crate) fn typed_by_root(mut self, commands: &[Command]) -> StoreLine {
        self.command = line(commands, "sudo ");
        self
    }

    /// With what is to be typed.
    pub(crate) fn typed_by_user(mut self, commands: &[Command]) -> StoreLine {
        self.command = line(commands, "");
        self
    }

    pub(crate) fn is(&self, state: State) -> bool {
        self.state == state
    }

    /// Whether it is not as it was wanted.
    pub(crate) fn is_left(&self) -> bool {
        matches!(self.state, State::NeedsRoot | State::Impossible)
    }

    pub(crate) fn is_of(&self, store: &Store) -> bool {
        self.store == *store
    }

    pub(crate) fn text(&self) -> String {
        let state = match self.state {
            State::Installed => "done",
            State::Unchanged => "was there already",
            State::Removed => "taken out",
            State::Absent => "not there",
            State::NeedsRoot | State::Impossible => "not done",
        };
        let why = self.why.as_ref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
        let place = self.store.place.to_string_lossy();
        let mut text = format!("{:<7} {}: {state}{why}\n", self.kind, printable(&place));
        if let Some(command) = &self.command {
            text.push_str(&format!("        type: {}\n", printable(command)));
        }
        text
    }
}

/// The words of commands as a shell takes them, all of them on one line; `None` for no commands.
fn line(commands: &[Command], before: &str) -> Option<String> {
    let commands = commands.iter().map(|words| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("{before}{}", words.join(" "))
    });
    Some(commands.collect::<Vec<_>>().join(" && ")).filter(|line| !line.is_empty())
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    shlex::try_quote(&word).map_or_else(|_| word.to_string(), |quoted| quoted.into_owned())
}

/// The CA.
#[derive(Debug, Serialize)]
struct CaLine {
    certificate: PathText,
    bundle: Option<PathText>,
    name: String,
    created: bool,
    expires_at: u64,
}

/// What `wharf trust` has come to.
#[derive(Debug, Serialize)]
pub(crate) struct Trusted {
    schema: u32,
    ca: CaLine,
    stores: Vec<StoreLine>,
    environment: BTreeMap<&'static str, PathText>,
    #[serde(skip)]
    variables: Vec<(&'static str, OsString)>,
    #[serde(skip)]
    days: u64,
}

impl Trusted {
    pub(crate) fn new(authority: &Authority, valid: Valid, stores: Vec<StoreLine>) -> Trusted {
        let since =
            |time: SystemTime, start| time.duration_since(start).unwrap_or_default().as_secs();
        let variables = authority.variables();
        let text = |value: &OsString| PathText::new(value.as_ref());
        let ca = CaLine {
            certificate: PathText::new(&authority.files.certificate),
            bundle: valid.has_bundle.then(|| PathText::new(&authority.files.bundle)),
            name: authority.anchor.name.clone(),
            created: valid.is_new,
            expires_at: since(valid.expires_at, UNIX_EPOCH),
        };
        let environment = variables.iter().map(|(name, value)| (*name, text(value))).collect();
        let days = since(valid.expires_at, SystemTime::now()) / (24 * 60 * 60);
        Trusted { schema: SCHEMA, ca, stores, environment, variables, days }
    }

    pub(crate) fn text(&self) -> String {
        let made = if self.ca.created { "made now" } else { "there already" };
        let place = printable(self.ca.certificate.as_str());
        let mut text = format!("ca      {place}: {made}, good for {} days\n", self.days);
        self.stores.iter().for_each(|store| text.push_str(&store.text()));
        if self.stores.is_empty() {
            text.push_str("        no store was found here\n");
        } else if !self.stores.iter().any(|line| line.kind == "nss") {
            text.push_str("        browsers that were never started have no store yet\n");
        }
        if self.stores.iter().any(StoreLine::is_left) {
            text.push_str("\nThen `wharf trust` again tells whether all is done.\n");
        }
        text.push_str(
            "\nFor Node, Python and curl in your shell; what wharf runs has it anyway:\n",
        );
        for (name, value) in &self.variables {
            text.push_str(&format!("export {name}={}\n", quoted(value)));
        }
        text
    }
}

/// What `wharf untrust` has come to.
#[derive(Debug, Serialize)]
pub(crate) struct Untrusted {
    schema: u32,
    stores: Vec<StoreLine>,
    deleted: bool,
}

impl Untrusted {
    pub(crate) fn new(stores: Vec<StoreLine>, deleted: bool) -> Untrusted {
        Untrusted { schema: SCHEMA, stores, deleted }
    }

    pub(crate) fn text(&self) -> String {
        let mut text: String = self.stores.iter().map(StoreLine::text).collect();
        let left = self.stores.iter().any(StoreLine::is_left);
        text.push_str(match (left, self.deleted) {
            (true, _) => {
                "ca      its key is deleted; `wharf untrust` again once the rest is done\n"
            }
            (false, true) => "ca      deleted\n",
            (false, false) => "there is no local CA, and no store has it\n",
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_as_it_is_printed() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Command>();
        let commands =
            [words(&["install", "--", "/home/an na/ca.pem", "/x.crt"]), words(&["update"])];
        let typed = line(&commands, "sudo ").unwrap();
        assert_eq!(typed, "sudo install -- '/home/an na/ca.pem' /x.crt && sudo update");
        assert_eq!(line(&[], "sudo "), None);
    }
}
