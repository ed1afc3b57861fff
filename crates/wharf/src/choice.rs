//! From a name on the command line to instances.

use std::collections::BTreeSet;

use wharf_model::{Instance, PathText, name};

use crate::checkout;
use crate::report::{Code, Report};

/// Every name by which an instance may be called, the exact one first: its host without `.localhost`,
/// its service, its project's label.
fn names(instance: &Instance) -> [String; 3] {
    let key = &instance.key;
    [short_name(instance), name::slug(&key.service), label(instance)]
}

/// The host of an instance without `.localhost`: short, and one instance's alone.
pub(crate) fn short_name(instance: &Instance) -> String {
    match name::short_host(&instance.url) {
        Some(short) => short.to_owned(),
        // An instance that is known by its address only is still called by its service.
        None => format!("{}.{}", name::slug(&instance.key.service), label(instance)),
    }
}

fn label(instance: &Instance) -> String {
    let told = name::label_in(&instance.url).map(str::to_owned);
    told.unwrap_or_else(|| name::project_label(&instance.key.project, 0))
}

/// An address and a port, as it stands in the URL that reaches an instance without the proxy.
pub(crate) fn place(instance: &Instance) -> &str {
    let url = &instance.direct_url;
    url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).trim_end_matches('/')
}

/// The one instance that a name, a port, or an address with a port means.
///
/// # Errors
/// None has the name, or several do.
pub(crate) fn one<'a>(instances: &'a [Instance], wanted: &str) -> Result<&'a Instance, Report> {
    let wanted = wanted.strip_suffix(".localhost").unwrap_or(wanted);
    let at = wanted.split_once("://").map_or(wanted, |(_, rest)| rest).trim_end_matches('/');
    let port = wanted.parse::<u16>().ok();
    let by_place = |instance: &&Instance| place(instance) == at;
    let by_port = |instance: &&Instance| Some(instance.port) == port;
    let mut matches: Vec<Vec<&Instance>> = vec![
        instances.iter().filter(by_place).collect(),
        // Several have one port where each has an address of its own.
        instances.iter().filter(by_port).collect(),
    ];
    matches.extend(
        (0..3).map(|kind| {
            instances.iter().filter(|instance| names(instance)[kind] == wanted).collect()
        }),
    );
    for found in matches {
        match found[..] {
            [] => {}
            [instance] => return Ok(instance),
            // In a worktree its own is meant.
            _ => match of_here(&found)[..] {
                [instance] => return Ok(instance),
                _ => return Err(ambiguous(wanted, &found)),
            },
        }
    }
    // `web.2`, as `wharf up` and `wharf logs` call it.
    let called: Vec<&Instance> = instances.iter().filter(|i| is_called(i, wanted)).collect();
    if let [instance] = of_here(&called)[..] {
        return Ok(instance);
    }
    let known: Vec<String> = instances.iter().map(short_name).collect();
    let report =
        Report::new(Code::NotFound, format!("nothing that wharf runs is named `{wanted}`"));
    let report = match checkout::starts(wanted) {
        Some(service) => report.help(format!("`wharf up {service}` starts it")),
        None => report,
    };
    Err(match known.is_empty() {
        true => report.why("wharf runs nothing now"),
        false => report.help(format!("what runs: {}", known.join(", "))),
    })
}

/// Every instance that a name means: all of a service of this checkout, else the one of [`one`].
///
/// # Errors
/// As [`one`].
pub(crate) fn all<'a>(
    instances: &'a [Instance],
    wanted: &str,
) -> Result<Vec<&'a Instance>, Report> {
    let of_service = instances.iter().filter(|i| i.key.service == wanted).collect::<Vec<_>>();
    match of_here(&of_service) {
        none if none.is_empty() => one(instances, wanted).map(|instance| vec![instance]),
        own => Ok(own),
    }
}

/// Those of the checkout of the current folder.
fn of_here<'a>(found: &[&'a Instance]) -> Vec<&'a Instance> {
    if found.is_empty() {
        return Vec::new();
    }
    let Ok(project) = checkout::project() else { return Vec::new() };
    let root = PathText::new(&project.root);
    found.iter().filter(|instance| instance.root == root).copied().collect()
}

fn is_called(instance: &Instance, name: &str) -> bool {
    let (service, number) = checkout::split(name);
    instance.key.service == service && Some(instance.key.instance) == number
}

fn ambiguous(wanted: &str, found: &[&Instance]) -> Report {
    let port = |instance: &Instance| instance.port.to_string();
    let address = |instance: &Instance| place(instance).to_owned();
    let is_one_each = |which: &dyn Fn(&Instance) -> String| {
        found.iter().map(|instance| which(instance)).collect::<BTreeSet<_>>().len() == found.len()
    };
    let (by, which): (&str, &dyn Fn(&Instance) -> String) = match () {
        () if is_one_each(&port) => ("port", &port),
        () if is_one_each(&address) => ("address", &address),
        () => ("name", &short_name),
    };
    let all: Vec<String> = found
        .iter()
        .map(|instance| {
            format!("{} ({}, {})", which(instance), short_name(instance), instance.root)
        })
        .collect();
    Report::new(Code::Usage, format!("`{wanted}` is the name of {} instances", found.len()))
        .help(format!("say which by its {by}: {}", all.join(", ")))
}
