//! Whether an instance serves, as its task sees it.

use std::time::Instant;

/// Whether the instance serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    NotYet,
    Yes,
    /// The listener is gone, since then.
    Missing(Instant),
    /// Gone for long, and said then.
    Lost(Instant),
}
