//! Asks `script/parts` what is missing. A missing part fails the runs that need it.

use std::collections::BTreeSet;
use std::process::Command;

use super::place::Place;
use super::spec::Run;

/// The parts that these runs need and that are missing or out of date.
pub fn missing(runs: &[&Run], place: &Place) -> Result<BTreeSet<String>, String> {
    let needed: BTreeSet<&str> =
        runs.iter().flat_map(|run| &run.needs).map(String::as_str).chain(["system"]).collect();
    missing_of(&needed.into_iter().collect::<Vec<_>>(), place)
}

/// Those of these parts that are missing or out of date.
pub fn missing_of(needed: &[&str], place: &Place) -> Result<BTreeSet<String>, String> {
    let script = place.repo.join("script/parts");
    let done = Command::new(&script)
        .arg("--check")
        .args(needed)
        .env("WHARF_PARTS", &place.parts)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", script.display()))?;
    let said = String::from_utf8_lossy(&done.stdout);
    let missing: BTreeSet<String> = said.lines().map(str::to_owned).collect();
    if done.status.success() == missing.is_empty() {
        return Ok(missing);
    }
    let wrong = String::from_utf8_lossy(&done.stderr);
    Err(format!("`script/parts --check` failed: {}{}", said.trim(), wrong.trim()))
}

/// Why a run cannot be made, if it cannot.
pub fn why_not(run: &Run, missing: &BTreeSet<String>) -> Option<String> {
    let lacks: Vec<&str> = std::iter::once("system")
        .chain(run.needs.iter().map(String::as_str))
        .filter(|name| missing.contains(*name))
        .collect();
    if lacks.is_empty() {
        return None;
    }
    let lacks = lacks.join(" ");
    Some(format!("  - missing or out of date: {lacks}; run `script/parts {lacks}`\n"))
}
