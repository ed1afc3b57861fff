//! A listening socket that the program gets from its pilot, by systemd's protocol and by what the catalog says.

use std::ffi::OsString;

use wharf_model::LaunchPlan;

use crate::environment::Variables;

/// How many sockets are passed, and so the value of `LISTEN_FDS`.
const COUNT: &str = "1";

/// Variables by which the program finds it. `LISTEN_PID` is only known once its process is there.
pub(super) fn tell(env: &mut Variables, plan: &LaunchPlan) {
    let mut set = |name: &str, value: OsString| {
        env.retain(|(known, _)| known != name);
        env.push((name.into(), value));
    };
    set("LISTEN_FDS", COUNT.into());
    set("LISTEN_FDNAMES", plan.service.clone().into());
    let known = plan.takes_socket().map(|takes| takes.env).unwrap_or_default();
    known.iter().for_each(|(name, value)| set(name, value.into()));
}
