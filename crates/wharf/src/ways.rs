//! How a server is run, beyond what its plan says: by the settings, and by what was asked for this run.

use wharf_control::api::ProxyWish;
use wharf_model::{Access, LaunchPlan};
use wharf_os::remap::Mode;

use crate::remap::{self, Wish};
use crate::report::{Code, Report};
use crate::settings::{Bind, Settings};
use crate::{names, rights};

/// What is asked for this run, and is stronger than the settings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) remap: Option<Wish>,
    /// End the server rather than let it be reached from other machines.
    pub(crate) loopback: bool,
    /// Let other machines reach it by name.
    pub(crate) lan: bool,
    pub(crate) no_daemon: bool,
    /// Whether the port is to be listened on before there is a server.
    pub(crate) holds: bool,
    /// Whether the program is to get that listener from wharf.
    pub(crate) passes: bool,
}

/// How a server is run.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    pub(crate) mode: Option<Mode>,
    pub(crate) wish: Wish,
    pub(crate) bind: Bind,
    pub(crate) loopback_only: bool,
    pub(crate) access: Access,
    /// Whether the program gets the listener of its port from wharf.
    pub(crate) passes: bool,
}

impl Ways {
    /// Chooses. To be called before there is a runtime: the test of the modes forks.
    ///
    /// # Errors
    /// What is asked for cannot be had here, or contradicts itself.
    pub(crate) fn choose(
        plan: &LaunchPlan,
        settings: &Settings,
        asked: Asked,
    ) -> Result<Ways, Report> {
        let wish = asked.remap.or(settings.remap).unwrap_or_default();
        let mode = remap::choose(wish)?;
        if wish == Wish::Address {
            refuse_without(mode, asked)?;
        }
        // Without remapping a held port is the program's only if it takes the listener.
        let passes =
            asked.passes || (asked.holds && mode.is_none() && plan.takes_socket().is_some());
        if mode.is_none() && asked.holds && !passes {
            return Err(cannot_hold());
        }
        if mode.is_some() {
            rights::say_of_command(plan);
        }
        let mut access = settings.access(&plan.service);
        access.origin_form = names::origin_form(plan);
        access.lan = lan(asked, access.lan, wish, settings.proxy())?;
        let bind = settings.bind();
        let loopback_only = asked.loopback || bind == Bind::Loopback;
        Ok(Ways { mode, wish, bind, loopback_only, access, passes })
    }
}

/// An address of its own needs a mode, and has no listener that could be held.
fn refuse_without(mode: Option<Mode>, asked: Asked) -> Result<(), Report> {
    if mode.is_none() {
        return Err(Report::new(Code::Permission, "an address of its own cannot be had here")
            .why("that needs remapping, which is refused")
            .help(
                "`wharf doctor remap` shows what is refused; `--remap auto` takes the best of it",
            ));
    }
    if asked.holds {
        let what = "`--remap address` goes with none of `--hold`, `--on-demand` and `--socket`";
        return Err(Report::new(Code::Usage, what).help("leave one of them out"));
    }
    Ok(())
}

/// Whether other machines are to reach it. What keeps this run to this machine is stronger than the project's
/// settings.
fn lan(asked: Asked, set: bool, wish: Wish, proxy: ProxyWish) -> Result<bool, Report> {
    if !asked.lan && (!set || asked.no_daemon || asked.loopback) {
        return Ok(false);
    }
    let cannot = |why: &str, help: &str| {
        let what = "it cannot be reached from other machines by a name";
        Err(Report::new(Code::Usage, what).why(why).help(help))
    };
    match (wish, proxy) {
        (Wish::Address, _) => cannot(
            "with `--remap address` it has an address in the place of a name",
            "leave out `--remap address`, or `--lan` (`lan = true` in wharf.toml)",
        ),
        (_, ProxyWish::Off) => cannot(
            "the proxy that would serve the name is off",
            "remove `proxy = \"off\"` from settings.toml, then `wharf daemon stop`",
        ),
        _ => Ok(true),
    }
}

fn cannot_hold() -> Report {
    Report::new(Code::Permission, "the port cannot be held for the server here")
        .why("that needs remapping, which is off or refused")
        .help("`wharf doctor remap` shows what is refused; without `--hold` and `--on-demand` it runs")
        .help("a program that takes its listening socket as descriptor 3 (LISTEN_FDS) needs none of it: `--socket`")
}
