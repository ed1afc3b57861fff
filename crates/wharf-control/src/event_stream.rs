//! The daemon's events as they come, one JSON document per line.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::api::Notice;
use crate::client::{CallError, Driver};

/// The longest line, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// An open stream of events.
#[derive(Debug)]
pub struct EventStream(pub(crate) Lines);

impl EventStream {
    /// The next event; `None` when the daemon has ended the stream in good order.
    ///
    /// # Errors
    /// The daemon died, or sent what is not an event.
    pub async fn next(&mut self) -> Result<Option<Notice>, CallError> {
        self.0.next().await
    }
}

/// An answer of one document a line.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    pending: BytesMut,
    _driver: Driver,
}

impl Lines {
    pub(crate) fn new(body: Incoming, driver: Driver) -> Lines {
        Lines { body, pending: BytesMut::new(), _driver: driver }
    }

    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, CallError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(end + 1);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| CallError::Malformed { reason: error.to_string() });
            }
            if self.pending.len() > MAX_LINE {
                return Err(CallError::TooLarge { limit: MAX_LINE });
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(CallError::Lost(error)),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.pending.extend_from_slice(data);
                    }
                }
            }
        }
    }
}
