//! `/proc/net/tcp`, `tcp6`, `udp` and `udp6`: slower, without bound sockets, but there where netlink is
//! not. The parser is total: a line that is not one of the kernel's is passed over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Query, Row, Transport};

/// Reads both tables of this thread's network namespace.
pub(super) fn read(query: Query) -> io::Result<Vec<Row>> {
    let [v4, v6] = names(query.transport);
    let mut rows = parse(&file(v4)?, query);
    match file(v6) {
        Ok(text) => rows.extend(parse(&text, query)),
        // IPv6 is off.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(rows)
}

/// Reads both tables of the network namespace that a process is in.
pub(super) fn read_of(pid: u32, query: Query) -> io::Result<Vec<Row>> {
    let [v4, v6] = names(query.transport);
    let mut rows = parse(&std::fs::read(format!("/proc/{pid}/net/{v4}"))?, query);
    if let Ok(text) = std::fs::read(format!("/proc/{pid}/net/{v6}")) {
        rows.extend(parse(&text, query));
    }
    Ok(rows)
}

/// The table of each IP version.
fn names(transport: Transport) -> [&'static str; 2] {
    match transport {
        Transport::Tcp => ["tcp", "tcp6"],
        Transport::Udp => ["udp", "udp6"],
    }
}

fn file(name: &str) -> io::Result<Vec<u8>> {
    // The thread's own: `/proc/net` is that of the main thread.
    match std::fs::read(format!("/proc/thread-self/net/{name}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::read(format!("/proc/net/{name}"))
        }
        result => result,
    }
}

fn parse(text: &[u8], query: Query) -> Vec<Row> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| row(std::str::from_utf8(line).ok()?, query.transport))
        .filter(|row| query.states.checked_shr(row.state.into()).is_some_and(|bits| bits & 1 == 1))
        .filter(|row| query.port.is_none_or(|port| port == row.port))
        .collect()
}

/// `sl local remote state queues timer retransmits uid timeout inode …`, all numbers but uid,
/// timeout and inode in hexadecimal.
fn row(line: &str, transport: Transport) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let uid = words.nth(3)?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Row { transport, address: ip(address)?, port, v6only: None, uid, inode, state })
}

/// Each 32-bit word is printed as the number that this machine's byte order makes of it.
fn ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = [0u8; 16];
    let words = hex.len() / 8;
    if !matches!(words, 1 | 4) || !hex.len().is_multiple_of(8) {
        return None;
    }
    for (index, chunk) in bytes.chunks_exact_mut(4).take(words).enumerate() {
        let word = u32::from_str_radix(hex.get(index * 8..index * 8 + 8)?, 16).ok()?;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    Some(match bytes {
        [a, b, c, d, ..] if words == 1 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        all => IpAddr::V6(Ipv6Addr::from(all)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::LISTEN;
    use super::*;
    use proptest::prelude::*;

    const ALL: Query = Query { transport: Transport::Tcp, states: u32::MAX, port: None };
    #[cfg(target_endian = "little")]
    const TABLES: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 13701 1
   1: 0100007F:1F90 0100007F:C001 06 00000000:00000000 03:00000F00 00000000     0        0 0 3 00
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000     0        0 99 2 00000000c13a0079 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn listeners_and_lingering_connections_are_told_apart() {
        let rows = parse(TABLES.as_bytes(), ALL);
        let first = Row {
            transport: Transport::Tcp,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            v6only: None,
            uid: 1000,
            inode: 13701,
            state: LISTEN,
        };
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0], first);
        assert_eq!(rows[1], Row { uid: 0, inode: 0, state: 6, ..first.clone() });
        assert_eq!((rows[2].address, rows[2].port), (IpAddr::V6(Ipv6Addr::LOCALHOST), 8081));
        let listening = Query { transport: Transport::Tcp, states: 1 << LISTEN, port: Some(8080) };
        assert_eq!(parse(TABLES.as_bytes(), listening), [first]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: Vec<u8>) {
            parse(&text, ALL);
        }

        #[test]
        fn any_line_of_like_form_is_read_without_panic(
            address in "[0-9A-Fé]{0,40}", port in "[0-9A-F]{0,6}", state in "[0-9A-F]{0,3}",
            uid in "[0-9-]{0,12}", inode in "[0-9]{0,24}",
        ) {
            let line = format!("0: {address}:{port} 0:0 {state} 0:0 0:0 0 {uid} 0 {inode} 1");
            parse(line.as_bytes(), ALL);
        }
    }
}
