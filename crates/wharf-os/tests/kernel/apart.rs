//! Tests that run apart from the others: in a process of their own, since whatever another test
//! forks holds all sockets of the process until it executes; or in a network of their own, loopback
//! only, with a second address of the kind that a LAN gives.

use std::mem::zeroed;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

use rustix::net::{AddressFamily, SocketType};

/// An address of the private network that is no loopback address.
pub(crate) const LAN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MARK: &str = "WHARF_OS_TEST_APART";

/// Runs the test named so again, in a process of its own, and says whether the caller is that
/// second run.
pub(crate) fn process(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    run(Command::new(own()), test);
    false
}

/// As [`process`], in a network namespace of its own too. Where namespaces are refused the test is
/// skipped, and says so.
pub(crate) fn network(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        prepare();
        return true;
    }
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        // Root needs no user namespace, and keeps its rights over other users this way.
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--net", "--", program]);
        command
    };
    if unshare("true").status().is_ok_and(|status| status.success()) {
        run(unshare(&own()), test);
    } else {
        eprintln!("skipped: no private network namespace is to be had here");
    }
    false
}

fn own() -> String {
    std::env::current_exe().unwrap().into_os_string().into_string().unwrap()
}

fn run(mut command: Command, test: &str) {
    let output = command.args(["--exact", test, "--nocapture"]).env(MARK, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed apart");
    assert!(text.contains("1 passed"), "no test is named {test}");
}

/// Brings loopback up, which also gives it 127.0.0.1 and ::1, and adds the LAN address.
fn prepare() {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    set(&socket, "lo", libc::SIOCSIFFLAGS, |request| {
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    });
    set(&socket, "lo:1", libc::SIOCSIFADDR, |request| {
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from(LAN).to_be() },
            sin_zero: [0; 8],
        };
        // SAFETY: both are plain C structs of the same size, made to stand for each other.
        request.ifr_ifru.ifru_addr =
            unsafe { std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
    });
}

fn set(socket: &OwnedFd, name: &str, what: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) {
    // SAFETY: a plain C struct, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    fill(&mut request);
    // SAFETY: these requests read an `ifreq`, which outlives the call.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), what, &request) };
    assert_eq!(status, 0, "{name}: {}", std::io::Error::last_os_error());
}
