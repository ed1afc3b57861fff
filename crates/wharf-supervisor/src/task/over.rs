//! What is left to do once the guard of an instance has gone.

use wharf_os::guard::Exit;
use wharf_os::signals::SIGKILL;
use wharf_os::{descendants, process};

use super::Task;
use crate::after::{After, Next};
use crate::ending::LINGER_AFTER;
use crate::update::{Member, Update};

impl Task {
    /// The guard has gone. If it was killed, what it left is now ours, and ends.
    pub(super) async fn clear_up(mut self) -> After {
        self.guard.get_ref().reap();
        if self.command.take().is_some() {
            let exit = Exit::Signal(SIGKILL);
            self.next = Next::End;
            self.tell(Update::Exited { exit, left_behind: Vec::new() }).await;
        }
        for child in self.orphans() {
            descendants::signal(child, SIGKILL);
            descendants::signal_one(std::process::id(), child, SIGKILL);
        }
        self.linger().await;
        let interrupted = self.was_interrupted();
        let Task { lines, answers, next, exit, .. } = self;
        let kept = answers.into_kept();
        if kept.is_none() {
            let _ = lines.updates.send(Update::Gone).await;
        }
        After { lines, kept, next, exit, interrupted }
    }

    /// Processes under the filter that could not be ended (another user's) still need their calls
    /// answered: without us each further one would fail.
    async fn linger(&mut self) {
        let mut told = self.ending.is_some_and(|ending| ending.lingers);
        while let Ok(seen) = tokio::time::timeout(LINGER_AFTER, self.answers.next()).await {
            if seen.is_none() {
                return;
            }
        }
        while !self.answers.are_over() {
            if !told {
                told = true;
                let (name, value) = self.mark.clone();
                let pids = process::all().unwrap_or_default();
                let marked = |pid: &u32| is_marked(*pid, name, &value);
                let members = pids.into_iter().filter(marked).map(Member::of).collect();
                self.tell(Update::Lingering { members }).await;
            }
            self.answers.next().await;
        }
    }

    /// Children of ours that a killed guard left to us. Other instances' guards are our children too.
    fn orphans(&self) -> Vec<u32> {
        let (name, value) = &self.mark;
        let children = process::children(std::process::id()).into_iter();
        children.filter(|pid| is_marked(*pid, name, value)).collect()
    }
}

/// Whether the process was started with this variable.
fn is_marked(pid: u32, name: &str, value: &str) -> bool {
    process::environment_value(pid, name)
        .is_ok_and(|found| found.as_deref() == Some(value.as_ref()))
}
