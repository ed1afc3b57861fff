//! The open streams of one connection.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::body::Out;
use super::told::Told;

/// How many there are, and since when.
#[derive(Debug)]
pub(super) struct Streams {
    open: Cell<usize>,
    changed: Cell<Instant>,
}

impl Streams {
    pub(super) fn new() -> Rc<Streams> {
        Rc::new(Streams { open: Cell::new(0), changed: Cell::new(Instant::now()) })
    }

    /// One more, for as long as anybody has what is given.
    pub(super) fn begin(self: &Rc<Self>) -> Rc<Open> {
        self.open.set(self.open.get() + 1);
        Rc::new(Open(self.clone()))
    }

    pub(super) fn are_open(&self) -> bool {
        self.open.get() > 0
    }

    /// When there has been none for so long.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let since = if self.are_open() { Instant::now() } else { self.changed.get() };
            if since.elapsed() >= limit {
                return;
            }
            sleep_until(since + limit).await;
        }
    }
}

/// A stream that is open.
#[derive(Debug)]
pub(super) struct Open(Rc<Streams>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        self.0.changed.set(Instant::now());
    }
}

/// The body of an answer, with whose end its stream ends.
pub(super) struct Last {
    pub(super) body: Out,
    /// Counts it; what changes its protocol is told of elsewhere.
    pub(super) told: Option<Told>,
    pub(super) _open: Rc<Open>,
}

impl Body for Last {
    type Data = Bytes;
    type Error = <Out as Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Last { body, told, .. } = self.get_mut();
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let (Some(told), Some(Ok(frame))) = (told, &frame) {
            told.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
