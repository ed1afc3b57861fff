//! A running instance is a handle to its task.

use tokio::sync::{mpsc, watch};
use wharf_os::guard::SpawnError;

use crate::launch::{Launch, Order};
use crate::lives::Lives;
use crate::remap::{Answering, Asks, Group, PortAsk, Remapping};
use crate::task::Lines;
use crate::update::Update;

/// Updates that nobody has read yet; when they are full the task waits, and the server does not.
const UPDATES_MAX: usize = 64;

/// Orders that the task has not taken yet.
const ORDERS_MAX: usize = 8;

/// A running instance. Dropping it ends the whole tree.
#[derive(Debug)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    updates: mpsc::Receiver<Update>,
    asks: Asks,
    regroup: watch::Sender<Group>,
    looked_after: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// What comes from an instance.
#[derive(Debug)]
pub enum News {
    /// Something happened.
    Update(Update),
    /// The program wants a port, and waits.
    Ask(PortAsk),
}

/// Launches the command and starts its task on the current runtime.
///
/// # Errors
/// The command cannot be found, or the system refuses a process.
pub fn start(mut launch: Launch) -> Result<Handle, SpawnError> {
    launch.command.filter = launch.remapping.as_ref().map(Remapping::calls);
    let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
    let (updates_out, updates) = mpsc::channel(UPDATES_MAX);
    let (asks_out, asks) = Answering::questions();
    let group = launch.remapping.as_ref().map(|remapping| remapping.group.clone());
    let (regroup, groups) = watch::channel(group.unwrap_or_default());
    let (looked_after, care) = watch::channel(false);
    let lines = Lines { orders: orders_in, updates: updates_out, asks: asks_out, groups, care };
    let lives = Lives::new(launch, lines).map_err(SpawnError::Fork)?;
    let guard = lives.first()?;
    Ok(Handle {
        orders,
        updates,
        asks,
        regroup,
        looked_after,
        task: tokio::spawn(lives.run(guard)),
    })
}

impl Handle {
    /// The next update; `None` after [`Update::Gone`].
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// The next update or question, whichever comes first; `None` after [`Update::Gone`].
    pub async fn next_news(&mut self) -> Option<News> {
        tokio::select! {
            biased;
            Some(ask) = self.asks.recv() => Some(News::Ask(ask)),
            update = self.updates.recv() => update.map(News::Update),
        }
    }

    /// Tells which ports the other members of the group stand for.
    pub fn regroup(&self, group: Group) {
        self.regroup.send_if_modified(|known| {
            let changed = *known != group;
            *known = group;
            changed
        });
    }

    /// Tells whether somebody looks at its sockets from outside, and gives [`Order::Look`] when something has
    /// changed: then it looks by itself no more than now and then. Until this is called, nobody does.
    pub fn looked_after(&self, is_so: bool) {
        self.looked_after.send_if_modified(|known| std::mem::replace(known, is_so) != is_so);
    }

    /// Gives an order. An instance that has ended takes none, which is no error: it wanted to end.
    pub fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The task owns the guard; with the guard's channel goes the tree.
        self.task.abort();
    }
}
