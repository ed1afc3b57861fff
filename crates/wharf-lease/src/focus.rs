//! Ports that lead to the checkout of the user's choice.

use wharf_model::{Focus, Port, focus};

use crate::change::Change;
use crate::ledger::Ledger;
use crate::moment::Moment;

/// The most that are kept: each has two sockets, which go from one daemon to the next.
pub const MAX_FOCUSES: usize = 24;

/// There are [`MAX_FOCUSES`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_FOCUSES} focused ports are the most that are kept")]
pub struct TooManyFocuses;

impl Ledger {
    /// Leads a port there, in place of wherever it led.
    ///
    /// # Errors
    /// There are too many.
    pub fn put_focus(&mut self, focus: Focus, now: Moment) -> Result<(), TooManyFocuses> {
        let known = self.table().focus_on(focus.port).is_some();
        if !known && self.table().focuses().count() >= MAX_FOCUSES {
            return Err(TooManyFocuses);
        }
        self.commit(vec![Change::Focus(focus)], now);
        Ok(())
    }

    /// Forgets one, and that its port was ever spoken for; gives what it was.
    pub fn delete_focus(&mut self, port: Port, now: Moment) -> Option<Focus> {
        let known = self.table().focus_on(port)?.clone();
        let key = focus::lease_key(port);
        self.commit(vec![Change::Unfocus(port), Change::Forget(key)], now);
        Some(known)
    }
}
