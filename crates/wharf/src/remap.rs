//! Whether and how ports that a program names itself are remapped: what was asked for, and what works
//! here.

mod findings;

use serde::Deserialize;
use wharf_model::Remap;
use wharf_os::remap::Mode;

pub(crate) use findings::{Finding, Findings};

use crate::narrate;
use crate::report::{Code, Report};

/// What `--remap` may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// The best way that works here
    #[default]
    Auto,
    /// On duplicates of the program's sockets
    Dup,
    /// By changing the address in the program's memory
    Rewrite,
    /// On sockets of wharf's own
    Inject,
    /// By an address of the instance's own, 127.77.X.Y, on which the port stays what the program names
    Address,
    /// Not at all: a port that the program names itself can collide
    Off,
}

impl Wish {
    /// The one mode that is meant.
    fn mode(self) -> Option<Mode> {
        match self {
            Wish::Dup => Some(Mode::Duplicate),
            Wish::Rewrite => Some(Mode::Rewrite),
            Wish::Inject => Some(Mode::Inject),
            Wish::Auto | Wish::Address | Wish::Off => None,
        }
    }
}

/// The name of a mode, as it is typed and shown.
pub(crate) fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Duplicate => "dup",
        Mode::Rewrite => "rewrite",
        Mode::Inject => "inject",
    }
}

/// How an instance says it.
pub(crate) fn shown(mode: Option<Mode>) -> Remap {
    match mode {
        Some(Mode::Duplicate) => Remap::Dup,
        Some(Mode::Rewrite) => Remap::Rewrite,
        Some(Mode::Inject) => Remap::Inject,
        None => Remap::Cooperative,
    }
}

/// The mode to use; none where remapping is not wanted, or does not work here, which is said.
///
/// Forks where a mode was not tried here before: to be called while there is one thread.
///
/// # Errors
/// The very mode that was asked for is refused here.
pub(crate) fn choose(wish: Wish) -> Result<Option<Mode>, Report> {
    if wish == Wish::Off {
        return Ok(None);
    }
    let mut findings = Findings::load();
    if let Some(mode) = wish.mode() {
        return match findings.of(mode) {
            Finding::Works => Ok(Some(mode)),
            Finding::Refused { why } => Err(refused(mode, &why)),
        };
    }
    let mut refusals = Vec::new();
    for mode in Mode::ALL {
        match findings.of(mode) {
            Finding::Works => {
                fallback(mode, &refusals);
                return Ok(Some(mode));
            }
            Finding::Refused { why } => refusals.push((mode, why)),
        }
    }
    without(&refusals);
    Ok(None)
}

fn refused(mode: Mode, why: &str) -> Report {
    let name = name(mode);
    Report::new(Code::Permission, format!("remapping by `{name}` does not work here"))
        .why(why)
        .help("`wharf doctor remap` shows what works; `--remap auto` takes the best of it")
}

fn fallback(mode: Mode, refusals: &[(Mode, String)]) {
    if let Some((_, why)) = refusals.first() {
        let name = name(mode);
        narrate::line(&format!("remapping by `{name}`, since duplicating is refused here: {why}"));
    }
}

/// Inside another wharf the outer one remaps, which is as it should be.
fn without(refusals: &[(Mode, String)]) {
    if std::env::var_os("WHARF_ID").is_some() {
        return;
    }
    if let Some((_, why)) = refusals.first() {
        narrate::line(&format!(
            "remapping is off here: {why}. A port that the program names itself can collide \
             (`wharf doctor remap`)"
        ));
    }
}
