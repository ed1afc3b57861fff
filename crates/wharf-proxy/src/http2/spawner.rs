//! The tasks of one connection of a client, and what each of them begins.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use hyper::rt::Executor;
use tokio::task::{AbortHandle, spawn_local};

/// Runs what a connection spawns on this thread. A stream that becomes a socket begins a task of hyper's
/// that carries what is written to it; hyper has no call that ends the stream by a reset, but h2 resets
/// one whose task is gone before it has said the last word.
#[derive(Clone, Debug, Default)]
pub(super) struct Spawner {
    /// What the task that is being polled has begun; nothing between two polls.
    polled: Rc<RefCell<Option<Begun>>>,
}

/// The task that another one has begun, if it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun(Rc<RefCell<Option<AbortHandle>>>);

impl Begun {
    /// Ends it where it stands.
    pub(super) fn abort(&self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl Spawner {
    /// What the task that asks has begun, or will have.
    pub(super) fn begun(&self) -> Begun {
        self.polled.borrow().clone().unwrap_or_default()
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        if let Some(Begun(begun)) = &*self.polled.borrow() {
            begun.replace(Some(spawn_local(future).abort_handle()));
            return;
        }
        let (spawner, begun) = (self.clone(), Begun::default());
        spawn_local(async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                spawner.polled.replace(Some(begun.clone()));
                // Taken back even if it panics.
                let _polled = Polled(&spawner);
                future.as_mut().poll(cx)
            })
            .await;
        });
    }
}

/// A task is being polled.
struct Polled<'a>(&'a Spawner);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        self.0.polled.replace(None);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn what_a_task_begins_is_ended_by_it_alone_and_a_panic_is_nobody_elses() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let spawner = Spawner::default();
            let (told, begun) = oneshot::channel();
            let (alive, ended) = oneshot::channel::<()>();
            let inner = spawner.clone();
            spawner.execute(async move {
                let own = inner.begun();
                inner.execute(async move {
                    let _alive = alive;
                    std::future::pending::<()>().await;
                });
                told.send(own).ok();
                panic!("on purpose");
            });
            let begun = begun.await.unwrap();
            // Begun by none of them, for the one before is over.
            let (told, other) = oneshot::channel();
            let inner = spawner.clone();
            spawner.execute(async move { drop(told.send(inner.begun())) });
            other.await.unwrap().abort();
            begun.abort();
            ended.await.unwrap_err();
            assert!(spawner.polled.borrow().is_none());
        });
    }
}
