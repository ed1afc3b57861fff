//! The task's side of the answering thread.

use std::io;

use tokio::sync::mpsc;
use wharf_os::remap::{Mode, Notifier};
use wharf_os::reserve::Reservation;

use crate::launch::Launch;
use crate::remap::{Answering, Group, PortAsk, Remapping, Seen, Started, Table};

/// Whether calls are answered, and what comes of it.
pub(crate) struct Answers {
    remapping: Option<Remapping>,
    mark: (&'static str, String),
    /// Until the thread takes it.
    table: Option<Table>,
    started: Option<Started>,
    over: bool,
}

impl Answers {
    pub(crate) fn new(launch: &Launch) -> Answers {
        let numbers = |ports: &[wharf_model::Port]| ports.iter().map(|port| port.get()).collect();
        let table = launch.remapping.as_ref().map(|remapping| {
            let (further, likely) = (numbers(&launch.further), numbers(&launch.likely));
            Table::new(launch.port.get(), further, likely, remapping.group.clone())
        });
        Answers {
            remapping: launch.remapping.clone(),
            mark: launch.mark.clone(),
            table,
            started: None,
            over: false,
        }
    }

    /// Begins to answer.
    pub(crate) fn start(
        &mut self,
        notifier: Notifier,
        reservations: Vec<Reservation>,
        asks: mpsc::Sender<PortAsk>,
    ) -> io::Result<()> {
        let (Some(remapping), Some(table)) = (&self.remapping, self.table.take()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mark = self.mark.clone();
        let started = Answering::start(notifier, remapping, mark, table, reservations, asks)?;
        self.started = Some(started);
        Ok(())
    }

    /// What was seen next; `None` once the last process under the filter has gone, and where there is
    /// no filter.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        let started = self.started.as_mut().filter(|_| !self.over)?;
        let seen = started.seen.recv().await;
        self.over = seen.is_none();
        seen
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

    /// Tells the thread which ports the other members of the group stand for.
    pub(crate) fn regroup(&self, group: Group) {
        if let Some(started) = &self.started {
            started.notes.regroup(group);
        }
    }
}
