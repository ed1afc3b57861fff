//! The numbers of the signals that people and systems send to a server, as Linux has them.

pub(super) const SIGHUP: i32 = 1;
pub(super) const SIGINT: i32 = 2;
pub(super) const SIGQUIT: i32 = 3;
pub(super) const SIGUSR1: i32 = 10;
pub(super) const SIGUSR2: i32 = 12;
pub(super) const SIGTERM: i32 = 15;
pub(super) const SIGCONT: i32 = 18;
