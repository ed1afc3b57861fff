//! A TCP port number and what is known about it without asking anyone.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A TCP port from 1 to 65535. Port 0 ("let the kernel choose") is not a port and cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

/// Why a text is not a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Port 0 was asked for.
    #[error("0 is not a port: it means \"any free port\" to the kernel")]
    Zero,
    /// More than 65535.
    #[error("{0} is too large: ports go from 1 to 65535")]
    TooLarge(String),
    /// No number at all.
    #[error("`{0}` is not a number from 1 to 65535")]
    NotANumber(String),
}

impl Port {
    /// The port with this number, or `None` for 0.
    pub const fn new(number: u16) -> Option<Port> {
        match NonZeroU16::new(number) {
            Some(n) => Some(Port(n)),
            None => None,
        }
    }

    /// The number, from 1 to 65535.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The next higher port, or `None` after 65535.
    pub fn next(self) -> Option<Port> {
        self.0.checked_add(1).map(Port)
    }

    /// Whether the Fetch standard makes browsers refuse `http://host:PORT`
    /// (<https://fetch.spec.whatwg.org/#port-blocking>, read 2026-07-02).
    pub fn is_browser_blocked(self) -> bool {
        BROWSER_BLOCKED.binary_search(&self.get()).is_ok()
    }

    /// Whether a well-known service (a database, a broker, a container engine) lives here, so that a
    /// fallback must not take it even while that service is down.
    pub fn is_well_known_service(self) -> bool {
        WELL_KNOWN_SERVICES.binary_search(&self.get()).is_ok()
    }

    /// Whether a web framework takes this port by convention, so that a fallback of *another*
    /// framework leaves it alone.
    pub fn is_conventional(self) -> bool {
        CONVENTIONAL.binary_search(&self.get()).is_ok()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Port, PortError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PortError::NotANumber(text.to_owned()));
        }
        let number: u16 = text.parse().map_err(|_| PortError::TooLarge(text.to_owned()))?;
        Port::new(number).ok_or(PortError::Zero)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> u16 {
        port.get()
    }
}

impl TryFrom<u16> for Port {
    type Error = PortError;

    fn try_from(number: u16) -> Result<Port, PortError> {
        Port::new(number).ok_or(PortError::Zero)
    }
}

/// An inclusive range of ports, such as the kernel's ephemeral range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port of the range.
    pub first: u16,
    /// The highest port of the range.
    pub last: u16,
}

impl PortRange {
    /// Linux's default `net.ipv4.ip_local_port_range`, for where it cannot be read.
    pub const LINUX_EPHEMERAL: PortRange = PortRange { first: 32768, last: 60999 };

    /// Whether the port lies in the range.
    pub fn contains(self, port: Port) -> bool {
        (self.first..=self.last).contains(&port.get())
    }
}

/// The Fetch standard's "bad ports", sorted.
const BROWSER_BLOCKED: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Databases, brokers, engines and debuggers whose clients are configured with these numbers; sorted.
const WELL_KNOWN_SERVICES: &[u16] = &[
    1433, 1521, 2019, 2181, 2375, 2376, 2379, 2380, 3306, 4369, 5005, 5432, 5672, 6379, 6443, 8086,
    8123, 8500, 9042, 9092, 9200, 9229, 9300, 11211, 15672, 27017,
];

/// Conventional ports of web frameworks (from the catalog), sorted.
const CONVENTIONAL: &[u16] = &[
    1111, 1234, 1313, 3000, 3333, 4000, 4200, 4321, 4567, 5000, 5173, 6006, 7860, 8000, 8050, 8080,
    8081, 8501, 8787, 8888, 9000, 9292,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_ports_say_why() {
        assert_eq!("0".parse::<Port>(), Err(PortError::Zero));
        assert_eq!("65536".parse::<Port>(), Err(PortError::TooLarge("65536".into())));
        assert_eq!("99999999999".parse::<Port>(), Err(PortError::TooLarge("99999999999".into())));
        for text in ["", "-1", "+80", "8000x", " 80", "http"] {
            assert_eq!(text.parse::<Port>(), Err(PortError::NotANumber(text.into())), "{text:?}");
        }
        assert_eq!("65535".parse::<Port>().map(Port::get), Ok(65535));
    }

    #[test]
    fn tables_are_sorted_for_binary_search() {
        for table in [BROWSER_BLOCKED, WELL_KNOWN_SERVICES, CONVENTIONAL] {
            assert!(table.is_sorted(), "{table:?}");
        }
        assert_eq!(BROWSER_BLOCKED.len(), 83);
    }

    #[test]
    fn the_last_port_has_no_next() {
        assert_eq!(Port::new(65535).and_then(Port::next), None);
        assert_eq!(Port::new(1).and_then(Port::next), Port::new(2));
    }
}
