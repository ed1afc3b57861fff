//! What a launch leaves for the next one.

use wharf_os::guard::Exit;

use crate::remap::Kept;
use crate::task::Lines;
use crate::update::Cause;

/// What follows on a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    End,
    /// Another launch.
    Again(Cause),
}

/// What is left of a launch.
pub(crate) struct After {
    pub(crate) lines: Lines,
    /// `None` where it is lost to processes that could not be ended.
    pub(crate) kept: Option<Kept>,
    pub(crate) next: Next,
    pub(crate) exit: Option<Exit>,
    /// Whether somebody pressed Ctrl-C shortly before the end, or while it ended.
    pub(crate) interrupted: bool,
}
