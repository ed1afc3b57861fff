//! What listens in this network namespace, by the kernel's own tables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Every listening address, of both families.
pub fn listening() -> Result<Vec<SocketAddr>, String> {
    let mut found = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        // Where IPv6 is off there is no second table.
        let Ok(text) = std::fs::read_to_string(table) else {
            continue;
        };
        for line in text.lines().skip(1) {
            if let Some(address) = listener(line)? {
                found.push(address);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether nothing outside this machine can reach the address.
pub fn is_loopback(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

/// An address at which a client on this machine reaches the listener.
pub fn reachable(address: &SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

fn listener(line: &str) -> Result<Option<SocketAddr>, String> {
    let mut fields = line.split_whitespace().skip(1);
    let (Some(local), Some(_), Some(state)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(format!("cannot read this line of the kernel's socket table: {line:?}"));
    };
    if state != LISTEN {
        return Ok(None);
    }
    address(local)
        .map(Some)
        .ok_or_else(|| format!("cannot read this address of the kernel's socket table: {local:?}"))
}

/// `0100007F:1F90`: words of the machine's own byte order, in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for start in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, listener};

    #[test]
    #[cfg(target_endian = "little")]
    fn listeners_are_read_from_the_tables() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000";
        assert_eq!(listener(v4).unwrap(), Some("127.0.0.1:8080".parse().unwrap()));
        let v6 = "   1: 00000000000000000000000001000000:0BB8 0000:0000 0A 0";
        assert_eq!(listener(v6).unwrap(), Some("[::1]:3000".parse().unwrap()));
        let connected = "   2: 0100007F:1F90 0100007F:D431 01 0";
        assert_eq!(listener(connected).unwrap(), None);
    }

    #[test]
    fn a_mapped_loopback_address_is_loopback() {
        assert!(is_loopback(&"[::ffff:127.0.0.1]:80".parse().unwrap()));
        assert!(is_loopback(&"127.9.9.9:80".parse().unwrap()));
        assert!(!is_loopback(&"[::]:80".parse().unwrap()));
        assert!(!is_loopback(&"0.0.0.0:80".parse().unwrap()));
    }
}
