//! A reader of the event stream, and what becomes of a slow one.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use wharf_control::api::{Notice, NoticeKind, SCHEMA};

use crate::clock;

/// How many lines wait for the reader's socket, beside those that wait to be passed on.
pub(crate) const MAX_LINES: usize = 16;

/// The lines of one reader, as a body without end.
#[derive(Debug)]
pub(crate) struct Lines(pub(crate) mpsc::Receiver<Bytes>);

/// One notice, written once for all readers.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    line: Bytes,
    is_last: bool,
}

impl Told {
    pub(crate) fn new(kind: NoticeKind) -> Told {
        let is_last = matches!(kind, NoticeKind::Stopping | NoticeKind::Lagged { .. });
        let notice = Notice { schema: SCHEMA, time_ms: clock::wall_ms(), kind };
        let mut line = serde_json::to_vec(&notice).unwrap_or_default();
        line.push(b'\n');
        Told { line: line.into(), is_last }
    }
}

/// Begins to pass on what happens from now on.
pub(crate) fn subscribe(notices: broadcast::Receiver<Told>) -> Lines {
    let (lines, body) = mpsc::channel(MAX_LINES);
    tokio::spawn(pass_on(notices, lines));
    Lines(body)
}

async fn pass_on(mut notices: broadcast::Receiver<Told>, lines: mpsc::Sender<Bytes>) {
    let mut next = Told::new(NoticeKind::Subscribed);
    while lines.send(next.line).await.is_ok() && !next.is_last {
        let received = tokio::select! {
            received = notices.recv() => received,
            () = lines.closed() => return,
        };
        next = match received {
            Ok(told) => told,
            // The channel of the daemon is bounded: a reader that falls behind is told, and begins
            // again with a snapshot.
            Err(RecvError::Lagged(missed)) => Told::new(NoticeKind::Lagged { missed }),
            Err(RecvError::Closed) => return,
        };
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
