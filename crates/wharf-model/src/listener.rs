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

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// It accepts connections.
    Tcp,
    /// It takes datagrams.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// Which versions of IP a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Families {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both, through one socket.
    Both,
}

impl Families {
    /// Of a socket with this address. Where it is not known whether a wildcard refuses IPv4 (`v6only`), it
    /// counts as open to both, as sockets are by default.
    pub fn of(address: IpAddr, v6only: Option<bool>) -> Families {
        match address {
            IpAddr::V4(_) => Families::V4,
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Families::V4,
            IpAddr::V6(address) if address.is_unspecified() && v6only != Some(true) => {
                Families::Both
            }
            IpAddr::V6(_) => Families::V6,
        }
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
    fn versions_of_ip_by_address_and_option() {
        for (text, v6only, families) in [
            ("0.0.0.0", None, Families::V4),
            ("::ffff:127.0.0.1", Some(false), Families::V4),
            ("::", Some(false), Families::Both),
            ("::", None, Families::Both),
            ("::", Some(true), Families::V6),
            ("::1", Some(true), Families::V6),
            ("fe80::1", None, Families::V6),
        ] {
            assert_eq!(Families::of(text.parse().unwrap(), v6only), families, "{text}");
        }
    }

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
