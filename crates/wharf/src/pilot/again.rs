//! Launches that follow on the first: restarts, and servers on demand.

use std::time::Duration;

use wharf_model::EventKind;
use wharf_os::guard::Exit;
use wharf_os::sd_notify;
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
        self.tell_manager(&format!("waits for a connection to {url}"));
        // Its name is open from now on, and a request there starts it.
        self.ask_for_the_lan();
    }

    /// Says to the service manager that started us, if one did, that it is up. A pilot of `wharf up` says nothing:
    /// that speaks for all.
    pub(super) fn tell_manager(&self, status: &str) {
        if self.declared.is_none() {
            sd_notify::tell(sd_notify::Word::Ready(status));
        }
    }

    /// It has ended, and is launched again.
    pub(super) fn again(&mut self, cause: Cause, exit: Option<Exit>, pause: Duration) {
        self.change(|instance| {
            instance.state = instance.state.laid_down();
            instance.pid = None;
            instance.listeners.clear();
            instance.restarts += 1;
        });
        self.close_the_gate();
        let exit_code = exit.map(Exit::shell_code);
        let name = match cause {
            Cause::Asked => "asked",
            Cause::Crashed => "crashed",
            Cause::Ended => "ended",
            Cause::Idle => "idle",
        };
        self.events.write(EventKind::Again { cause: name.to_owned(), exit_code });
        match cause {
            Cause::Asked => narrate::line("starts again"),
            Cause::Idle => narrate::line("nobody was connected for long: the server has ended"),
            Cause::Ended => narrate::line(&format!(
                "the server ended by itself; starts again in {} ms",
                pause.as_millis()
            )),
            Cause::Crashed => narrate::warning(&format!(
                "the server ended with {}; starts again in {} ms",
                exit_code.unwrap_or_default(),
                pause.as_millis()
            )),
        }
    }

    /// It ends so soon after each launch that launching it again is of no use.
    pub(super) fn gave_up(&mut self, ends: u32, within: Duration) {
        narrate::warning(&format!(
            "it has ended {ends} times within {} s, each time soon after its start: not started again",
            within.as_secs()
        ));
        narrate::line("  mend what its output tells, then `wharf up` or `wharf run` again");
    }
}
