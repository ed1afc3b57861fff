//! The one question that the answering thread cannot answer itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;
use wharf_os::remap::{Doorbell, Held};
use wharf_os::reserve::Reservation;

use super::Group;

/// How many notes for the thread may lie unread; it reads them at once.
const NOTES_MAX: usize = 256;

/// What the answering thread is told from outside.
#[derive(Debug)]
pub(crate) enum Note {
    /// A port was leased for the one that was named, or none could be had.
    Lent { named: u16, reservation: Option<Reservation> },
    /// The other members of the group stand for these ports now.
    Group(Group),
    /// A listener is to outlive its server.
    Hold(Arc<Held>),
    /// The server serves.
    Serves,
    /// The program does not use its leased port.
    GiveUpLeased,
}

/// A way to tell the answering thread something.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    notes: SyncSender<Note>,
    bell: Arc<Doorbell>,
}

impl Notes {
    pub(crate) fn new(bell: Arc<Doorbell>) -> (Notes, Receiver<Note>) {
        let (notes, inbox) = sync_channel(NOTES_MAX);
        (Notes { notes, bell }, inbox)
    }

    /// A thread that has ended, or that is so far behind, answers nobody any more.
    pub(crate) fn tell(&self, note: Note) {
        let _ = self.notes.try_send(note);
        self.bell.ring();
    }
}

/// A program wants to bind a port, and waits. Dropping the question is the same as refusing.
#[derive(Debug)]
pub struct PortAsk {
    named: u16,
    notes: Option<Notes>,
}

impl PortAsk {
    pub(crate) fn new(named: u16, notes: Notes) -> PortAsk {
        PortAsk { named, notes: Some(notes) }
    }

    /// The port that the program names.
    pub fn named(&self) -> u16 {
        self.named
    }

    /// Answers it: the bind is done on the reserved port.
    pub fn lend(mut self, reservation: Reservation) {
        self.answer(Some(reservation));
    }

    fn answer(&mut self, reservation: Option<Reservation>) {
        if let Some(notes) = self.notes.take() {
            notes.tell(Note::Lent { named: self.named, reservation });
        }
    }
}

impl Drop for PortAsk {
    fn drop(&mut self) {
        self.answer(None);
    }
}

/// The questions of one instance.
pub type Asks = mpsc::Receiver<PortAsk>;
