//! The bytes of a `NETLINK_SOCK_DIAG` question and answer. Pure, total and bounds-checked: whatever
//! the bytes are, reading them neither panics nor reads outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Query, Row, Transport};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The older form of the question, which takes both IP versions in one walk over the tables.
const TCPDIAG_GETSOCK: u16 = 18;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_SKV6ONLY: u16 = 11;
const BYTECODE_SPORT_GE: u8 = 2;
const BYTECODE_SPORT_LE: u8 = 3;
const HEADER: usize = 16;
/// Length of `struct inet_diag_msg`.
const DIAG_MESSAGE: usize = 72;

/// The IP version asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Half the work of asking twice: the kernel walks its tables whole, whatever is asked for. TCP only.
    Both,
    V4,
    V6,
}

/// How far one datagram of the answer brings us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More datagrams follow.
    More,
    /// The answer is complete.
    Done,
    /// The tables changed under the kernel's hands, or it dropped a part: ask again.
    Restart,
    /// The kernel refuses, with this `errno`.
    Refused(i32),
    /// These bytes are no answer to this question.
    Malformed,
}

/// The question, as one datagram.
pub(super) fn question(query: Query, family: Family, sequence: u32) -> Vec<u8> {
    let (kind, mut bytes) = match family {
        Family::Both => (TCPDIAG_GETSOCK, request_of_both(query)),
        Family::V4 => (SOCK_DIAG_BY_FAMILY, request_of(query, libc::AF_INET)),
        Family::V6 => (SOCK_DIAG_BY_FAMILY, request_of(query, libc::AF_INET6)),
    };
    if let Some(port) = query.port {
        bytes.extend(port_filter(port));
    }
    let length = bytes.len() as u32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes
}

/// Room for the header, and a `struct inet_diag_req_v2`.
fn request_of(query: Query, family: i32) -> Vec<u8> {
    let mut bytes = vec![0u8; HEADER];
    let protocol = match query.transport {
        Transport::Tcp => libc::IPPROTO_TCP,
        Transport::Udp => libc::IPPROTO_UDP,
    };
    bytes.extend([family as u8, protocol as u8, 0, 0]);
    bytes.extend(query.states.to_ne_bytes());
    bytes.extend(socket_id(query));
    bytes
}

/// Room for the header, and a `struct inet_diag_req` of no family.
fn request_of_both(query: Query) -> Vec<u8> {
    let mut bytes = vec![0u8; HEADER + 4];
    bytes.extend(socket_id(query));
    bytes.extend(query.states.to_ne_bytes());
    bytes.extend([0u8; 4]);
    bytes
}

/// `struct inet_diag_sockid`: a source port filters listeners here already, bound sockets not.
fn socket_id(query: Query) -> [u8; 48] {
    let mut bytes = [0u8; 48];
    bytes[0..2].copy_from_slice(&query.port.unwrap_or(0).to_be_bytes());
    bytes
}

/// The kernel's own filter program: `sport >= port && sport <= port`, as an attribute. It is run
/// before a socket is copied out, and is known to every kernel that has `inet_diag`.
fn port_filter(port: u16) -> Vec<u8> {
    // struct inet_diag_bc_op { u8 code; u8 yes; u16 no; }: `yes` and `no` are byte offsets from
    // here, and an offset four beyond the end rejects. The port sits in the `no` of an op after it.
    let program =
        [(BYTECODE_SPORT_GE, 8, 20), (0, 0, port), (BYTECODE_SPORT_LE, 8, 12), (0, 0, port)];
    let mut bytes = Vec::with_capacity(4 + program.len() * 4);
    bytes.extend((4 + program.len() as u16 * 4).to_ne_bytes());
    bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    for (code, yes, no) in program {
        bytes.extend([code, yes]);
        bytes.extend(u16::to_ne_bytes(no));
    }
    bytes
}

/// Reads one datagram of the answer to question `sequence`, adding its sockets to `rows`.
pub(super) fn read(
    mut bytes: &[u8],
    transport: Transport,
    sequence: u32,
    rows: &mut Vec<Row>,
) -> Progress {
    let mut interrupted = false;
    while !bytes.is_empty() {
        let Some(message) = Message::first_of(bytes) else {
            return Progress::Malformed;
        };
        bytes = bytes.get(message.padded_length..).unwrap_or_default();
        if message.sequence != sequence {
            return Progress::Malformed;
        }
        interrupted |= message.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
        match i32::from(message.kind) {
            libc::NLMSG_NOOP => {}
            libc::NLMSG_OVERRUN => return Progress::Restart,
            libc::NLMSG_ERROR => return refusal(message.payload).unwrap_or(Progress::Malformed),
            libc::NLMSG_DONE if interrupted => return Progress::Restart,
            // A dump that broke off says so in the payload of its last message.
            libc::NLMSG_DONE => return refusal(message.payload).unwrap_or(Progress::Done),
            kind if [SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK].map(i32::from).contains(&kind) => {
                match row(message.payload, transport) {
                    Some(row) => rows.push(row),
                    None => return Progress::Malformed,
                }
            }
            _ => return Progress::Malformed,
        }
    }
    if interrupted { Progress::Restart } else { Progress::More }
}

/// The negative `errno` at the beginning of an error; 0 and above mean success.
fn refusal(payload: &[u8]) -> Option<Progress> {
    let code = i32::from_ne_bytes(array(payload, 0)?);
    (code < 0).then(|| Progress::Refused(code.saturating_neg()))
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
    padded_length: usize,
}

impl<'a> Message<'a> {
    fn first_of(bytes: &'a [u8]) -> Option<Message<'a>> {
        let length = u32::from_ne_bytes(array(bytes, 0)?) as usize;
        Some(Message {
            kind: u16::from_ne_bytes(array(bytes, 4)?),
            flags: u16::from_ne_bytes(array(bytes, 6)?),
            sequence: u32::from_ne_bytes(array(bytes, 8)?),
            payload: bytes.get(HEADER..length)?,
            padded_length: length.checked_next_multiple_of(4)?,
        })
    }
}

/// A `struct inet_diag_msg` and its attributes.
fn row(payload: &[u8], transport: Transport) -> Option<Row> {
    let family = i32::from(*payload.first()?);
    let address = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(array::<4>(payload, 8)?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(array::<16>(payload, 8)?)),
        _ => return None,
    };
    let attributes = payload.get(DIAG_MESSAGE..)?;
    let v6only = if family == libc::AF_INET6 {
        attribute(attributes, INET_DIAG_SKV6ONLY).and_then(<[u8]>::first).map(|on| *on != 0)
    } else {
        None
    };
    Some(Row {
        transport,
        address,
        port: u16::from_be_bytes(array(payload, 4)?),
        v6only,
        uid: u32::from_ne_bytes(array(payload, 64)?),
        inode: u64::from(u32::from_ne_bytes(array(payload, 68)?)),
        state: *payload.get(1)?,
    })
}

/// The value of the first attribute of this kind; a broken list ends where it breaks.
fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(array(bytes, 0)?));
        let kind = u16::from_ne_bytes(array(bytes, 2)?);
        let value = bytes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEQUENCE: u32 = 7;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((HEADER as u32 + payload.len() as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(SEQUENCE.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn socket(port: u16, v6only: u8) -> Vec<u8> {
        let mut payload = vec![0u8; DIAG_MESSAGE];
        payload[0] = libc::AF_INET6 as u8;
        payload[1] = super::super::LISTEN;
        payload[4..6].copy_from_slice(&port.to_be_bytes());
        payload[23] = 1;
        payload[64..68].copy_from_slice(&1000u32.to_ne_bytes());
        payload[68..72].copy_from_slice(&4_000_000_000u32.to_ne_bytes());
        for (kind, value) in [(8u16, 0u8), (INET_DIAG_SKV6ONLY, v6only)] {
            payload.extend(5u16.to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend([value, 0, 0, 0]);
        }
        payload
    }

    #[test]
    fn several_messages_in_one_datagram_are_read_in_order() {
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, 2, &socket(8000, 1));
        bytes.extend(message(SOCK_DIAG_BY_FAMILY, 2, &socket(8001, 0)));
        bytes.extend(message(libc::NLMSG_DONE as u16, 2, &0i32.to_ne_bytes()));
        let mut rows = Vec::new();
        assert_eq!(read(&bytes, Transport::Tcp, SEQUENCE, &mut rows), Progress::Done);
        let expected = Row {
            transport: Transport::Tcp,
            address: IpAddr::V6(Ipv6Addr::LOCALHOST),
            port: 8000,
            v6only: Some(true),
            uid: 1000,
            inode: 4_000_000_000,
            state: super::super::LISTEN,
        };
        let second = Row { port: 8001, v6only: Some(false), ..expected.clone() };
        assert_eq!(rows, [expected, second]);
    }

    #[test]
    fn an_interrupted_dump_is_asked_again_wherever_the_flag_is() {
        let flag = libc::NLM_F_DUMP_INTR as u16;
        let mut rows = Vec::new();
        let done = message(libc::NLMSG_DONE as u16, flag, &0i32.to_ne_bytes());
        assert_eq!(read(&done, Transport::Tcp, SEQUENCE, &mut rows), Progress::Restart);
        let first = message(SOCK_DIAG_BY_FAMILY, flag, &socket(1, 0));
        assert_eq!(read(&first, Transport::Tcp, SEQUENCE, &mut rows), Progress::Restart);
        let overrun = message(libc::NLMSG_OVERRUN as u16, 0, &[]);
        assert_eq!(read(&overrun, Transport::Tcp, SEQUENCE, &mut rows), Progress::Restart);
    }

    #[test]
    fn refusals_carry_the_errno() {
        let mut rows = Vec::new();
        let refused = |kind: i32| message(kind as u16, 0, &(-libc::ENOENT).to_ne_bytes());
        for kind in [libc::NLMSG_ERROR, libc::NLMSG_DONE] {
            let progress = read(&refused(kind), Transport::Tcp, SEQUENCE, &mut rows);
            assert_eq!(progress, Progress::Refused(libc::ENOENT));
        }
        assert_eq!(read(&refused(2), Transport::Tcp, SEQUENCE + 1, &mut rows), Progress::Malformed);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, sequence: u32) {
            read(&bytes, Transport::Tcp, sequence, &mut Vec::new());
        }

        #[test]
        fn any_damage_to_a_true_answer_is_read_without_panic(
            hits in prop::collection::vec((0usize..400, any::<u8>()), 0..8),
            cut in 0usize..400,
        ) {
            let mut bytes = message(SOCK_DIAG_BY_FAMILY, 2, &socket(8000, 1));
            bytes.extend(message(SOCK_DIAG_BY_FAMILY, 2, &socket(8001, 0)));
            bytes.extend(message(libc::NLMSG_DONE as u16, 2, &0i32.to_ne_bytes()));
            for (at, value) in hits {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(cut);
            let mut rows = Vec::new();
            read(&bytes, Transport::Tcp, SEQUENCE, &mut rows);
            prop_assert!(rows.len() <= 2);
        }
    }
}
