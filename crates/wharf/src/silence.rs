//! A word where a command would be silent for longer than a person waits without one.

use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::narrate;

/// How long a command may say nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nothing is ever sent: that the other end goes is the word.
const WORDS: usize = 0;

/// Says a line once a command has been silent for a second; dropped before that, it says nothing.
pub(crate) struct Silence {
    broken: Option<SyncSender<()>>,
    speaker: Option<JoinHandle<()>>,
}

impl Silence {
    /// From now on.
    pub(crate) fn begin(text: String) -> Silence {
        let (broken, told) = mpsc::sync_channel(WORDS);
        let speak = move || {
            if told.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                narrate::line(&text);
            }
        };
        // Without a thread it stays silent.
        let speaker = std::thread::Builder::new().name("wharf-silence".into()).spawn(speak).ok();
        Silence { broken: Some(broken), speaker }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        drop(self.broken.take());
        if let Some(speaker) = self.speaker.take() {
            // Its line does not come after what is said next.
            let _ = speaker.join();
        }
    }
}
