//! The gate before readiness: closed at each launch, opened by what was asked for. And the last lines of what
//! has ended badly.

use std::time::Duration;

use wharf_model::PathText;
use wharf_os::guard::Exit;
use wharf_supervisor::log::now_ms;

use super::gate::Opened;
use super::watch::{Pilot, duration};
use crate::narrate;

/// How many of its last lines are shown in its place, and how long each may be, in characters.
const LAST_LINES: usize = 12;
const LINE_MAX: usize = 300;

/// How long the last line may take through the pipe and to the disk, and how often it is looked for.
const LAST_LINE: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Pilot {
    /// Keeps what a declared instance put out last, where it has ended badly: its name shows it.
    pub(super) async fn keep_last_lines(&self, exit: Exit) {
        let Some(declared) = &self.declared else { return };
        if exit == Exit::Code(0) || self.is_told_to_end {
            return;
        }
        // Behind everything that the server has put out, in the same pipe.
        let end = format!("ended with code {}", exit.shell_code());
        narrate::line(&end);
        let order = &declared.order;
        let root = PathText::new(&order.root);
        let key = (order.service.name.as_str(), order.instance);
        let lived_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let begun_ms = now_ms().saturating_sub(lived_ms);
        let read = || crate::up::last_lines(&root, key, begun_ms, LAST_LINES + 1);
        let told = |lines: &Vec<String>| lines.last().is_some_and(|line| line.ends_with(&end));
        let wait = async {
            loop {
                let lines = read();
                if told(&lines) {
                    return lines;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let mut lines = tokio::time::timeout(LAST_LINE, wait).await.unwrap_or_else(|_| read());
        if told(&lines) {
            lines.pop();
        }
        let short = |line: &String| line.chars().take(LINE_MAX).collect();
        self.change(|instance| instance.last_lines = lines.iter().map(short).collect());
    }

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
