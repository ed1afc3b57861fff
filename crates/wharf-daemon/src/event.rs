//! Everything that can happen to the daemon.

use tokio::sync::oneshot;
use wharf_control::ErrorBody;
use wharf_control::api::{
    Done, LeaseBatch, LeaseBatchReply, LeaseReply, LeaseRequest, ProxyStatus, ReleaseReply,
    ReleaseRequest, Snapshot, Status, Stopping,
};
use wharf_model::{Instance, ProcessId};

use crate::focusing::Focusing;
use crate::given::Asked;
use crate::lookout::Seen;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ErrorBody>>;

/// One thing that happened. The set is closed: whatever changes the state is one of these.
#[derive(Debug)]
pub(crate) enum Event {
    /// Somebody asks how the daemon is.
    Status(Reply<Status>),
    /// Somebody asks for ports.
    Lease(Box<LeaseRequest>, Reply<LeaseReply>),
    /// Somebody asks for the ports of a whole project.
    LeaseAll(LeaseBatch, Reply<LeaseBatchReply>),
    /// Somebody gives ports back.
    Release(Box<ReleaseRequest>, Reply<ReleaseReply>),
    /// A pilot reports its instance.
    PutInstance(Box<Instance>, Reply<Done>),
    /// An instance is to be forgotten.
    DeleteInstance(String, Reply<Done>),
    /// Somebody asks for everything.
    Snapshot(Reply<Snapshot>),
    /// Somebody asks how the proxy is.
    Proxy(Reply<ProxyStatus>),
    /// The local CA was made, exchanged or deleted.
    Trust(Reply<ProxyStatus>),
    /// Somebody asks about names that the user gives, or changes them.
    Given(Asked),
    /// Somebody asks about ports that lead to the checkout of choice, or changes them.
    Focus(Focusing),
    /// The daemon is to end.
    Stop(Reply<Stopping>),
    /// The daemon is to end in favour of the next one.
    HandOver(Reply<Stopping>),
    /// A process that leases or instances depend on has ended.
    OwnerGone(ProcessId),
    /// What was seen of the instances that are looked after.
    LookedAfter(Seen),
    /// A fault that cost one connection, for the log.
    Fault(String),
    /// The daemon has lost its place to another.
    Superseded,
}

impl Event {
    /// Answers whoever waits that it is too late.
    pub(crate) fn refuse(self, refusal: ErrorBody) {
        // A caller that no longer waits needs no answer.
        match self {
            Event::Status(reply) => drop(reply.send(Err(refusal))),
            Event::Lease(_, reply) => drop(reply.send(Err(refusal))),
            Event::LeaseAll(_, reply) => drop(reply.send(Err(refusal))),
            Event::Release(_, reply) => drop(reply.send(Err(refusal))),
            Event::PutInstance(_, reply) | Event::DeleteInstance(_, reply) => {
                drop(reply.send(Err(refusal)));
            }
            Event::Snapshot(reply) => drop(reply.send(Err(refusal))),
            Event::Proxy(reply) | Event::Trust(reply) => drop(reply.send(Err(refusal))),
            Event::Given(asked) => asked.refuse(refusal),
            Event::Focus(asked) => asked.refuse(refusal),
            Event::Stop(reply) | Event::HandOver(reply) => drop(reply.send(Err(refusal))),
            Event::OwnerGone(_) | Event::LookedAfter(_) | Event::Fault(_) | Event::Superseded => {}
        }
    }
}
