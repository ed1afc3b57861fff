//! From a name on the command line to instances.

use wharf_model::{Instance, name};

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

/// The one instance that a name or a port means.
///
/// # Errors
/// None has the name, or several do.
pub(crate) fn one<'a>(instances: &'a [Instance], wanted: &str) -> Result<&'a Instance, Report> {
    let wanted = wanted.strip_suffix(".localhost").unwrap_or(wanted);
    if let Some(instance) = wanted
        .parse()
        .ok()
        .and_then(|port: u16| instances.iter().find(|instance| instance.port == port))
    {
        return Ok(instance);
    }
    for kind in 0..3 {
        let found: Vec<&Instance> =
            instances.iter().filter(|instance| names(instance)[kind] == wanted).collect();
        match found[..] {
            [] => {}
            [instance] => return Ok(instance),
            _ => return Err(ambiguous(wanted, &found)),
        }
    }
    let known: Vec<String> = instances.iter().map(short_name).collect();
    let report =
        Report::new(Code::NotFound, format!("nothing that wharf runs is named `{wanted}`"));
    Err(match known.is_empty() {
        true => report.why("wharf runs nothing now"),
        false => report.help(format!("what runs: {}", known.join(", "))),
    })
}

fn ambiguous(wanted: &str, found: &[&Instance]) -> Report {
    let names: Vec<String> = found
        .iter()
        .map(|instance| format!("{} ({}, {})", instance.port, short_name(instance), instance.root))
        .collect();
    Report::new(Code::Usage, format!("`{wanted}` is the name of {} instances", found.len()))
        .help(format!("say which by its port: {}", names.join(", ")))
}
