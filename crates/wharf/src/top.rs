//! `wharf top`: what is shown (`state`), how (`view`), what is typed (`keys`), where it comes from (`reading`), what
//! is done (`acting`), what has changed on the screen (`painting`), the process that has it (`screen`), and the one
//! that outlives that (`keeping`).

mod acting;
pub(crate) mod keeping;
mod keys;
mod painting;
mod reading;
pub(crate) mod screen;
mod state;
mod view;

use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::report::Report;

#[expect(deprecated, reason = "its successor is unsafe, and none of these replaces its descriptor")]
fn awaited<T: AsRawFd>(fd: T, interest: Interest) -> Result<AsyncFd<T>, Report> {
    AsyncFd::with_interest(fd, interest)
        .map_err(|error| Report::bug("the terminal cannot be waited for", &error))
}
