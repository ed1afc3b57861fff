//! What the reservation stands on: which occupant refuses which bind, cell for cell, and that the
//! one probe sees them all. In a private network, so that the LAN address is there and no port is
//! foreign.

use std::net::{IpAddr, Ipv4Addr};

use wharf_os::diag::SocketState;
use wharf_os::reserve::{self, Occupancy};

use crate::apart::{self, LAN};
use crate::sockets::{ANY, ANY6, LO, LO6, Options, PLAIN, SERVER, bound, listening, port_of};

const PORT: u16 = 8000;
const LO2: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const MAPPED: IpAddr = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());

/// The occupants down and the probes across, in this order.
const KINDS: [(IpAddr, bool); 8] = [
    (LO, false),
    (LO2, false),
    (IpAddr::V4(LAN), false),
    (ANY, false),
    (LO6, false),
    (ANY6, false),
    (ANY6, true),
    (MAPPED, false),
];
/// `#` is refused.
const TABLE: [&str; 8] = [
    "#..#.#.#", // 127.0.0.1
    ".#.#.#..", // 127.0.0.2
    "..##.#..", // LAN
    "####.#.#", // 0.0.0.0
    "....###.", // ::1
    "########", // [::]
    "....###.", // [::] v6only
    "#..#.#.#", // ::ffff:127.0.0.1
];

fn refuses(kind: (IpAddr, bool), options: Options) -> bool {
    let options = Options { v6only: kind.1, ..options };
    match bound(kind.0, PORT, options).and_then(|socket| Ok(rustix::net::listen(socket, 1)?)) {
        Ok(()) => false,
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => true,
        Err(error) => panic!("{kind:?}: {error}"),
    }
}

fn row(options: Options) -> String {
    KINDS.iter().map(|kind| if refuses(*kind, options) { '#' } else { '.' }).collect()
}

#[test]
fn listeners_and_plainly_bound_sockets_refuse_as_in_the_table() {
    if !apart::network("truth_table::listeners_and_plainly_bound_sockets_refuse_as_in_the_table") {
        return;
    }
    for (kind, expected) in KINDS.into_iter().zip(TABLE) {
        let v6only = kind.1;
        for prober in [PLAIN, SERVER] {
            for occupant in [PLAIN, SERVER] {
                let options = Options { v6only, ..occupant };
                let _listener = listening(kind.0, PORT, options).unwrap();
                assert_eq!(row(prober), expected, "{kind:?} listens: {occupant:?} {prober:?}");
            }
            let _bound = bound(kind.0, PORT, Options { v6only, ..PLAIN }).unwrap();
            assert_eq!(row(prober), expected, "{kind:?} bound plainly: {prober:?}");
        }
        let _bound = bound(kind.0, PORT, Options { v6only, ..SERVER }).unwrap();
        assert_eq!(row(PLAIN), expected, "{kind:?} bound with SO_REUSEADDR");
        assert_eq!(row(SERVER), "........", "{kind:?} and prober both with SO_REUSEADDR");
    }
}

#[test]
fn the_one_probe_sees_every_occupant() {
    if !apart::network("truth_table::the_one_probe_sees_every_occupant") {
        return;
    }
    let reuseport = Options { reuseport: true, ..PLAIN };
    let mptcp = Options { mptcp: true, ..SERVER };
    for (address, v6only) in KINDS {
        for options in [PLAIN, SERVER, reuseport, mptcp] {
            let options = Options { v6only, ..options };
            if options.mptcp && listening(address, 0, options).is_err() {
                eprintln!("left out: no MPTCP here");
                continue;
            }
            let what = format!("{address} {options:?}");
            let bound = bound(address, PORT, options).unwrap();
            assert_eq!(port_of(&bound), PORT);
            assert_taken(address, SocketState::Bound, &what);
            rustix::net::listen(&bound, 1).unwrap();
            assert_taken(address, SocketState::Listen, &what);
            drop(bound);
            assert!(matches!(reserve::probe(PORT), Occupancy::Free), "{what} has gone");
        }
    }
}

fn assert_taken(address: IpAddr, state: SocketState, what: &str) {
    match reserve::probe(PORT) {
        Occupancy::Taken(holding) => {
            // Before Linux 6.8 what is bound and does not listen is not to be seen.
            if state == SocketState::Bound && holding.is_empty() {
                return;
            }
            assert_eq!(holding.len(), 1, "{what}: {holding:?}");
            assert_eq!((holding[0].address, holding[0].state), (address, state), "{what}");
        }
        other => panic!("{what} {state:?}: {other:?}"),
    }
}
