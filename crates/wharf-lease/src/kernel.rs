//! What the policy asks of the kernel, without knowing how the answer is found.

use wharf_model::{Holder, Port};

/// What the kernel says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupancy {
    /// A server could bind it now, perhaps with `SO_REUSEADDR` (sockets in TIME_WAIT).
    Free,
    /// Somebody holds it, or it is redirected.
    Taken,
    /// This user may not bind it: a privileged port, or a sandbox.
    Denied,
}

/// The kernel as the policy sees it.
pub trait Kernel {
    /// What is on the port now.
    fn occupancy(&mut self, port: Port) -> Occupancy;

    /// Who is on the port: asked only for the port that a person will read about, since it costs
    /// a walk through every process.
    fn holder(&mut self, port: Port) -> Holder;

    /// What is known of a process, for the same line.
    fn process(&mut self, pid: u32) -> Holder;
}
