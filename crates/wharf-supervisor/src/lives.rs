//! An instance through all of its launches: once for most, again after a restart, at each first
//! connection for one that runs on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_os::guard::{Exit, Guard, SpawnError};
use wharf_os::remap::Held;

use crate::after::Next;
use crate::launch::{Launch, Order};
use crate::pulse::{is_over, registered};
use crate::remap::{Kept, Table};
use crate::task::{Lines, Task};
use crate::update::{Cause, Update};

/// The pauses before a command that crashed is launched again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A command that ran for this long starts the pauses anew.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// How often in a row a command may end sooner than that before it is given up.
const SOON_MAX: u32 = 7;

/// Ends that came too soon, one after another.
#[derive(Clone, Copy, Debug)]
struct Soon {
    ends: u32,
    since: Instant,
}

impl Soon {
    /// Counts a launch that has ended by itself.
    fn count(before: Option<Soon>, begun: Instant) -> Option<Soon> {
        match before {
            _ if begun.elapsed() >= STEADY_AFTER => None,
            Some(soon) => Some(Soon { ends: soon.ends + 1, ..soon }),
            None => Some(Soon { ends: 1, since: begun }),
        }
    }
}

/// Everything that stays from one launch to the next.
pub(crate) struct Lives {
    launch: Launch,
    lines: Lines,
    kept: Kept,
    /// Our own listener on the leased port, where there is one.
    front: Option<Arc<Held>>,
    pause: Duration,
    soon: Option<Soon>,
    /// Whether the next launch waits for a connection.
    dormant: bool,
}

impl Lives {
    pub(crate) fn new(mut launch: Launch, lines: Lines) -> io::Result<Lives> {
        let numbers = |ports: &[wharf_model::Port]| ports.iter().map(|port| port.get()).collect();
        let group = launch.remapping.as_ref().map(|remapping| remapping.group.clone());
        let (further, likely) = (numbers(&launch.further), numbers(&launch.likely));
        let mut table = Table::new(launch.port.get(), further, likely, group.unwrap_or_default());
        if launch.keeping.holds() {
            table.await_the_leased_one();
        }
        let mut kept = Kept::new(table, std::mem::take(&mut launch.reservations));
        let front = match launch.keeping.holds() {
            true => Some(Arc::new(front(&kept, launch.port.get())?)),
            false => None,
        };
        front.iter().for_each(|front| kept.hold(front.clone()));
        launch.command.listener = front.clone().filter(|_| launch.keeping.pass);
        let dormant = launch.keeping.idle.is_some();
        Ok(Lives { launch, lines, kept, front, pause: FIRST_PAUSE, soon: None, dormant })
    }

    /// The first launch, which is the caller's to know of; `None` where it waits for a connection.
    pub(crate) fn first(&self) -> Result<Option<Guard>, SpawnError> {
        match self.dormant {
            false => Guard::spawn(&self.launch.command).map(Some),
            true => Ok(None),
        }
    }

    /// Until there is no next launch.
    pub(crate) async fn run(mut self, mut guard: Option<Guard>) {
        loop {
            let guard = match guard.take() {
                Some(guard) => guard,
                None => match self.launch_again().await {
                    Some(guard) => guard,
                    None => return self.tell(Update::Gone).await,
                },
            };
            match self.live(guard).await {
                Some(lives) => self = lives,
                None => return,
            }
        }
    }

    /// The next launch, once there is reason for it; `None` when there is none any more.
    async fn launch_again(&mut self) -> Option<Guard> {
        if self.dormant && !self.connected().await {
            return None;
        }
        // Its server may have ended what it was passed with its own end.
        self.kept.mend();
        match Guard::spawn(&self.launch.command) {
            Ok(guard) => Some(guard),
            Err(error) => {
                self.tell(Update::Unlaunched { reason: error.to_string() }).await;
                None
            }
        }
    }

    /// One launch; `None` when it was the last and all is told.
    async fn live(self, guard: Guard) -> Option<Lives> {
        let Lives { launch, lines, kept, front, pause, soon, .. } = self;
        let begun = Instant::now();
        // Descriptors are used up: the guard's end is the end of what it guards.
        let task = Task::new(&launch, guard, lines, kept, front.clone()).ok()?;
        let after = task.run().await;
        let pause = if begun.elapsed() >= STEADY_AFTER { FIRST_PAUSE } else { pause };
        // It may be heard only after the end of what it was meant for.
        let by_itself = matches!(after.next, Next::Again(Cause::Crashed | Cause::Ended));
        let soon = if by_itself { Soon::count(soon, begun) } else { None };
        let next = if after.interrupted && by_itself {
            told_exit(&after.lines, after.exit).await;
            Next::End
        } else {
            after.next
        };
        let exit = after.exit;
        let dormant = next == Next::Again(Cause::Idle);
        let (lines, kept) = (after.lines, after.kept?);
        let mut lives = Lives { launch, lines, kept, front, pause, soon, dormant };
        lives.again(next, exit).await.then_some(lives)
    }

    /// Tells why it is launched again, and waits where that is wise. `false` when it is not.
    async fn again(&mut self, next: Next, exit: Option<Exit>) -> bool {
        let (cause, pause) = match next {
            Next::End => return self.end().await,
            Next::Again(cause @ (Cause::Crashed | Cause::Ended)) => {
                if let Some(soon) = self.soon.filter(|soon| soon.ends >= SOON_MAX) {
                    let within = soon.since.elapsed();
                    self.tell(Update::GaveUp { ends: soon.ends, within }).await;
                    told_exit(&self.lines, exit).await;
                    return self.end().await;
                }
                let pause = self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                (cause, pause)
            }
            Next::Again(cause) => (cause, Duration::ZERO),
        };
        self.tell(Update::Again { cause, exit, pause }).await;
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return true,
                order = self.lines.orders.recv() => match between(order) {
                    Between::Wait => {}
                    Between::Launch => return true,
                    Between::End => {
                        told_exit(&self.lines, exit).await;
                        return self.end().await;
                    }
                },
            }
        }
    }

    async fn end(&self) -> bool {
        self.tell(Update::Gone).await;
        false
    }

    /// Waits for a connection; `false` when the instance is to end instead.
    async fn connected(&mut self) -> bool {
        let Some(held) = self.front.clone() else { return true };
        // Its server may have ended it with its own end.
        self.kept.mend();
        self.tell(Update::Dormant).await;
        let Ok(front) = registered(held.clone()) else { return false };
        loop {
            if held.has_waiting() {
                return true;
            }
            tokio::select! {
                over = is_over(&front) => {
                    // Nobody could ever connect to it.
                    if over {
                        return false;
                    }
                }
                order = self.lines.orders.recv() => match between(order) {
                    Between::Wait => {}
                    Between::Launch => return true,
                    Between::End => return false,
                },
            }
        }
    }

    async fn tell(&self, update: Update) {
        let _ = self.lines.updates.send(update).await;
    }
}

/// How the last launch ended, where that was to be made good by another one and now is not.
async fn told_exit(lines: &Lines, exit: Option<Exit>) {
    if let Some(exit) = exit {
        let _ = lines.updates.send(Update::Exited { exit, left_behind: Vec::new() }).await;
    }
}

/// What an order means while nothing runs.
enum Between {
    Wait,
    Launch,
    End,
}

/// A Ctrl-C that is heard only now, after the end of what it was meant for, is no less a wish to end:
/// there is nothing that could take it for itself.
fn between(order: Option<Order>) -> Between {
    match order {
        Some(Order::Pass { .. } | Order::GiveUpLeased | Order::Look) => Between::Wait,
        Some(Order::Restart) => Between::Launch,
        Some(Order::Stop { .. } | Order::Interrupted) | None => Between::End,
    }
}

/// A listener of ours on the leased port, on the address that wharf hands to servers.
fn front(kept: &Kept, port: u16) -> io::Result<Held> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    kept.shared(port, || Held::open(address))
}
