//! Between the thread that reads a server's output and the one that writes it to the disk: lines in a
//! bounded buffer, and the count of those that found no room.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The room that is kept for wharf's own lines when a server has used up the rest, in bytes.
const OWN_ROOM: usize = 16 * 1024;
/// Lines that are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) lines: u64,
    /// Their bytes, as they would have stood in the file.
    pub(super) bytes: u64,
}

impl Loss {
    /// The loss of all of these lines.
    pub(super) fn of(lines: &[u8]) -> Loss {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        Loss { lines: count as u64, bytes: lines.len() as u64 }
    }

    pub(super) fn add(&mut self, other: Loss) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }

    pub(super) fn is_any(self) -> bool {
        self.lines > 0
    }
}

/// What the writer has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// What found no room after these lines.
    pub(super) lost: Loss,
    /// Whether these are the last.
    pub(super) ended: bool,
}

/// The lines that wait to be written.
#[derive(Debug)]
pub(super) struct Queue {
    max: usize,
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    finished: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    lost: Loss,
    ended: bool,
    written: bool,
}

impl Queue {
    /// Room for so many bytes.
    pub(super) fn new(max: usize) -> Queue {
        let state = Mutex::new(State::default());
        Queue { max, state, filled: Condvar::new(), finished: Condvar::new() }
    }

    /// Adds lines of the server, or counts them. Once one is lost all are, until the writer has taken
    /// what is there: so that the count stands where they are missing.
    pub(super) fn put(&self, lines: &[u8]) {
        let mut state = self.state();
        if state.lost.is_any() || state.lines.len() + lines.len() > self.max {
            state.lost.add(Loss::of(lines));
        } else {
            state.lines.extend_from_slice(lines);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Adds lines of wharf's, for which there is more room.
    pub(super) fn say(&self, lines: &[u8]) {
        let mut state = self.state();
        match state.lines.len() + lines.len() <= self.max + OWN_ROOM {
            true => state.lines.extend_from_slice(lines),
            false => state.lost.add(Loss::of(lines)),
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.filled.notify_one();
    }

    /// Waits for lines, for a time at most if one is given, and puts them in place of what is in `into`.
    pub(super) fn take(&self, into: &mut Vec<u8>, within: Option<Duration>) -> Taken {
        into.clear();
        let mut state = self.state();
        let is_idle =
            |state: &mut State| state.lines.is_empty() && !state.lost.is_any() && !state.ended;
        state = match within {
            None => self.filled.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(within) => {
                let waited = self.filled.wait_timeout_while(state, within, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::swap(&mut state.lines, into);
        Taken { lost: std::mem::take(&mut state.lost), ended: state.ended }
    }

    /// Gives the room back that a flood has needed.
    pub(super) fn give_back(&self) {
        let mut state = self.state();
        if state.lines.is_empty() {
            state.lines = Vec::new();
        }
    }

    /// Everything is written.
    pub(super) fn finish(&self) {
        self.state().written = true;
        self.finished.notify_all();
    }

    /// Waits until everything is written; whether it was in time.
    pub(super) fn wait_finished(&self, until: Instant) -> bool {
        let within = until.saturating_duration_since(Instant::now());
        let waited = self.finished.wait_timeout_while(self.state(), within, |state| !state.written);
        waited.unwrap_or_else(PoisonError::into_inner).0.written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_until_there_is_some_again() {
        let (queue, mut lines) = (Queue::new(10), Vec::new());
        queue.put(b"123456\n");
        queue.put(b"too\nlong\n");
        queue.put(b"x\n");
        queue.say(b"w\n");
        let lost = Loss { lines: 3, bytes: 11 };
        assert_eq!(queue.take(&mut lines, None), Taken { lost, ended: false });
        assert_eq!(lines, b"123456\nw\n");
        queue.put(b"x\n");
        queue.end();
        assert_eq!(queue.take(&mut lines, None), Taken { lost: Loss::default(), ended: true });
        assert_eq!(lines, b"x\n");
    }

    #[test]
    fn it_does_not_grow_although_lines_of_one_byte_come_for_ever() {
        let queue = Queue::new(1000);
        for _ in 0..100_000 {
            queue.put(b"a\n");
            queue.say(b"b\n");
        }
        assert!(queue.state().lines.len() <= 1000 + OWN_ROOM);
    }
}
