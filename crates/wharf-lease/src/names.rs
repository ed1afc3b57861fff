//! Names that a user has given: aliases, and names for TCP with a port of their own.

use wharf_model::{Alias, PathText, ServiceKey, TcpName};

use crate::change::Change;
use crate::ledger::Ledger;
use crate::moment::Moment;

/// The most aliases that are kept, and the most names for TCP.
pub const MAX_NAMES: usize = 1000;

/// The project of the ports that names for TCP have: no path, so it is nobody's.
pub(crate) const TCP: &str = "tcp";

/// There are [`MAX_NAMES`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_NAMES} names are the most that are kept")]
pub struct TooManyNames;

/// Whose the port of a name for TCP is.
pub fn tcp_key(name: &str) -> ServiceKey {
    ServiceKey {
        project: PathText::from_text(TCP.to_owned()),
        worktree: String::new(),
        service: name.to_owned(),
        instance: 1,
    }
}

impl Ledger {
    /// Keeps an alias, in place of the one with its name.
    ///
    /// # Errors
    /// There are too many.
    pub fn put_alias(&mut self, alias: Alias, now: Moment) -> Result<(), TooManyNames> {
        let table = self.table();
        let known = table.aliases().any(|other| other.name == alias.name);
        if !known && table.aliases().count() >= MAX_NAMES {
            return Err(TooManyNames);
        }
        self.commit(vec![Change::Alias(alias)], now);
        Ok(())
    }

    /// Forgets an alias; gives what it was.
    pub fn delete_alias(&mut self, name: &str, now: Moment) -> Option<Alias> {
        let alias = self.table().aliases().find(|alias| alias.name == name)?.clone();
        self.commit(vec![Change::Unalias(name.to_owned())], now);
        Some(alias)
    }

    /// Keeps a name for TCP, in place of the one that was the same.
    ///
    /// # Errors
    /// There are too many.
    pub fn put_tcp_name(&mut self, named: TcpName, now: Moment) -> Result<(), TooManyNames> {
        let table = self.table();
        let known = table.tcp_names().any(|other| other.name == named.name);
        if !known && table.tcp_names().count() >= MAX_NAMES {
            return Err(TooManyNames);
        }
        self.commit(vec![Change::TcpName(named)], now);
        Ok(())
    }

    /// Forgets a name for TCP; gives what it was. Its port is remembered as every home is.
    pub fn delete_tcp_name(&mut self, name: &str, now: Moment) -> Option<TcpName> {
        let named = self.table().tcp_names().find(|named| named.name == name)?.clone();
        self.commit(vec![Change::ForgetTcpName(name.to_owned())], now);
        Some(named)
    }
}
