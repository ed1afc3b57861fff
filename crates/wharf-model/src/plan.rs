//! The launch plan: everything about a launch but the port, which the lease decides.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use crate::key::ServiceKey;
use crate::path_text::PathText;
use crate::port::Port;
use crate::request::PortRequest;

/// How to launch one service and how to know that it serves.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// The root of the project's main checkout.
    pub project: PathText,
    /// The linked worktree's name; empty for the main checkout.
    pub worktree: String,
    /// The root of this checkout.
    pub root: PathBuf,
    /// The folder to run in.
    pub dir: PathBuf,
    /// The service's name.
    pub service: String,
    /// Whether the service answers for the project's own name.
    pub primary: bool,
    /// The framework, where it was recognised.
    pub framework: Option<FrameworkFacts>,
    /// The port that is wanted.
    pub request: PortRequest,
    /// How many further ports the templates name (`{port2}` makes 1).
    pub extra_ports: usize,
    /// The command.
    pub argv: Vec<Arg>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Files to write into the instance's own folder before the launch.
    pub files: Vec<DerivedFile>,
    /// How the port reaches the program.
    pub hint: Hint,
    /// How to know that it serves.
    pub probe: Probe,
    /// Whether a `{host}` reaches the program, so that it binds loopback.
    pub hands_host: bool,
    /// The programs that the scripts and shell texts of the command name, as far as they can be read.
    pub programs: Vec<String>,
    /// How the plan came to be, in order, for `explain`.
    pub trace: Vec<Step>,
}

/// What the rest of wharf needs to know of a catalog entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameworkFacts {
    /// The catalog's id, such as `django-runserver`.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The conventional port.
    pub conventional: Port,
    /// Where it binds when nobody says otherwise, in the catalog's words.
    pub bind: &'static str,
    /// How a user makes it bind loopback, where wharf cannot: one clause.
    pub loopback_advice: Option<&'static str>,
    /// How it takes a listening socket as its descriptor 3, where it can.
    pub socket: Option<TakesSocket>,
}

/// How a framework takes a listening socket as its descriptor 3, beyond systemd's own variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakesSocket {
    /// Variables that tell it.
    pub env: &'static [(&'static str, &'static str)],
    /// What tells it in the place of `{host}:{port}` in its arguments.
    pub address: Option<&'static str>,
    /// Words of the command with which it takes none.
    pub unless: &'static [&'static str],
    /// Variables with which it takes none, where they are set and not to `0`.
    pub unless_env: &'static [&'static str],
}

impl FrameworkFacts {
    /// The address that the framework binds when nobody says otherwise, where the catalog's words name
    /// one that can be handed to it.
    pub fn own_host(&self) -> Option<IpAddr> {
        let words = self.bind;
        if words.starts_with("all interfaces") || words.starts_with("0.0.0.0") {
            Some(Ipv4Addr::UNSPECIFIED.into())
        } else if words.starts_with("::") {
            Some(Ipv6Addr::UNSPECIFIED.into())
        } else {
            None
        }
    }
}

/// One word of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// As the user typed it: never searched for placeholders.
    Given(OsString),
    /// Written by wharf, with placeholders; see [`Values`].
    Template(String),
}

/// A file that the program reads instead of the project's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedFile {
    /// Its name in the instance's folder.
    pub name: String,
    /// Its contents, in which [`FILE_PORT`] and [`FILE_HOST`] stand for the values.
    pub contents: String,
}

/// Stands for the leased port in a [`DerivedFile`]; braces would clash with nginx's syntax.
pub const FILE_PORT: &str = "@@WHARF_PORT@@";
/// Stands for the leased port with a number, from 1, in a [`DerivedFile`].
pub fn file_port(number: usize) -> String {
    if number == 1 { FILE_PORT.to_owned() } else { format!("@@WHARF_PORT{number}@@") }
}

/// Stands for the bind host in a [`DerivedFile`].
pub const FILE_HOST: &str = "@@WHARF_HOST@@";

/// How the port reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A variable that the framework reads.
    Env,
    /// A flag.
    Flag,
    /// A positional argument.
    Positional,
    /// A derived configuration file or a preloaded module.
    Config,
    /// The user typed the port; wharf leases that one and adds no other.
    Typed,
    /// Only `PORT` and `HOST` by convention: the program may or may not read them.
    Convention,
    /// Nothing is known to work.
    None,
}

/// The readiness probe, after the listener was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP answer, whatever its status.
    Http,
    /// The listener alone.
    Listen,
    /// An HTTP answer if it comes soon, else the listener: the program is not known.
    Unknown,
}

/// One step of how a plan came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at, such as `package.json`.
    pub looked_at: String,
    /// What followed from it.
    pub found: String,
}

impl Step {
    /// A step.
    pub fn new(looked_at: impl Into<String>, found: impl Into<String>) -> Step {
        Step { looked_at: looked_at.into(), found: found.into() }
    }
}

/// What the placeholders stand for: `{host}`, `{port}`, `{port2}`…, `{files}`, and `{files:sh}` for a
/// program that hands its arguments to a shell once more.
#[derive(Clone, Debug)]
pub struct Values {
    /// The address to bind.
    pub host: String,
    /// The leased ports, the service's own first; never empty.
    pub ports: Vec<Port>,
    /// The folder in which the derived files lie.
    pub files: PathBuf,
}

impl Values {
    /// A template with every placeholder replaced; unknown braces stay as they are.
    pub fn fill(&self, template: &str) -> OsString {
        let mut text = template.replace("{host}", &self.host);
        for (index, port) in self.ports.iter().enumerate() {
            if index == 0 {
                text = text.replace("{port}", &port.to_string());
            }
            text = text.replace(&format!("{{port{}}}", index + 1), &port.to_string());
        }
        // The folder may not be UTF-8, so it is spliced in as bytes and last: nothing in it is a
        // placeholder.
        let mut parts = text.split("{files");
        let mut filled = OsString::from(parts.next().unwrap_or_default());
        for part in parts {
            if let Some(rest) = part.strip_prefix('}') {
                filled.push(&self.files);
                filled.push(rest);
            } else if let Some(rest) = part.strip_prefix(":sh}") {
                filled.push(quoted(&self.files));
                filled.push(rest);
            } else {
                filled.push("{files");
                filled.push(part);
            }
        }
        filled
    }

    /// The contents of a derived file.
    pub fn fill_file(&self, file: &DerivedFile) -> String {
        let mut text = file.contents.replace(FILE_HOST, &self.host);
        for (index, port) in self.ports.iter().enumerate() {
            text = text.replace(&file_port(index + 1), &port.to_string());
        }
        text
    }
}

/// A path in a shell's quotes, where it needs them. One that has a quote itself and is not UTF-8
/// stays as it is.
fn quoted(path: &Path) -> OsString {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(byte);
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.iter().all(plain) {
        return path.into();
    }
    let mut quoted = OsString::from("'");
    match path.to_str() {
        Some(text) => quoted.push(text.replace('\'', r"'\''")),
        None if bytes.contains(&b'\'') => return path.into(),
        None => quoted.push(path),
    }
    quoted.push("'");
    quoted
}

impl LaunchPlan {
    /// The key under which the service's port is remembered.
    pub fn key(&self, instance: u32) -> ServiceKey {
        ServiceKey {
            project: self.project.clone(),
            worktree: self.worktree.clone(),
            service: self.service.clone(),
            instance,
        }
    }

    /// The command with the values filled in.
    pub fn argv(&self, values: &Values) -> Vec<OsString> {
        let word = |arg: &Arg| match arg {
            Arg::Given(text) => text.clone(),
            Arg::Template(template) => values.fill(template),
        };
        self.argv.iter().map(word).collect()
    }

    /// How this very command takes a listening socket as its descriptor 3, where that is known.
    pub fn takes_socket(&self) -> Option<TakesSocket> {
        let takes = self.framework.as_ref()?.socket?;
        let says = |arg: &Arg, words: &[&str]| match arg {
            Arg::Given(text) => words.iter().any(|word| is_option(&text.to_string_lossy(), word)),
            Arg::Template(_) => false,
        };
        let bars = |arg: &Arg| says(arg, takes.unless);
        let has_a_place = takes.address.is_none() || self.argv.iter().any(is_address);
        (has_a_place && !self.argv.iter().any(bars)).then_some(takes)
    }

    /// The command for an instance that gets its socket so.
    pub fn argv_with_socket(&self, values: &Values) -> Vec<OsString> {
        let address = self.takes_socket().and_then(|takes| takes.address);
        let words = self.argv.iter().zip(self.argv(values));
        words
            .map(|(arg, word)| match address.filter(|_| is_address(arg)) {
                Some(address) => address.into(),
                None => word,
            })
            .collect()
    }

    /// The variables with the values filled in.
    pub fn env(&self, values: &Values) -> Vec<(OsString, OsString)> {
        self.env.iter().map(|(name, value)| (name.into(), values.fill(value))).collect()
    }
}

/// Whether a word is this option, with its value in the same word or in the next.
fn is_option(word: &str, option: &str) -> bool {
    match word.strip_prefix(option) {
        Some(rest) if option.starts_with("--") => rest.is_empty() || rest.starts_with('='),
        Some(_) => true,
        None => false,
    }
}

/// Whether the word is where a server binds, and nothing else.
fn is_address(arg: &Arg) -> bool {
    matches!(arg, Arg::Template(text) if text == "{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_left() {
        let values = Values {
            host: "127.0.0.1".into(),
            ports: vec![Port::new(8001).unwrap(), Port::new(8002).unwrap()],
            files: "/run/x{port}".into(),
        };
        assert_eq!(
            values.fill("{host}:{port}/{port1}/{port2}/{port3}"),
            "127.0.0.1:8001/8001/8002/{port3}"
        );
        assert_eq!(values.fill("-c{files}/a.conf"), "-c/run/x{port}/a.conf");
        assert_eq!(
            values.fill("{files:sh}/a {files:x} {file}"),
            "'/run/x{port}'/a {files:x} {file}"
        );
    }

    #[test]
    fn a_folder_is_quoted_only_where_a_shell_would_split_it() {
        for (path, expected) in [
            ("/run/wharf-1", "/run/wharf-1"),
            ("/run/my files", "'/run/my files'"),
            ("/run/it's $HOME", r"'/run/it'\''s $HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }

    #[test]
    fn a_derived_file_names_each_leased_port() {
        let values = Values {
            host: "127.0.0.1".into(),
            ports: vec![Port::new(8001).unwrap(), Port::new(8002).unwrap()],
            files: "/run".into(),
        };
        let contents = format!("{FILE_HOST} {FILE_PORT} {} {}", file_port(2), file_port(3));
        let file = DerivedFile { name: "x".into(), contents };
        assert_eq!(values.fill_file(&file), "127.0.0.1 8001 8002 @@WHARF_PORT3@@");
    }
}
