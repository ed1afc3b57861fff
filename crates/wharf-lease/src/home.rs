//! The port that a service is remembered on.

use wharf_model::{Port, ServiceKey};

/// How long a home is kept after its last use, in seconds (30 days).
pub const HOME_KEPT_S: u64 = 30 * 86_400;

/// A remembered port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Whose it is.
    pub key: ServiceKey,
    /// The port.
    pub port: Port,
    /// When it was last in use: seconds since the Unix epoch, by a clock that may jump.
    pub last_use: u64,
}

impl Home {
    /// Whether it still counts at `wall_s`. A last use that lies in the future (the clock was set
    /// back) counts as now.
    pub fn is_remembered(&self, wall_s: u64) -> bool {
        wall_s.saturating_sub(self.last_use) <= HOME_KEPT_S
    }
}
