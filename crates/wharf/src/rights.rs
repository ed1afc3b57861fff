//! Programs that give their callers more rights, such as `sudo`. Where ports are remapped they give none,
//! and say so in words that do not lead here.

use std::ffi::OsStr;

use wharf_model::LaunchPlan;
use wharf_model::plan::Arg;

use crate::narrate;

/// Said before the command is launched, if it is one of them.
pub(crate) fn say_of_command(plan: &LaunchPlan) {
    let Some(Arg::Given(name)) = plan.argv.first() else { return };
    if would_give(name, plan) {
        let name = name.to_string_lossy();
        narrate::warning(&format!(
            "`{name}` gets no further rights where ports are remapped (\"no new privileges\"); \
             `--remap off`, or `remap = \"off\"` in wharf.toml, lets it have them"
        ));
    }
}

/// Said after the command has failed: whether its scripts call one of them. A script may do well without.
pub(crate) fn say_of_scripts(plan: &LaunchPlan) {
    for name in plan.programs.iter().filter(|name| would_give(OsStr::new(name), plan)) {
        narrate::line(&format!(
            "  a script of it names `{name}`, which gets no further rights where ports are remapped \
             (\"no new privileges\"): `--remap off`, or `remap = \"off\"` in wharf.toml, lets it have them"
        ));
    }
}

fn would_give(name: &OsStr, plan: &LaunchPlan) -> bool {
    let path = std::env::var_os("PATH");
    let file = wharf_os::program::find(name, path.as_deref(), &plan.dir);
    file.is_ok_and(|file| wharf_os::program::gives_rights(&file))
}
