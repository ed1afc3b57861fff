//! The one language in which the ledger tells the table and the store what has changed.

use wharf_model::{Alias, Focus, Instance, PathText, Port, ServiceKey, TcpName};

use crate::home::Home;
use crate::label::Label;
use crate::table::Held;

/// One change of the state. The changes of one request are made together or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A lease is held.
    Hold(Held),
    /// The lease with this number has ended.
    Drop(i64),
    /// A home is remembered, in place of the key's former one.
    Settle(Home),
    /// A home is forgotten.
    Forget(ServiceKey),
    /// A project has a label, in place of its former one.
    Name(Label),
    /// A project's label is forgotten.
    Unname(PathText),
    /// An instance is as it is.
    Instance(Box<Instance>),
    /// The instance with this id is of no more interest.
    ForgetInstance(String),
    /// A name leads there, in place of wherever it led.
    Alias(Alias),
    /// This alias is no more.
    Unalias(String),
    /// A name for TCP leads there, in place of wherever it led.
    TcpName(TcpName),
    /// This name for TCP is no more.
    ForgetTcpName(String),
    /// A port leads to this instance, in place of wherever it led.
    Focus(Focus),
    /// A port leads nowhere any more.
    Unfocus(Port),
}
