//! `[service.NAME]` of `wharf.toml`: what runs, and how.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wharf_model::request::PortArgument;
use wharf_model::service::{Expose, Ready, Restart, Run, Service};
use wharf_supervisor::log::Matcher;

use super::Guard;
use super::value::{Count, Origin, Signal, UrlPath};
use crate::report::{Code, Report};

/// How long a server on demand may be without a connection when nothing else is said.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// What a project may say of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    run: Option<Words>,
    dir: Option<Spanned<String>>,
    port: Option<PortValue>,
    instances: Option<Count>,
    depends_on: Option<Vec<String>>,
    ready: Option<ReadyValue>,
    env: Option<BTreeMap<String, Scalar>>,
    watch: Option<Vec<String>>,
    restart: Option<Restart>,
    on_demand: Option<OnDemand>,
    socket: Option<bool>,
    stop_signal: Option<Signal>,
    stop_grace: Option<Time>,
    expose: Option<ExposeWord>,
    memory_max: Option<Size>,
    /// Origins of other sites whose pages may call it.
    pub(super) origins: Option<Vec<Origin>>,
    pub(super) guard: Option<Guard>,
    /// Paths of the project's own host that lead to it.
    #[serde(default)]
    pub(super) paths: Vec<UrlPath>,
    /// Whether every name below its own leads to it as well.
    #[serde(default)]
    pub(super) wildcard: bool,
    /// Whether it takes HTTP/2 in the clear.
    #[serde(default)]
    pub(super) h2c: bool,
    /// The same as `expose = "lan"`.
    #[serde(default)]
    lan: bool,
    /// Where it stands, for errors that only a look at the project finds.
    #[serde(skip)]
    at: Option<At>,
}

/// Where a table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct At {
    file: String,
    /// The lines of its first key and of its `dir`, from 1.
    line: usize,
    dir: usize,
}

/// Every table, by its name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables(Vec<(String, Spanned<Table>)>);

impl Tables {
    /// The table of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Table> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, table)| table.get_ref())
    }

    /// Notes where each of them stands in the text that they were read from.
    pub(super) fn locate(&mut self, file: &Path, text: &str) {
        for (_, table) in &mut self.0 {
            let line = line_at(text, table.span().start);
            let dir = table.get_ref().dir.as_ref().map(|dir| line_at(text, dir.span().start));
            let file = file.display().to_string();
            table.get_mut().at = Some(At { file, line, dir: dir.unwrap_or(line) });
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.0.iter().map(|(name, table)| (name.as_str(), table.get_ref()))
    }
}

impl<'de> Deserialize<'de> for Tables {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tables, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Tables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tables such as [service.web]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tables, A::Error> {
                let mut tables = Tables::default();
                while let Some(entry) = map.next_entry()? {
                    tables.0.push(entry);
                }
                Ok(tables)
            }
        }
        from.deserialize_map(Seen)
    }
}

impl Table {
    /// Whether other machines of the local network reach it by name.
    pub(super) fn is_on_the_lan(&self) -> bool {
        self.lan || self.expose == Some(ExposeWord::Lan)
    }

    /// Whether it says what to run: a command, or a folder in which `wharf run` finds one.
    pub(crate) fn runs(&self) -> bool {
        self.run.is_some() || self.dir.is_some()
    }

    /// The line of its first key, from 1.
    pub(crate) fn line(&self) -> Option<usize> {
        self.at.as_ref().map(|at| at.line)
    }

    /// Lays what is said here over what is known of the service already.
    ///
    /// # Errors
    /// A value is none.
    pub(crate) fn lay_over(&self, mut service: Service, root: &Path) -> Result<Service, Report> {
        if let Some(run) = &self.run {
            service.run = Some(run.0.clone());
            service.verbatim.run = false;
        }
        if let Some(dir) = &self.dir {
            service.dir = root.join(dir.get_ref());
        }
        service.port = self.port.map(|port| port.0).or(service.port);
        service.instances = self.instances.map_or(service.instances, |count| count.0);
        if let Some(depends_on) = &self.depends_on {
            service.depends_on.clone_from(depends_on);
        }
        if let Some(ready) = &self.ready {
            service.ready.clone_from(&ready.0);
        }
        for (name, value) in self.env.iter().flatten() {
            service.env.insert(name.clone(), value.0.clone());
            service.verbatim.env.remove(name);
        }
        if let Some(watch) = &self.watch {
            service.watch.clone_from(watch);
        }
        service.restart = self.restart.unwrap_or(service.restart);
        service.on_demand = self.on_demand.map_or(service.on_demand, |wish| wish.0);
        service.socket = self.socket.unwrap_or(service.socket);
        if let Some(signal) = &self.stop_signal {
            service.stop_signal.clone_from(&signal.0);
        }
        service.stop_grace = self.stop_grace.map_or(service.stop_grace, |time| time.0);
        service.expose = match (self.expose, self.is_on_the_lan()) {
            (_, true) => Expose::Lan,
            (Some(ExposeWord::Loopback), _) => Expose::Loopback,
            _ => service.expose,
        };
        service.memory_max = self.memory_max.map(|size| size.0).or(service.memory_max);
        self.check(&service)?;
        Ok(service)
    }

    /// What only the whole of it and the project's folders show.
    fn check(&self, service: &Service) -> Result<(), Report> {
        let bad = |line: fn(&At) -> usize, what: String| {
            let what = format!("[service.{}]: {what}", service.name);
            Err(match &self.at {
                Some(at) => {
                    let where_it_is = format!("{} line {} is wrong", at.file, line(at));
                    Report::new(Code::Usage, where_it_is).why(what)
                }
                None => Report::new(Code::Usage, what),
            })
        };
        if !service.dir.is_dir() {
            return bad(|at| at.dir, format!("`dir` is no folder: {}", service.dir.display()));
        }
        let goes_on = service.on_demand.is_some() || service.restart == Restart::Always;
        if service.is_step() && (goes_on || service.socket) {
            let what = "a step (`ready = \"exit\"`) neither starts again nor takes requests";
            return bad(|at| at.line, what.to_owned());
        }
        Ok(())
    }
}

/// The line of a place in a text, from 1.
pub(super) fn line_at(text: &str, place: usize) -> usize {
    1 + text[..place].matches('\n').count()
}

/// A text for a shell, or words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Words(Run);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Words, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a text such as \"npm run dev\", or a list of words"
        )]
        enum Raw {
            Text(String),
            Words(Vec<String>),
        }
        match Raw::deserialize(from)? {
            Raw::Text(text) if text.trim().is_empty() => Err(de::Error::custom("`run` is empty")),
            Raw::Text(text) => Ok(Words(of_text(text))),
            Raw::Words(words) if words.is_empty() => Err(de::Error::custom("`run` is empty")),
            Raw::Words(words) => {
                Ok(Words(Run::Words(words.into_iter().map(OsString::from).collect())))
            }
        }
    }
}

/// What a shell does itself: no program of that name is to be found.
const BUILT_IN: [&str; 9] =
    ["exec", "command", ".", "source", "cd", "ulimit", "umask", "eval", "export"];

/// Words where a shell would only split them, so that what runs is the program itself.
fn of_text(text: String) -> Run {
    let is_plain = !text.contains(|c: char| "|&;<>()$`\\\"'*?[]#~=%!{}\n".contains(c));
    let first = text.split_whitespace().next().unwrap_or_default();
    match is_plain && !BUILT_IN.contains(&first) {
        true => Run::Words(text.split_whitespace().map(OsString::from).collect()),
        false => Run::Shell(text),
    }
}

/// A number, or a text as behind `--port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PortValue(PortArgument);

impl<'de> Deserialize<'de> for PortValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PortValue, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = PortValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port such as 8000, \"8000+\" or \"auto\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PortValue, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PortValue, E> {
                text.parse().map(PortValue).map_err(|error| E::custom(format!("`{text}`: {error}")))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// `"listen"`, `"http"`, `"exit"`, or a table with one key; `"http:/health"` for short.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReadyValue(Ready);

/// What a value of `ready` may be.
const READY: &str = "\"listen\", \"http\", \"notify\", \"exit\", { http = \"/health\" }, { log = \"PATTERN\" } or \
                     { command = \"TEXT\" }";

impl<'de> Deserialize<'de> for ReadyValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ReadyValue, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = ReadyValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(READY)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ReadyValue, E> {
                let (kind, value) = match text.split_once(':') {
                    Some((kind, value)) => (kind.trim(), Some(value.trim().to_owned())),
                    None => (text, None),
                };
                ready(kind, value)
                    .map_err(E::custom)?
                    .ok_or_else(|| E::custom(format!("`{text}` is none of {READY}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadyValue, A::Error> {
                let none = || de::Error::custom(format!("expected {READY}"));
                let (kind, value) = map.next_entry::<String, String>()?.ok_or_else(none)?;
                if map.next_key::<String>()?.is_some() {
                    return Err(none());
                }
                ready(&kind, Some(value)).map_err(de::Error::custom)?.ok_or_else(none)
            }
        }
        from.deserialize_any(Seen)
    }
}

/// `None` for what is no form of it.
///
/// # Errors
/// A pattern that is none: found here, and not once everything else runs.
fn ready(kind: &str, value: Option<String>) -> Result<Option<ReadyValue>, String> {
    if let ("log", Some(pattern)) = (kind, &value) {
        Matcher::new(pattern)
            .map_err(|error| format!("`{pattern}` in `ready` is no pattern: {}", error.source))?;
    }
    Ok(Some(ReadyValue(match (kind, value) {
        ("listen", None) => Ready::Listen,
        ("http", None) => Ready::Http(None),
        ("http", Some(path)) if path.starts_with('/') => Ready::Http(Some(path)),
        ("log", Some(pattern)) if !pattern.is_empty() => Ready::Log(pattern),
        ("command", Some(text)) if !text.is_empty() => Ready::Command(text),
        ("notify", None) => Ready::Notify,
        ("exit", None) => Ready::Exit,
        _ => return Ok(None),
    })))
}

/// A text, a number, or a truth value: whatever a variable may be written as.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Scalar, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a text, a number, or true or false")]
        enum Raw {
            Text(String),
            Number(i64),
            Truth(bool),
        }
        Ok(Scalar(match Raw::deserialize(from)? {
            Raw::Text(text) => text,
            Raw::Number(number) => number.to_string(),
            Raw::Truth(truth) => truth.to_string(),
        }))
    }
}

/// `true`, `false`, or how long it may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OnDemand(Option<Duration>);

impl<'de> Deserialize<'de> for OnDemand {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OnDemand, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false, or a time such as \"15m\"")]
        enum Raw {
            Truth(bool),
            Idle(Time),
        }
        Ok(OnDemand(match Raw::deserialize(from)? {
            Raw::Truth(wanted) => wanted.then_some(IDLE),
            Raw::Idle(time) => Some(time.0),
        }))
    }
}

/// Seconds, or a text such as `"90s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected seconds, or a time such as \"90s\" or \"15m\"")]
        enum Raw {
            Seconds(u64),
            Text(String),
        }
        match Raw::deserialize(from)? {
            Raw::Seconds(seconds) if seconds <= crate::time::LONGEST.as_secs() => {
                Ok(Time(Duration::from_secs(seconds)))
            }
            Raw::Seconds(_) => Err(de::Error::custom("a week is the longest time")),
            Raw::Text(text) => crate::time::duration(&text).map(Time).map_err(de::Error::custom),
        }
    }
}

/// Who may reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum ExposeWord {
    Loopback,
    Lan,
}

/// Bytes, or a text such as `"512M"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected bytes, or a size such as \"512M\" or \"2G\"")]
        enum Raw {
            Bytes(u64),
            Text(String),
        }
        match Raw::deserialize(from)? {
            Raw::Bytes(bytes) => Ok(Size(bytes)),
            Raw::Text(text) => size(&text)
                .map(Size)
                .ok_or_else(|| de::Error::custom(format!("`{text}` is no size such as \"512M\""))),
        }
    }
}

/// A number with `K`, `M` or `G`, in powers of 1024.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b']).trim_end_matches('i');
    let (number, shift) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn services_stay_in_the_order_of_the_file() {
        let text = "[web]\nrun = \"a\"\n[api]\nrun = \"b\"\n[db]\nrun = \"c\"";
        let tables: Tables = toml::from_str(text).unwrap();
        let names: Vec<&str> = tables.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["web", "api", "db"]);
    }

    fn service(text: &str) -> Result<Service, Report> {
        let known = Service::new("web", "/".into(), "wharf.toml");
        table(text).unwrap().lay_over(known, Path::new("/"))
    }

    #[test]
    fn every_key_is_read() {
        let text = "run = \"npm run dev\"\ndir = \"tmp\"\nport = 8000\ninstances = 3\n\
            depends_on = [\"db\"]\nready = { http = \"/health\" }\nwatch = [\"*.py\"]\n\
            restart = \"on-failure\"\non_demand = \"10m\"\nstop_signal = \"INT\"\nstop_grace = 2\n\
            socket = true\nexpose = \"lan\"\nmemory_max = \"512M\"\n[env]\nA = \"{api.url}\"\nB = 1\nC = true\n";
        let web = service(text).unwrap();
        let words = ["npm", "run", "dev"].map(OsString::from).to_vec();
        assert_eq!(web.run, Some(Run::Words(words)));
        assert_eq!((web.dir.to_str(), web.instances), (Some("/tmp"), 3));
        assert_eq!(web.port.unwrap().to_string(), "8000");
        assert_eq!(web.ready, Ready::Http(Some("/health".into())));
        assert_eq!(web.env["B"], "1");
        assert_eq!((web.restart, web.expose), (Restart::OnFailure, Expose::Lan));
        assert_eq!(web.on_demand, Some(Duration::from_secs(600)));
        assert_eq!((web.stop_grace.as_secs(), web.memory_max), (2, Some(512 << 20)));
        assert!(web.socket);
        assert_eq!((web.stop_signal.as_str(), web.depends_on), ("INT", vec!["db".to_owned()]));
    }

    #[test]
    fn ready_has_short_and_long_forms() {
        for (text, ready) in [
            ("\"listen\"", Ready::Listen),
            ("\"http\"", Ready::Http(None)),
            ("\"http:/up\"", Ready::Http(Some("/up".into()))),
            ("\"notify\"", Ready::Notify),
            ("\"exit\"", Ready::Exit),
            ("{ log = \"ready to accept\" }", Ready::Log("ready to accept".into())),
            ("\"log: started\"", Ready::Log("started".into())),
            ("{ command = \"pg_isready\" }", Ready::Command("pg_isready".into())),
        ] {
            assert_eq!(service(&format!("ready = {text}")).unwrap().ready, ready, "{text}");
        }
        for bad in ["\"soon\"", "3", "{ log = \"a\", http = \"/\" }", "{}", "\"http:up\""] {
            assert!(table(&format!("ready = {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_that_needs_no_shell_is_words() {
        for (text, is_words) in [
            ("npm run dev", true),
            ("PORT={port} npm start", false),
            ("a && b", false),
            ("vite --port {port}", false),
        ] {
            assert_eq!(matches!(of_text(text.into()), Run::Words(_)), is_words, "{text}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        for bad in [
            "run = \"\"",
            "run = []",
            "port = 0",
            "port = 70000",
            "port = \"x\"",
            "stop_grace = \"x\"",
            "expose = \"all\"",
            "restart = \"often\"",
            "memory_max = \"much\"",
            "runs = \"x\"",
            "[env]\nA = [1]",
            "instances = 0",
            "instances = 1000",
            "stop_signal = \"NOPE\"",
            "ready = { log = \"(\" }",
            "paths = [\"api\"]",
            "origins = [\"a.example\"]",
            "origins = [\"https://a/x\"]",
        ] {
            assert!(table(bad).is_err(), "{bad}");
        }
        for bad in ["dir = \"no/such\"", "ready = \"exit\"\nrestart = \"always\""] {
            assert_eq!(service(bad).unwrap_err().code, Code::Usage, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("512", Some(512)), ("1K", Some(1024)), ("2GiB", Some(2 << 30)), ("", None)]
        {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
