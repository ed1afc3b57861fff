//! A listening socket as people need to know it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One listening TCP socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Listener {
    /// The address it is bound to.
    pub address: IpAddr,
    /// The port, never 0.
    pub port: u16,
    /// A process that holds it, where one may be seen.
    pub pid: Option<u32>,
}

/// From where a listener can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// This machine only.
    Loopback,
    /// One address of this machine that others can reach.
    Lan,
    /// Every address of this machine.
    All,
}

impl Exposure {
    /// The exposure of an address: `127.0.0.0/8`, `::1` and their mapped forms are loopback, the
    /// unspecified addresses are all, everything else is one address of the LAN.
    pub fn of(address: IpAddr) -> Exposure {
        let address = address.to_canonical();
        if address.is_loopback() {
            Exposure::Loopback
        } else if address.is_unspecified() {
            Exposure::All
        } else {
            Exposure::Lan
        }
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exposure::Loopback => "loopback",
            Exposure::Lan => "LAN",
            Exposure::All => "all",
        })
    }
}

impl Listener {
    /// From where it can be reached.
    pub fn exposure(&self) -> Exposure {
        Exposure::of(self.address)
    }

    /// The address to dial from this machine: a wildcard is reached over loopback of its family.
    pub fn dial_address(&self) -> IpAddr {
        match self.address.to_canonical() {
            IpAddr::V4(address) if address.is_unspecified() => [127, 0, 0, 1].into(),
            // A dual-stack wildcard answers on both; 127.0.0.1 is the one that every client knows.
            IpAddr::V6(address) if address.is_unspecified() => [127, 0, 0, 1].into(),
            address => address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_of_addresses() {
        for (text, exposure) in [
            ("127.0.0.1", Exposure::Loopback),
            ("127.77.1.2", Exposure::Loopback),
            ("::1", Exposure::Loopback),
            ("::ffff:127.0.0.1", Exposure::Loopback),
            ("0.0.0.0", Exposure::All),
            ("::", Exposure::All),
            ("192.168.1.4", Exposure::Lan),
            ("fe80::1", Exposure::Lan),
        ] {
            assert_eq!(Exposure::of(text.parse().unwrap()), exposure, "{text}");
        }
    }
}
