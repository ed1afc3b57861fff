//! What an instance cannot outlive: the checkout that it runs in, and the `wharf up` that it belongs to.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;
use wharf_os::pidfd::Pidfd;
use wharf_os::process::{self, Identity};
use wharf_os::signals::SIGTERM;

use super::declared::Declared;
use super::watch::Pilot;
use crate::{facts, narrate};

/// How often the checkout is looked for, and how soon again once it is missing.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The same where the daemon looks for it as well.
const LOOK_SELDOM: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often in a row it has to be missing: tools exchange folders by moving them.
const MISSING_MAX: u32 = 3;

/// What has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Checkout,
    Up,
}

/// The ties of one instance.
pub(super) struct Ties {
    root: PathBuf,
    missing: u32,
    look_at: Instant,
    is_looked_after: bool,
    up: Option<AsyncFd<OwnedFd>>,
    /// Where it cannot be watched: it is looked for now and then.
    unwatched: Option<Identity>,
    broken: Option<Broken>,
}

impl Ties {
    pub(super) fn new(root: &Path, declared: Option<&Declared>) -> Ties {
        let mut ties = Ties {
            root: root.to_owned(),
            missing: 0,
            look_at: Instant::now() + LOOK_EVERY,
            is_looked_after: false,
            up: None,
            unwatched: None,
            broken: None,
        };
        if let Some(up) = declared.and_then(|declared| declared.order.attached.as_ref()) {
            let identity = facts::identity(up);
            match Pidfd::open(&identity) {
                Ok(Some(up)) => ties.up = registered(&up).ok(),
                // It ended before it could be watched.
                Ok(None) => ties.broken = Some(Broken::Up),
                Err(_) => {}
            }
            ties.unwatched = ties.up.is_none().then_some(identity);
        }
        ties
    }

    /// Waits until one breaks: once for each.
    pub(super) async fn broken(&mut self) {
        loop {
            if self.broken.is_some() {
                return;
            }
            tokio::select! {
                () = ended(self.up.as_ref()) => {
                    self.up = None;
                    self.broken = Some(Broken::Up);
                }
                () = tokio::time::sleep_until(self.look_at) => self.look_for_the_checkout(),
            }
        }
    }

    /// Whether all that could break is told.
    fn is_seldom_looked_for(&self) -> bool {
        self.is_looked_after && self.unwatched.is_none()
    }

    /// Looks for the checkout at once.
    pub(super) fn look_now(&mut self) {
        // Once it is missing, the pauses in between are what tells an exchange from an end.
        if self.missing == 0 {
            self.look_at = Instant::now();
        }
    }

    /// Tells whether the daemon looks for the checkout as well, and has [`Ties::look_now`] called where it is missing.
    pub(super) fn looked_after(&mut self, is_so: bool) {
        self.is_looked_after = is_so;
        self.look_at = self.look_at.min(Instant::now() + LOOK_EVERY);
    }

    fn look_for_the_checkout(&mut self) {
        if self.unwatched.take_if(|up| !process::is_alive(up)).is_some() {
            self.broken = Some(Broken::Up);
        }
        let is_missing =
            std::fs::metadata(&self.root).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        self.missing = if is_missing { self.missing + 1 } else { 0 };
        self.look_at = Instant::now() + pause(self.missing, self.is_seldom_looked_for());
        if self.missing == MISSING_MAX {
            self.broken = Some(Broken::Checkout);
        }
    }
}

/// How long after it was missing so often in a row it is looked for again.
fn pause(missing: u32, is_seldom: bool) -> Duration {
    match missing {
        1..MISSING_MAX => LOOK_AGAIN,
        _ if is_seldom => LOOK_SELDOM,
        _ => LOOK_EVERY,
    }
}

async fn ended(up: Option<&AsyncFd<OwnedFd>>) {
    match up {
        Some(up) => drop(up.readable().await),
        None => std::future::pending().await,
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and a descriptor of one's own is never replaced"
)]
fn registered(pidfd: &Pidfd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd.as_fd().try_clone_to_owned()?, Interest::READABLE)
}

impl Pilot {
    /// Ends, since what it belonged to has gone.
    pub(super) fn untied(&mut self, ties: &mut Ties) {
        match ties.broken.take() {
            Some(Broken::Checkout) => {
                narrate::warning(&format!("{} is gone: ends", ties.root.display()));
                self.forgets_its_home = true;
            }
            Some(Broken::Up) => narrate::line("the `wharf up` that it belonged to has ended: ends"),
            None => return,
        }
        let declared = self.declared.as_ref();
        self.stop(declared.map_or(SIGTERM, |declared| declared.stop_signal(SIGTERM)));
    }

    pub(super) async fn forget_its_home(&self) {
        let Some(link) = &self.link else { return };
        let key = self.reports.borrow().key.clone();
        // A daemon that is away forgets it after a month.
        let _ = link.give_up(key, facts::own_process()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_checkout_is_noticed_within_a_minute_and_an_exchanged_one_is_not() {
        let pause = |missing| pause(missing, false);
        let noticed: Duration = (0..MISSING_MAX).map(pause).sum();
        assert!(noticed <= Duration::from_secs(40), "and what runs has time to end");
        assert!(
            noticed - pause(0) >= Duration::from_secs(10),
            "folders are exchanged by moving them"
        );
        assert_eq!(pause(MISSING_MAX), LOOK_EVERY, "what was told is not told again at once");
    }
}
