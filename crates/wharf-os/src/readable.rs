//! Waiting until one of two descriptors has something to read.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Which of the two have something to read, or have reached their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readable {
    /// The first.
    pub first: bool,
    /// The second.
    pub second: bool,
}

/// Waits for either, for a time at most; without one as long as it takes. Neither is readable once the
/// time is over.
///
/// # Errors
/// Those of `poll(2)`.
pub fn either(
    first: &impl AsFd,
    second: &impl AsFd,
    within: Option<Duration>,
) -> io::Result<Readable> {
    let end = within.and_then(|within| Instant::now().checked_add(within));
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.map(Timespec::try_from).transpose().unwrap_or_default();
        let mut both = [PollFd::new(first, PollFlags::IN), PollFd::new(second, PollFlags::IN)];
        match rustix::event::poll(&mut both, left.as_ref()) {
            Ok(_) => {
                let [first, second] = both.map(|fd| !fd.revents().is_empty());
                return Ok(Readable { first, second });
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Over at once.
    const NOW: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn bytes_and_ends_can_be_read() {
        let ((first, mut fill), (second, end)) =
            (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        assert_eq!(either(&first, &second, NOW).unwrap(), Readable::default());
        fill.write_all(b"x").unwrap();
        assert_eq!(either(&first, &second, None).unwrap(), Readable { first: true, second: false });
        drop(end);
        assert_eq!(either(&first, &second, None).unwrap(), Readable { first: true, second: true });
    }
}
