//! The gate before readiness: closed at each launch, opened by what was asked for.

use super::gate::Opened;
use super::watch::{Pilot, duration};
use crate::narrate;

impl Pilot {
    /// Before it is launched again.
    pub(super) fn close_the_gate(&mut self) {
        let log = self.declared.as_ref().map(|declared| &declared.log);
        // It was no error the first time.
        let _ = self.gate.close(log);
    }

    /// It counts as ready: because it listens and more was asked for, or although it does not listen.
    pub(super) fn gate_opened(&mut self, opened: Opened) {
        if let Some(said) = self.gate.held_back.take() {
            return self.ready(said);
        }
        let after = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.change(|instance| {
            instance.state = instance.state.served();
            instance.ready_ms = instance.ready_ms.or(Some(after));
        });
        match opened {
            Opened::Met => narrate::line(&format!("ready in {}", duration(after))),
            Opened::Settled => narrate::line("runs, and listens on nothing"),
        }
    }
}
