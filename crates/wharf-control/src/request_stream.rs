//! The requests as they are answered, one JSON document per line.

use crate::client::CallError;
use crate::event_stream::Lines;
use crate::requests::RequestNotice;

/// An open stream of requests.
#[derive(Debug)]
pub struct RequestStream(pub(crate) Lines);

impl RequestStream {
    /// The next line; `None` when the daemon has ended the stream in good order.
    ///
    /// # Errors
    /// The daemon died, or sent what is no such line.
    pub async fn next(&mut self) -> Result<Option<RequestNotice>, CallError> {
        self.0.next().await
    }
}
