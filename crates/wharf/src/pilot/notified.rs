//! The socket by which a program says that it is ready, as `sd_notify(3)` has it.
//!
//! Its path is in a folder that no other user may enter, so that who writes there is this user; which of this user's
//! processes it is does not matter (`systemd-notify` is a process of its own, and gone at once).

use std::cell::RefCell;
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::net::UnixDatagram;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::report::{Code, Report};

/// The longest message that is read, in bytes; the rest of a longer one is lost.
const MESSAGE_MAX: usize = 4096;

/// Who waits for the word.
type Waiting = Rc<RefCell<Option<oneshot::Sender<String>>>>;

/// The socket of one instance, through all of its launches.
#[derive(Debug)]
pub(super) struct Notified {
    path: PathBuf,
    /// The same socket, asked without the runtime, which learns only later what has come.
    socket: net::UnixDatagram,
    waiting: Waiting,
    reader: JoinHandle<()>,
}

impl Notified {
    /// Opens it. All that comes is read, also what nobody waits for: a program would stop at a full queue.
    ///
    /// # Errors
    /// There is no room for it, or its path is longer than the system takes.
    pub(super) fn open(path: PathBuf) -> Result<Notified, Report> {
        let opened = net::UnixDatagram::bind(&path).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let read = UnixDatagram::from_std(socket.try_clone()?)?;
            Ok((socket, read))
        });
        let (socket, to_read) = opened.map_err(|error| {
            let what =
                format!("the socket for `ready = \"notify\"` cannot be made at {}", path.display());
            Report::new(Code::Failed, what).because(&error)
        })?;
        let waiting = Waiting::default();
        let reader = tokio::task::spawn_local(read(to_read, waiting.clone()));
        Ok(Notified { path, socket, waiting, reader })
    }

    /// Where it is: `NOTIFY_SOCKET`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the word of the next launch: what an earlier one has said does not count.
    pub(super) fn await_ready(&self) -> oneshot::Receiver<String> {
        let mut buffer = [0; MESSAGE_MAX];
        while self.socket.recv(&mut buffer).is_ok() {}
        let (tell, told) = oneshot::channel();
        *self.waiting.borrow_mut() = Some(tell);
        told
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        self.reader.abort();
        // What cannot be removed is an empty file in the runtime folder.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn read(socket: UnixDatagram, waiting: Waiting) {
    let mut buffer = [0; MESSAGE_MAX];
    while let Ok(length) = socket.recv(&mut buffer).await {
        if says_ready(&buffer[..length])
            && let Some(tell) = waiting.borrow_mut().take()
        {
            let _ = tell.send("READY=1".to_owned());
        }
    }
}

fn says_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_itself_counts() {
        assert!(says_ready(b"READY=1") && says_ready(b"STATUS=up\nREADY=1\n"));
        for message in [&b""[..], b"READY=0", b"READY=10", b"XREADY=1", b"STATUS=READY=1", b"\xff"]
        {
            assert!(!says_ready(message), "{message:?}");
        }
    }

    #[test]
    fn a_word_of_an_earlier_launch_does_not_count_and_nothing_fills_the_queue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let notified = Notified::open(path.clone()).unwrap();
            let program = UnixDatagram::unbound().unwrap();
            let say = async |word: &[u8]| {
                program.send_to(word, &path).await.unwrap();
            };
            say(b"READY=1").await;
            let mut told = notified.await_ready();
            for _ in 0..1000 {
                say(b"WATCHDOG=1").await;
            }
            assert!(told.try_recv().is_err());
            say(b"MAINPID=7\nREADY=1").await;
            assert_eq!(told.await.as_deref(), Ok("READY=1"));
        });
        assert!(!path.exists());
    }
}
