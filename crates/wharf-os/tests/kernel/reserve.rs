//! Reservations.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use wharf_os::diag::{self, SocketState};
use wharf_os::reserve::{self, Occupancy, Reservation};

use crate::sockets::{
    ANY, ANY6, LO, LO6, Options, PLAIN, SERVER, bound, inode_of, leave_in_time_wait, listening,
    port_of,
};
use crate::{apart, sandbox};

const PATIENCE: Duration = Duration::from_secs(20);

fn errno(result: std::io::Result<OwnedFd>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn servers_start_over_a_reservation_and_others_do_not() {
    if !apart::process("reserve::servers_start_over_a_reservation_and_others_do_not") {
        return;
    }
    let reservation = Reservation::take(0).unwrap();
    let port = reservation.port();
    let v6only = Options { v6only: true, ..SERVER };
    for (address, options) in [(ANY, SERVER), (LO, SERVER), (LO6, SERVER), (ANY6, v6only)] {
        let server = listening(address, port, options).unwrap();
        drop(TcpStream::connect(SocketAddr::new(if address == ANY { LO } else { LO6 }, port)));
        drop(server);
        // Closed and started again: the reservation is still there.
        drop(listening(address, port, options).unwrap());
    }
    let server = listening(ANY6, port, SERVER).unwrap();
    assert!(TcpStream::connect(SocketAddr::new(LO, port)).is_ok());
    assert!(TcpStream::connect(SocketAddr::new(LO6, port)).is_ok());
    drop(server);
    let reuseport = Options { reuseport: true, ..PLAIN };
    for options in [PLAIN, reuseport] {
        for address in [ANY, LO, LO6, ANY6] {
            assert_eq!(errno(bound(address, port, options)), Some(libc::EADDRINUSE));
        }
    }
    let refused = TcpStream::connect(SocketAddr::new(LO, port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn an_exclusive_reservation_lets_nobody_in_until_it_is_shared() {
    if !apart::process("reserve::an_exclusive_reservation_lets_nobody_in_until_it_is_shared") {
        return;
    }
    let reservation = Reservation::take_exclusive(0).unwrap();
    let port = reservation.port();
    for address in [ANY, LO, LO6, ANY6] {
        assert_eq!(errno(bound(address, port, SERVER)), Some(libc::EADDRINUSE));
    }
    reservation.share(true).unwrap();
    drop(listening(ANY, port, SERVER).unwrap());
    reservation.share(false).unwrap();
    assert_eq!(errno(bound(ANY, port, SERVER)), Some(libc::EADDRINUSE));
}

#[test]
fn the_second_to_take_a_port_is_told_of_the_first() {
    let reservation = Reservation::take(0).unwrap();
    match Reservation::take(reservation.port()) {
        Err(Occupancy::Taken(holding)) => {
            assert_eq!(holding.len(), 1);
            assert_eq!(holding[0].state, SocketState::Bound);
            let own = rustix::fs::fstat(&reservation).unwrap().st_ino;
            assert_eq!(holding[0].inode, own);
            assert_eq!(holding[0].uid, wharf_os::user::current_uid());
        }
        other => panic!("{other:?}"),
    }
    let port = reservation.port();
    drop(reservation);
    assert!(reserve::wait_free(port, PATIENCE));
}

#[test]
fn of_many_that_take_one_port_at_once_one_gets_it() {
    if !apart::network("reserve::of_many_that_take_one_port_at_once_one_gets_it") {
        return;
    }
    for round in 0..50u16 {
        let barrier = Barrier::new(8);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        Reservation::take(20_000 + round)
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 1, "{taken:?}");
    }
}

#[test]
fn a_port_in_time_wait_can_be_taken_by_one() {
    if !apart::process("reserve::a_port_in_time_wait_can_be_taken_by_one") {
        return;
    }
    let server = listening(LO, 0, SERVER).unwrap();
    let port = port_of(&server);
    leave_in_time_wait(server);
    assert!(bound(ANY6, port, PLAIN).is_err());
    assert!(matches!(reserve::probe(port), Occupancy::TimeWait));
    assert!(diag::lingering(port).unwrap());
    assert!(reserve::wait_free(port, Duration::ZERO));
    let reservation = Reservation::take(port).unwrap();
    assert_eq!(reservation.port(), port);
    assert!(matches!(Reservation::take(port), Err(Occupancy::Taken(by)) if by.len() == 1));
    drop(listening(LO, port, SERVER).unwrap());
}

#[test]
fn a_port_in_time_wait_without_reuse_cannot_be_had() {
    if !apart::process("reserve::a_port_in_time_wait_without_reuse_cannot_be_had") {
        return;
    }
    let server = listening(LO, 0, PLAIN).unwrap();
    let port = port_of(&server);
    leave_in_time_wait(server);
    assert!(matches!(reserve::probe(port), Occupancy::TimeWait));
    assert!(matches!(Reservation::take(port), Err(Occupancy::TimeWait)));
}

#[test]
fn of_many_that_take_one_port_in_time_wait_at_most_one_gets_it() {
    let test = "reserve::of_many_that_take_one_port_in_time_wait_at_most_one_gets_it";
    if !apart::network(test) {
        return;
    }
    let mut successes = 0;
    for port in 20_000..20_050 {
        leave_in_time_wait(listening(LO, port, SERVER).unwrap());
        let barrier = Barrier::new(4);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let take = || {
                barrier.wait();
                Reservation::take(port)
            };
            let takers: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        let count = taken.iter().filter(|result| result.is_ok()).count();
        assert!(count <= 1, "{taken:?}");
        successes += count;
    }
    assert!(successes > 0);
}

#[test]
fn a_live_connection_without_its_listener_is_no_listener() {
    if !apart::process("reserve::a_live_connection_without_its_listener_is_no_listener") {
        return;
    }
    let server = listening(LO, 0, SERVER).unwrap();
    let port = port_of(&server);
    let _client = TcpStream::connect(SocketAddr::new(LO, port)).unwrap();
    let _accepted = rustix::net::accept(&server).unwrap();
    drop(server);
    assert!(matches!(reserve::probe(port), Occupancy::TimeWait));
    assert!(Reservation::take(port).is_ok());
}

#[test]
fn waiting_for_a_port_ends_when_its_holder_does_and_no_sooner() {
    let server = listening(LO6, 0, SERVER).unwrap();
    let port = port_of(&server);
    assert!(!reserve::wait_free(port, Duration::from_millis(20)));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            (reserve::wait_free(port, PATIENCE), begun.elapsed())
        });
        drop(server);
        let (free, took) = waiting.join().unwrap();
        assert!(free && took < PATIENCE, "{took:?}");
    });
}

#[test]
fn a_privileged_port_is_denied_and_not_called_taken() {
    if !apart::network("reserve::a_privileged_port_is_denied_and_not_called_taken") {
        return;
    }
    std::thread::spawn(|| {
        // This thread alone becomes an ordinary user. In a user namespace only root has a number.
        let nobody = rustix::process::Uid::from_raw(65_534);
        if rustix::thread::set_thread_res_uid(nobody, nobody, nobody).is_err() {
            eprintln!("skipped: there is no other user here");
            return;
        }
        let port = reserve::unprivileged_start() - 1;
        match reserve::probe(port) {
            Occupancy::Denied(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(Reservation::take(port), Err(Occupancy::Denied(_))));
    })
    .join()
    .unwrap();
}

#[test]
fn a_reservation_is_skipped_by_the_kernels_own_choice() {
    if !apart::network("reserve::a_reservation_is_skipped_by_the_kernels_own_choice") {
        return;
    }
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "30000 30009").unwrap();
    assert_eq!(reserve::ephemeral_range(), (30_000, 30_009));
    let _kept: Vec<_> = (30_000..30_008).map(|port| Reservation::take(port).unwrap()).collect();
    let first = bound(LO, 0, SERVER).unwrap();
    let second = bound(LO, 0, PLAIN).unwrap();
    let mut given = [port_of(&first), port_of(&second)];
    given.sort_unstable();
    assert!(given[0] >= 30_008, "{given:?}");
    assert!(inode_of(&first) != inode_of(&second));
}

#[test]
fn without_ipv6_the_port_is_kept_on_ipv4() {
    if !apart::process("reserve::without_ipv6_the_port_is_kept_on_ipv4") {
        return;
    }
    std::thread::spawn(|| {
        sandbox::refuse(libc::SYS_socket, Some(libc::AF_INET6), libc::EAFNOSUPPORT);
        let reservation = Reservation::take(0).unwrap();
        let port = reservation.port();
        assert!(matches!(Reservation::take(port), Err(Occupancy::Taken(by)) if by.len() == 1));
        for address in [ANY, LO] {
            assert_eq!(errno(bound(address, port, PLAIN)), Some(libc::EADDRINUSE));
            drop(listening(address, port, SERVER).unwrap());
        }
        let server = listening(LO, port, SERVER).unwrap();
        drop(reservation);
        assert!(matches!(reserve::probe(port), Occupancy::Taken(by) if by.len() == 1));
        drop(server);
    })
    .join()
    .unwrap();
}

#[test]
fn with_ipv6_switched_off_the_port_is_kept_all_the_same() {
    let test = "reserve::with_ipv6_switched_off_the_port_is_kept_all_the_same";
    if !apart::network(test) {
        return;
    }
    for device in ["all", "lo"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "1");
    }
    assert!(bound(LO6, 0, PLAIN).is_err());
    let reservation = Reservation::take(8000).unwrap();
    assert!(matches!(Reservation::take(8000), Err(Occupancy::Taken(by)) if by.len() == 1));
    let server = listening(ANY, 8000, SERVER).unwrap();
    drop(reservation);
    assert!(matches!(reserve::probe(8000), Occupancy::Taken(by)
        if by.len() == 1 && by[0].state == SocketState::Listen));
    drop(server);
    assert!(matches!(reserve::probe(8000), Occupancy::Free));
}

#[test]
fn a_sandbox_that_denies_bind_is_not_called_an_occupant() {
    std::thread::spawn(|| {
        for call in [libc::SYS_bind, libc::SYS_socket] {
            sandbox::refuse(call, None, libc::EPERM);
            match reserve::probe(8000) {
                Occupancy::Denied(error) => {
                    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .join()
    .unwrap();
}
