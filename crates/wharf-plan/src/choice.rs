//! Which port is asked for, how firmly, and on what evidence.

use std::path::{Path, PathBuf};

use wharf_model::request::PortArgument;
use wharf_model::{Port, PortRequest, Step};

use crate::catalog::{Framework, Lang, Reads};
use crate::code::Code;
use crate::error::PlanError;
use crate::folder;
use crate::settings::Configured;
use crate::typed::{Said, TypedPort};

/// The port that a program takes when nobody says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Convention {
    /// The port.
    pub(crate) port: Port,
    /// Whether the project says that it may be no other.
    pub(crate) strict: bool,
    /// Why.
    pub(crate) step: Step,
}

/// The conventional port, by the project's own configuration, its code, or the catalog.
pub(crate) fn convention(
    framework: Option<&Framework>,
    lang: Lang,
    configured: Option<&Configured>,
    code: &Code,
    dir: &Path,
) -> Convention {
    let at = |file: &PathBuf, line: usize| format!("{}:{line}", folder::shown(file, dir));
    let by_catalog = framework.and_then(|f| Port::new(f.conventional()));
    let usual = by_catalog.unwrap_or_else(|| usual_port(lang));
    if let Some(found) = configured {
        let port = found.port.and_then(Port::new).unwrap_or(usual);
        let strict = if found.strict { ", and `strictPort` lets it take no other" } else { "" };
        let step = Step::new(at(&found.file, found.line), format!("port {port}{strict}"));
        return Convention { port, strict: found.strict, step };
    }
    if let Some((port, file, line)) = &code.names
        && let Some(port) = Port::new(*port)
    {
        let step = Step::new(at(file, *line), format!("the code names port {port}"));
        return Convention { port, strict: false, step };
    }
    let step = match framework {
        Some(framework) => Step::new("catalog", format!("{} takes {usual}", framework.name)),
        None => Step::new("catalog", format!("unknown program: {usual} is asked for first")),
    };
    Convention { port: usual, strict: false, step }
}

/// What is asked for first for a program that the catalog does not know.
fn usual_port(lang: Lang) -> Port {
    let number = match lang {
        Lang::Js | Lang::Ruby | Lang::Rust => 3000,
        Lang::Go | Lang::Java | Lang::Kotlin => 8080,
        Lang::Scala => 9000,
        Lang::Elixir => 4000,
        Lang::Dotnet => 5000,
        Lang::Python | Lang::Php | Lang::Any => 8000,
    };
    // None of them is 0.
    Port::new(number).unwrap_or_else(|| unreachable!("{number}"))
}

/// The request that follows from `--port`, or from the convention.
pub(crate) fn request(argument: Option<PortArgument>, convention: &Convention) -> PortRequest {
    match argument {
        Some(PortArgument::Exactly(port)) => PortRequest::Exactly(port),
        Some(PortArgument::AtLeast(port)) => PortRequest::AtLeast(port),
        Some(PortArgument::Auto) => PortRequest::Conventional(convention.port),
        None if convention.strict => PortRequest::Exactly(convention.port),
        None => PortRequest::Conventional(convention.port),
    }
}

/// The request for a port that stands where wharf cannot replace it.
pub(crate) fn fixed(
    argument: Option<PortArgument>,
    port: Port,
    typed: &TypedPort,
) -> Result<PortRequest, PlanError> {
    let conflict = |asked| PlanError::PortConflict { asked, typed: port, place: place(typed) };
    match argument {
        None => Ok(PortRequest::Exactly(port)),
        Some(PortArgument::Auto) => Ok(PortRequest::Conventional(port)),
        Some(PortArgument::Exactly(asked)) if asked == port => Ok(PortRequest::Exactly(port)),
        Some(PortArgument::AtLeast(asked)) if asked == port => Ok(PortRequest::AtLeast(port)),
        Some(PortArgument::Exactly(asked) | PortArgument::AtLeast(asked)) => Err(conflict(asked)),
    }
}

/// Where a port stands, for people.
pub(crate) fn place(typed: &TypedPort) -> String {
    let whose = if typed.was_typed() { "the command" } else { "the script" };
    format!("{whose} (`{}`)", typed.shown)
}

/// A port that the user set in the environment of `wharf run`, and the variable.
pub(crate) fn inherited(
    framework: Option<&Framework>,
    env: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> (Option<(Port, &'static str)>, Option<Step>) {
    // A shell or a script that wharf itself has set up: its PORT is a lease, not a wish.
    let foreign = env("WHARF_ROOT").is_some();
    let own: Vec<&'static str> = match framework {
        Some(framework) => framework.port_variables().collect(),
        None => vec!["PORT"],
    };
    for name in own {
        let value = env(name).and_then(|value| value.into_string().ok());
        let Some(port) = value.as_deref().and_then(|value| value.parse::<Port>().ok()) else {
            continue;
        };
        if foreign {
            let found = format!("{port} comes from another run of wharf: not counted");
            return (None, Some(Step::new(format!("environment {name}"), found)));
        }
        let step = Step::new(format!("environment {name}"), format!("port {port} is asked for"));
        return (Some((port, name)), Some(step));
    }
    let ignores = framework.filter(|f| f.reads_port_env == Reads::Never);
    let ignored = ignores.filter(|_| env("PORT").is_some() && !foreign).map(|f| {
        Step::new("environment PORT", format!("{} does not read it: not counted", f.name))
    });
    (None, ignored)
}

/// The port that a `$PORT` with a default stands for, or the convention.
pub(crate) fn default_of(typed: &TypedPort, convention: Convention) -> Convention {
    match typed.said {
        Said::Variable(Some(port)) => Convention {
            port,
            strict: false,
            step: Step::new(place(typed), format!("port {port} unless PORT says otherwise")),
        },
        _ => convention,
    }
}
