//! The process that holds the server's listener: its end is the likeliest end of the listener, and the kernel
//! tells of it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wharf_os::pidfd::Pidfd;
use wharf_os::process;

/// A watch on one process, or on none.
#[derive(Default)]
pub(crate) struct Holder {
    pid: Option<u32>,
    watched: Option<AsyncFd<OwnedFd>>,
}

impl Holder {
    /// Watches this process from now on, in place of the one before.
    pub(crate) fn follow(&mut self, pid: Option<u32>) {
        if self.pid != pid {
            self.pid = pid;
            self.watched = pid.and_then(|pid| registered(pid).ok().flatten());
        }
    }

    /// Whether there is a watch: without one it has to be looked.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Waits for the end of the process, which is told once.
    pub(crate) async fn ended(&mut self) {
        match &self.watched {
            // Readable means ended; an error of the event loop means that it has to be looked.
            Some(watched) => drop(watched.readable().await),
            None => std::future::pending().await,
        }
        (self.pid, self.watched) = (None, None);
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and a descriptor of one's own is never replaced"
)]
fn registered(pid: u32) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    let Some(pidfd) = Pidfd::open(&process::identity(pid)?)? else { return Ok(None) };
    AsyncFd::with_interest(pidfd.as_fd().try_clone_to_owned()?, Interest::READABLE).map(Some)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    /// No more than a limit for what comes at once.
    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_end_of_the_holder_is_told_once() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut holder = Holder::default();
        assert!(!holder.is_watched());
        holder.follow(Some(child.id()));
        assert!(holder.is_watched());
        // Its end is not awaited here: what has ended and is not waited for holds nothing any more.
        child.kill().unwrap();
        tokio::time::timeout(LIMIT, holder.ended()).await.unwrap();
        assert!(!holder.is_watched());
        let again = tokio::time::timeout(Duration::from_millis(1), holder.ended()).await;
        assert!(again.is_err(), "it would be looked at for ever");
        child.wait().unwrap();
        holder.follow(Some(child.id()));
        assert!(!holder.is_watched(), "who has gone cannot be watched, and is looked for");
    }
}
