//! Socket addresses as they lie in a program's memory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// `AF_UNSPEC`, `AF_INET`, `AF_INET6` as Linux has them on every architecture.
const UNSPECIFIED: u16 = 0;
const INET: u16 = 2;
const INET6: u16 = 10;

/// The lengths that the kernel accepts: `struct sockaddr_in`; `struct sockaddr_in6` without its scope
/// (RFC 2133) and with it.
const INET_LENGTH: usize = 16;
const INET6_SHORT: usize = 24;
const INET6_LENGTH: usize = 28;

/// The longest address that the kernel reads (`struct sockaddr_storage`).
pub(crate) const LONGEST: usize = 128;

/// An address of IPv4 or IPv6; `None` for another family and for one that is too short, which the
/// kernel refuses itself.
pub fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match family {
        INET if bytes.len() >= INET_LENGTH => Some(SocketAddr::new(v4(bytes)?.into(), port)),
        INET6 if bytes.len() >= INET6_SHORT => {
            let flow = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?);
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let scope = match bytes.get(24..INET6_LENGTH) {
                Some(scope) => u32::from_ne_bytes(scope.try_into().ok()?),
                None => 0,
            };
            Some(SocketAddrV6::new(Ipv6Addr::from(octets), port, flow, scope).into())
        }
        _ => None,
    }
}

/// What `bind` makes of an address: for it, `AF_UNSPEC` with no address is IPv4's wildcard.
pub fn parse_bind(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    if family == UNSPECIFIED && bytes.len() >= INET_LENGTH && v4(bytes)?.is_unspecified() {
        let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
        return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    }
    parse(bytes)
}

/// The address as the kernel takes it.
pub fn encode(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(INET6_LENGTH);
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(INET.to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.resize(INET_LENGTH, 0);
        }
        SocketAddr::V6(address) => {
            bytes.extend(INET6.to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

fn v4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses() -> impl Strategy<Value = SocketAddr> {
        let v4 = (any::<Ipv4Addr>(), any::<u16>()).prop_map(|(ip, port)| (ip, port).into());
        let v6 = (any::<Ipv6Addr>(), any::<u16>(), any::<u32>(), any::<u32>())
            .prop_map(|(ip, port, flow, scope)| SocketAddrV6::new(ip, port, flow, scope).into());
        let mapped = (any::<Ipv4Addr>(), any::<u16>())
            .prop_map(|(ip, port)| SocketAddr::new(ip.to_ipv6_mapped().into(), port));
        prop_oneof![v4, v6, mapped]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed(address in addresses(), more in 0usize..100) {
            let mut bytes = encode(address);
            prop_assert_eq!(parse(&bytes), Some(address));
            prop_assert_eq!(parse_bind(&bytes), Some(address));
            // Programs pass the whole `sockaddr_storage` as well.
            bytes.resize(bytes.len() + more, 0xff);
            prop_assert_eq!(parse(&bytes), Some(address));
        }

        #[test]
        fn any_bytes_are_an_address_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..LONGEST)) {
            if let Some(address) = parse(&bytes) {
                let shortest = if address.is_ipv4() { INET_LENGTH } else { INET6_SHORT };
                prop_assert!(bytes.len() >= shortest);
                prop_assert_eq!(address.port().to_be_bytes(), [bytes[2], bytes[3]]);
                prop_assert_eq!(parse_bind(&bytes), Some(address));
            }
        }

        #[test]
        fn a_cut_address_is_none(address in addresses(), length in 0usize..16) {
            prop_assert_eq!(parse(&encode(address)[..length]), None);
        }
    }

    #[test]
    fn the_unspecified_family_is_a_wildcard_for_bind_alone() {
        let mut bytes = [0u8; 16];
        bytes[2..4].copy_from_slice(&8000u16.to_be_bytes());
        assert_eq!(parse_bind(&bytes), Some("0.0.0.0:8000".parse().unwrap()));
        assert_eq!(parse(&bytes), None);
        bytes[4] = 127;
        assert_eq!(parse_bind(&bytes), None);
    }

    #[test]
    fn an_address_without_its_scope_is_taken() {
        let whole = encode("[::1]:3000".parse().unwrap());
        assert_eq!(parse(&whole[..24]), Some("[::1]:3000".parse().unwrap()));
        assert_eq!(parse(&whole[..23]), None);
    }
}
