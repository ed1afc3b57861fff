//! A running instance is a handle to its task.

use tokio::sync::mpsc;
use wharf_os::guard::{Guard, SpawnError};

use crate::launch::{Launch, Order};
use crate::task::Task;
use crate::update::Update;

/// Updates that nobody has read yet; when they are full the task waits, and the server does not.
const UPDATES_MAX: usize = 64;

/// Orders that the task has not taken yet.
const ORDERS_MAX: usize = 8;

/// A running instance. Dropping it ends the whole tree.
#[derive(Debug)]
pub struct Handle {
    guard: u32,
    orders: mpsc::Sender<Order>,
    updates: mpsc::Receiver<Update>,
    task: tokio::task::JoinHandle<()>,
}

/// Launches the command and starts its task on the current runtime.
///
/// # Errors
/// The command cannot be found, or the system refuses a process.
pub fn start(launch: Launch) -> Result<Handle, SpawnError> {
    let guard = Guard::spawn(&launch.command)?;
    let root = guard.pid();
    let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
    let (updates_out, updates) = mpsc::channel(UPDATES_MAX);
    let task = Task::new(launch, guard, orders_in, updates_out).map_err(SpawnError::Fork)?;
    Ok(Handle { guard: root, orders, updates, task: tokio::spawn(task.run()) })
}

impl Handle {
    /// The guard's process number: the root of the tree.
    pub fn root(&self) -> u32 {
        self.guard
    }

    /// The next update; `None` after [`Update::Gone`].
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
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
