//! Launches that follow on the first: restarts, and servers on demand.

use std::time::Duration;

use wharf_model::EventKind;
use wharf_os::guard::Exit;
use wharf_supervisor::Cause;

use super::watch::Pilot;
use crate::narrate;

impl Pilot {
    /// Nothing runs, and the next connection changes that.
    pub(super) fn dormant(&mut self) {
        self.dormant = true;
        self.change(|instance| {
            instance.state = instance.state.laid_down();
            instance.pid = None;
        });
        let (port, url, direct) = {
            let instance = self.reports.borrow();
            (instance.port, instance.url.clone(), instance.direct_url.clone())
        };
        self.events.write(EventKind::Dormant { port });
        narrate::line(&format!("starts at the first connection to {url} (direct {direct})"));
        // Its name is open from now on, and a request there starts it.
        self.ask_for_the_lan();
    }

    /// It has ended, and is launched again.
    pub(super) fn again(&mut self, cause: Cause, exit: Option<Exit>, pause: Duration) {
        self.change(|instance| {
            instance.state = instance.state.laid_down();
            instance.pid = None;
            instance.listeners.clear();
            instance.restarts += 1;
        });
        let exit_code = exit.map(Exit::shell_code);
        let name = match cause {
            Cause::Asked => "asked",
            Cause::Crashed => "crashed",
            Cause::Idle => "idle",
        };
        self.events.write(EventKind::Again { cause: name.to_owned(), exit_code });
        match cause {
            Cause::Asked => narrate::line("starts again"),
            Cause::Idle => narrate::line("nobody was connected for long: the server has ended"),
            Cause::Crashed => narrate::warning(&format!(
                "the server ended with {}; starts again in {} ms",
                exit_code.unwrap_or_default(),
                pause.as_millis()
            )),
        }
    }
}
