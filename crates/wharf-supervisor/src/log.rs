//! What an instance puts out, kept in a file: written by its [`LogKeeper`], read by [`Follow`].
//!
//! A server is never made to wait for its log: what the disk does not take in time is counted and said.
//! Per instance at most two files of [`Limits::file_bytes`] are kept, the older one as `X.log.1`.
//!
//! One line of a file: `1764031474123 o text`: milliseconds since the Unix epoch, who speaks (`o` the
//! server, `w` wharf), and the bytes of the line as they came.

pub mod ansi;
mod assemble;
mod file;
mod follow;
mod keeper;
mod line;
mod matcher;
pub mod place;
mod queue;
mod tail;

pub use follow::Follow;
pub use keeper::{Limits, LogKeeper};
pub use line::{Line, Who, now_ms};
pub use matcher::{BadPattern, Matcher};
pub use tail::{Start, Tail};
