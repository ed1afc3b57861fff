//! The task's side of the answering thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_os::remap::{Held, Mode, Notifier};

use crate::remap::{Answering, Group, Kept, PortAsk, Remapping, Seen, Started};

/// A server that finds its socket listening already may leave `listen` out, as gunicorn does. After this
/// time it is taken to accept.
const LISTENS_WITHIN: Duration = Duration::from_millis(300);

/// Whether the calls of one launch are answered, and what comes of it.
pub(crate) struct Answers {
    remapping: Option<Remapping>,
    mark: (&'static str, String),
    /// While no thread has it.
    kept: Option<Kept>,
    started: Option<Started>,
    over: bool,
    /// Whether a listener is held: it listens before a server of this launch accepts.
    holds: bool,
    /// Ports on which a server of this launch has called `listen`.
    listened: BTreeSet<u16>,
    /// When a server of this launch bound a port.
    bound: BTreeMap<u16, Instant>,
}

impl Answers {
    pub(crate) fn new(
        remapping: Option<Remapping>,
        mark: (&'static str, String),
        mut kept: Kept,
        passes: bool,
    ) -> Answers {
        kept.begin();
        // Of a passed one there may be no call: it listens already.
        let holds = !kept.held().is_empty() && !passes;
        let (kept, listened) = (Some(kept), BTreeSet::new());
        let bound = BTreeMap::new();
        Answers { remapping, mark, kept, started: None, over: false, holds, listened, bound }
    }

    /// Begins to answer.
    pub(crate) fn start(
        &mut self,
        notifier: Notifier,
        asks: mpsc::Sender<PortAsk>,
    ) -> io::Result<()> {
        let (Some(remapping), Some(kept)) = (&self.remapping, self.kept.take()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mark = self.mark.clone();
        self.started = Some(Answering::start(notifier, remapping, mark, kept, asks)?);
        Ok(())
    }

    /// There is no filter: the program binds by itself, over the reservations.
    pub(crate) fn stand_aside(&self) {
        if let Some(kept) = &self.kept {
            kept.share_all();
        }
    }

    /// What was seen next; `None` once the last process under the filter has gone, and where there is
    /// no filter.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        let started = self.started.as_mut().filter(|_| !self.over)?;
        let seen = started.seen.recv().await;
        self.over = seen.is_none();
        seen.inspect(|seen| self.remember(seen))
    }

    /// What was seen already and has not been taken in.
    pub(crate) fn unread(&mut self) -> Option<Seen> {
        let seen = self.started.as_mut()?.seen.try_recv().ok();
        seen.inspect(|seen| self.remember(seen))
    }

    fn remember(&mut self, seen: &Seen) {
        match seen {
            Seen::Listening { address: Some(address), .. } => {
                self.listened.insert(address.port());
            }
            Seen::Bound { address, .. } => {
                self.bound.entry(address.port()).or_insert_with(Instant::now);
            }
            _ => {}
        }
    }

    /// Whether no process needs an answer any more.
    pub(crate) fn are_over(&self) -> bool {
        self.over || self.started.is_none()
    }

    /// Whether each `listen` is told the moment it has happened.
    pub(crate) fn are_exact(&self) -> bool {
        let duplicates = self.remapping.as_ref().is_some_and(|r| r.mode == Mode::Duplicate);
        duplicates && self.started.is_some() && !self.over
    }

    /// Whether a server of this launch accepts on a port: a held listener listens before that.
    pub(crate) fn may_serve(&self, port: u16) -> bool {
        let bound = self.bound.get(&port);
        !self.holds
            || !self.are_exact()
            || self.listened.contains(&port)
            || bound.is_some_and(|at| at.elapsed() >= LISTENS_WITHIN)
    }

    /// Keeps a listener beyond its server.
    pub(crate) fn hold(&mut self, held: Held) {
        let held = Arc::new(held);
        match (&self.started, &mut self.kept) {
            (Some(started), _) => started.notes.hold(held),
            (None, Some(kept)) => kept.hold(held),
            (None, None) => {}
        }
    }

    /// The server serves: what it has not taken of the listeners before it is given up.
    pub(crate) fn serves(&self) {
        if let Some(started) = &self.started {
            started.notes.serves();
        }
    }

    /// The program does not use its leased port.
    pub(crate) fn give_up_leased(&self) {
        if let Some(started) = &self.started {
            started.notes.give_up_leased();
        }
    }

    /// Tells the thread which ports the other members of the group stand for.
    pub(crate) fn regroup(&mut self, group: Group) {
        match (&self.started, &mut self.kept) {
            (Some(started), _) => started.notes.regroup(group),
            // The others may come while the program is still being launched.
            (None, Some(kept)) => kept.table.regroup(group),
            (None, None) => {}
        }
    }

    /// What stays for the next launch; `None` where a process still needs the thread, or it is lost.
    pub(crate) fn into_kept(self) -> Option<Kept> {
        match self.started {
            None => self.kept,
            Some(started) if self.over => started.thread.join().ok(),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remap::Table;

    #[test]
    fn a_group_that_comes_before_the_thread_is_not_lost() {
        let table = Table::new(3001, Vec::new(), vec![3000], Group::default());
        let kept = Kept::new(table, Vec::new());
        let mut answers = Answers::new(None, ("WHARF_ID", String::new()), kept, false);
        answers.regroup(Group::new([(8000, crate::remap::Peer::on(8001))]));
        let table = answers.kept.expect("no thread has taken it").table;
        assert!(table.connect(8000).is_some(), "another of the group has it");
    }
}
