//! The filter: which calls are stopped, as a program for the kernel.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Which calls are stopped beside `bind`, `listen`, and a `shutdown` that ends reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// `connect` as well. It costs each TCP connect some tens of microseconds, and when whoever
    /// answers dies, every further connect fails.
    pub connect: bool,
    /// `getsockname` as well, to let a server see the port that it named.
    pub names: bool,
}

/// The architecture whose system calls are filtered; those of any other pass.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
/// The architecture whose system calls are filtered; those of any other pass.
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
/// No call has it, so every call passes and the self-test says that remapping does not work.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Where `struct seccomp_data` keeps the number of the call, the architecture and two of the arguments
/// (their lower halves: both architectures are little-endian).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const SECOND_ARGUMENT: u32 = 24;
const THIRD_ARGUMENT: u32 = 32;

/// The shortest address of a family that has ports.
const SHORTEST_ADDRESS: u32 = 16;
/// The whole `struct sockaddr_un`, as most programs pass it: never an address with a port.
const UNIX_ADDRESS: u32 = 110;

/// What a `shutdown` says that ends writing alone, as most do: it does nothing to a listener.
const ENDS_WRITING: u32 = libc::SHUT_WR.cast_unsigned();

/// Not in the C library's headers for every target.
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

/// A filter, made before the fork.
pub(crate) struct Program {
    instructions: Vec<libc::sock_filter>,
}

impl Program {
    pub(crate) fn new(calls: Calls) -> Program {
        let mut whole = vec![libc::SYS_listen];
        let mut with_address = vec![libc::SYS_bind];
        if calls.connect {
            with_address.push(libc::SYS_connect);
        }
        if calls.names {
            whole.push(libc::SYS_getsockname);
        }
        Program { instructions: assemble(&whole, &with_address) }
    }

    /// Installs the filter for this process and all that it will ever start. Gives the descriptor by
    /// which the calls are answered; it is closed on exec.
    ///
    /// For use between fork and exec: nothing is allocated.
    pub(crate) fn install(&self) -> io::Result<OwnedFd> {
        // SPEC_ALLOW: before Linux 5.16 a filter would turn on costly mitigations for the whole tree.
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // Linux 5.19: without WAIT_KILLABLE a signal to the caller takes the call back, and it begins anew.
        match self.install_with(flags | WAIT_KILLABLE_RECV) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.install_with(flags),
            result => result,
        }
    }

    /// First without "no new privileges", so that `sudo` works in the tree of whoever may do without.
    fn install_with(&self, flags: libc::c_ulong) -> io::Result<OwnedFd> {
        match self.system_call(flags) {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                // SAFETY: only sets a flag of this process.
                unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
                self.system_call(flags)
            }
            result => result,
        }
    }

    fn system_call(&self, flags: libc::c_ulong) -> io::Result<OwnedFd> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.instructions.len()).unwrap_or_default(),
            filter: self.instructions.as_ptr().cast_mut(),
        };
        // SAFETY: the program and its instructions outlive the call, which copies them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        match i32::try_from(fd) {
            // SAFETY: the call has just given this descriptor, and nobody else has it.
            Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// ```text
/// architecture is ours, else allow
/// number in `whole`: stop
/// number in `with_address`: stop if the third argument is the length of an address with a port
/// number is `shutdown`: stop unless it ends writing alone
/// allow
/// ```
fn assemble(whole: &[libc::c_long], with_address: &[libc::c_long]) -> Vec<libc::sock_filter> {
    // From the end: the jumps forward are then known.
    let tail = [
        load(SECOND_ARGUMENT),
        jump(libc::BPF_JEQ, ENDS_WRITING, 4, 3),
        load(THIRD_ARGUMENT),
        jump(libc::BPF_JGE, SHORTEST_ADDRESS, 0, 2),
        jump(libc::BPF_JEQ, UNIX_ADDRESS, 1, 0),
        give(libc::SECCOMP_RET_USER_NOTIF),
        give(libc::SECCOMP_RET_ALLOW),
    ];
    // Where in the tail each kind of call is judged.
    let (of_shutdown, of_address, stop) = (0, 2, 5);
    let tests = whole.iter().map(|number| (*number, stop));
    let tests = tests.chain(with_address.iter().map(|number| (*number, of_address)));
    let tests: Vec<_> = tests.chain([(libc::SYS_shutdown, of_shutdown)]).collect();
    let mut program = vec![load(ARCH)];
    // To the last instruction of the tail.
    let to_the_end = tests.len() + 2 + tail.len() - 1;
    program.push(jump(libc::BPF_JEQ, ARCHITECTURE, 0, distance(to_the_end)));
    program.push(load(NUMBER));
    for (at, (number, into_tail)) in tests.iter().enumerate() {
        // Past the remaining tests and the `allow` behind them.
        let forward = tests.len() - at + into_tail;
        program.push(jump(libc::BPF_JEQ, number_of(*number), distance(forward), 0));
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program.extend(tail);
    program
}

fn number_of(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// All filters here have a dozen instructions.
fn distance(instructions: usize) -> u8 {
    u8::try_from(instructions).unwrap_or(u8::MAX)
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, value, if_true, if_false)
}

fn give(action: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a call: the few instructions that are used here.
    fn run(
        program: &[libc::sock_filter],
        number: u32,
        arch: u32,
        (second, length): (u32, u32),
    ) -> u32 {
        let data = |offset| match offset {
            NUMBER => number,
            ARCH => arch,
            SECOND_ARGUMENT => second,
            THIRD_ARGUMENT => length,
            other => panic!("reads at {other}"),
        };
        let (mut at, mut value) = (0usize, 0u32);
        loop {
            let step = program[at];
            let (class, test) = (u32::from(step.code) & 7, u32::from(step.code) & 0xf0);
            at += 1;
            match class {
                libc::BPF_LD => value = data(step.k),
                libc::BPF_RET => return step.k,
                _ => {
                    let holds =
                        if test == libc::BPF_JEQ { value == step.k } else { value >= step.k };
                    at += usize::from(if holds { step.jt } else { step.jf });
                }
            }
        }
    }

    fn stops(calls: Calls, number: libc::c_long, length: u32) -> bool {
        let program = Program::new(calls).instructions;
        let action = run(&program, number_of(number), ARCHITECTURE, (0, length));
        assert!([libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF].contains(&action));
        action == libc::SECCOMP_RET_USER_NOTIF
    }

    #[test]
    fn only_addresses_with_ports_are_stopped() {
        for calls in [
            Calls::default(),
            Calls { connect: true, names: false },
            Calls { connect: true, names: true },
        ] {
            for (length, stopped) in [(0, false), (2, false), (15, false), (16, true), (28, true)] {
                assert_eq!(stops(calls, libc::SYS_bind, length), stopped, "{calls:?} {length}");
                let connect = stops(calls, libc::SYS_connect, length);
                assert_eq!(connect, stopped && calls.connect, "{calls:?} {length}");
            }
            assert!(!stops(calls, libc::SYS_bind, 110));
            assert!(stops(calls, libc::SYS_bind, 128));
            assert!(stops(calls, libc::SYS_listen, 0));
            assert_eq!(stops(calls, libc::SYS_getsockname, 0), calls.names);
        }
    }

    #[test]
    fn a_shutdown_is_stopped_unless_it_ends_writing_alone() {
        for calls in [Calls::default(), Calls { connect: true, names: true }] {
            let program = Program::new(calls).instructions;
            for (how, stopped) in
                [(libc::SHUT_RD, true), (libc::SHUT_WR, false), (libc::SHUT_RDWR, true)]
            {
                let number = number_of(libc::SYS_shutdown);
                let action = run(&program, number, ARCHITECTURE, (how.cast_unsigned(), 0));
                assert_eq!(action == libc::SECCOMP_RET_USER_NOTIF, stopped, "{calls:?} {how}");
            }
        }
    }

    #[test]
    fn every_other_call_and_architecture_passes() {
        let program = Program::new(Calls { connect: true, names: true }).instructions;
        for number in 0..600 {
            let ours = [
                libc::SYS_bind,
                libc::SYS_listen,
                libc::SYS_connect,
                libc::SYS_getsockname,
                libc::SYS_shutdown,
            ];
            let stopped = ours.iter().any(|call| number_of(*call) == number);
            let expected =
                if stopped { libc::SECCOMP_RET_USER_NOTIF } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(run(&program, number, ARCHITECTURE, (0, 16)), expected, "{number}");
            // i386, and x32 by its bit in the number.
            assert_eq!(run(&program, number, 0x4000_0003, (0, 16)), libc::SECCOMP_RET_ALLOW);
            let x32 = number | 0x4000_0000;
            assert_eq!(run(&program, x32, ARCHITECTURE, (0, 16)), libc::SECCOMP_RET_ALLOW);
        }
    }
}
