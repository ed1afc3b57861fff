//! The environment of the command.

use std::ffi::OsString;

use wharf_model::plan::Values;
use wharf_model::{Instance, LaunchPlan};

/// Names the execution in its own environment, by which its processes are told from others'.
pub(crate) const ID_VARIABLE: &str = "WHARF_ID";

/// The caller's environment, the plan's hints, and what an instance may know of itself.
pub(super) fn environment(
    plan: &LaunchPlan,
    values: &Values,
    instance: &Instance,
) -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| name.to_string_lossy().starts_with("WHARF_");
    // Under another wharf, PORT and HOST are that instance's, not this one's.
    let nested = std::env::var_os("WHARF_ROOT").is_some();
    let is_stale = |name: &OsString| nested && (name == "PORT" || name == "HOST");
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| !is_ours(name) && !is_stale(name))
        .filter(|(name, _)| !plan.env.iter().any(|(set, _)| name == set.as_str()))
        .collect();
    env.extend(plan.env(values));
    let own = [
        (ID_VARIABLE, instance.id.clone()),
        ("WHARF_PORT", instance.port.to_string()),
        ("WHARF_URL", instance.url.clone()),
        ("WHARF_DIRECT_URL", instance.direct_url.clone()),
        ("WHARF_SERVICE", instance.key.service.clone()),
        ("WHARF_PROJECT", instance.key.project_name()),
        ("WHARF_WORKTREE", instance.key.worktree.clone()),
        ("WHARF_INSTANCE", instance.key.instance.to_string()),
    ];
    env.extend(own.map(|(name, value)| (name.into(), value.into())));
    env.push(("WHARF_ROOT".into(), plan.root.clone().into_os_string()));
    env
}
