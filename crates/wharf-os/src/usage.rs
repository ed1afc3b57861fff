//! What a set of processes uses: processor time, memory, connections.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::diag::{self, Connected};

/// The processor time of processes at one moment, for a comparison with a later one.
#[derive(Debug)]
pub struct CpuSample {
    at: Instant,
    by_pid: HashMap<u32, Duration>,
}

impl CpuSample {
    /// Asks the kernel now. A process that has gone, or whose clock it does not tell, is left out.
    pub fn take(pids: impl IntoIterator<Item = u32>) -> CpuSample {
        let by_pid = pids.into_iter().filter_map(|pid| Some((pid, cpu_time(pid)?))).collect();
        CpuSample { at: Instant::now(), by_pid }
    }

    /// The share of one processor that these processes have used since `before`, in percent: 200 is two
    /// processors. One that was not there then has used all its time since; what one that has ended
    /// meanwhile had used is lost.
    pub fn percent_since(&self, before: &CpuSample, pids: &[u32]) -> f64 {
        let used: Duration = pids
            .iter()
            .filter_map(|pid| {
                let now = self.by_pid.get(pid)?;
                let then = before.by_pid.get(pid).copied().unwrap_or_default();
                Some(now.saturating_sub(then))
            })
            .sum();
        let passed = self.at.saturating_duration_since(before.at);
        if passed.is_zero() {
            return 0.0;
        }
        used.as_secs_f64() / passed.as_secs_f64() * 100.0
    }
}

/// What all threads of a process have used of processors.
fn cpu_time(pid: u32) -> Option<Duration> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the call writes one clock id to where the pointer leads.
    if unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) } != 0 {
        return None;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one time to where the pointer leads.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// The memory of a process in bytes: its own and its part of what it shares (PSS), or where that may not be
/// read all that is resident, shared or not (RSS). 0 where it has gone.
pub fn memory(pid: u32) -> u64 {
    pss(pid).or_else(|| rss(pid)).unwrap_or(0)
}

fn pss(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    kilobytes(&text, "Pss:")
}

fn rss(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kilobytes(&text, "VmRSS:")
}

/// The number of a line such as `Pss:  12 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// Every established connection of this network namespace, by its end of this machine.
///
/// # Errors
/// The kernel does not tell its sockets.
pub fn connections() -> io::Result<Vec<Connected>> {
    diag::connected()
}

/// How many of them have come to listeners at these addresses.
pub fn connected_to(all: &[Connected], listeners: &[(IpAddr, u16)]) -> usize {
    let is_of = |one: &&Connected, (address, port): &(IpAddr, u16)| {
        one.port == *port
            && (address.is_unspecified() || address.to_canonical() == one.address.to_canonical())
    };
    all.iter().filter(|one| listeners.iter().any(|listener| is_of(one, listener))).count()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn lines_of_proc_are_read_in_bytes() {
        assert_eq!(kilobytes("Rss:  8 kB\nPss:   12 kB\n", "Pss:"), Some(12_288));
        assert_eq!(kilobytes("Pss: much\n", "Pss:"), None);
        assert_eq!(kilobytes("", "Pss:"), None);
    }

    #[test]
    fn a_busy_process_uses_processor_time_and_an_idle_one_none() {
        let own = std::process::id();
        let before = CpuSample::take([own]);
        let mut sum = 0_u64;
        let deadline = Instant::now() + Duration::from_secs(60);
        let used = loop {
            (0..200_000_u64).for_each(|number| sum = std::hint::black_box(sum ^ number));
            let now = CpuSample::take([own]);
            let used = now.percent_since(&before, &[own]);
            if used > 1.0 || Instant::now() > deadline {
                break used;
            }
        };
        assert!(used > 1.0, "{used}");
        let mut idle = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (one, other) = (CpuSample::take([idle.id()]), CpuSample::take([idle.id()]));
        let quiet = other.percent_since(&one, &[idle.id()]);
        idle.kill().unwrap();
        idle.wait().unwrap();
        assert!(quiet < 1000.0, "{quiet}");
        assert_eq!(other.percent_since(&one, &[u32::MAX]), 0.0, "nobody");
    }

    #[test]
    fn what_is_touched_is_resident() {
        const SIZE: usize = 48 << 20;
        let before = memory(std::process::id());
        let block = std::hint::black_box(vec![7_u8; SIZE]);
        let after = memory(std::process::id());
        assert!(after >= before + (SIZE as u64) / 2, "{before} {after} {}", block.len());
        assert!(before > 0);
        assert_eq!(memory(u32::MAX), 0);
    }

    #[test]
    fn a_connection_counts_at_its_server_and_not_at_its_client() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(own).unwrap()).collect();
        let all = connections().unwrap();
        assert_eq!(connected_to(&all, &[(own.ip(), own.port())]), clients.len());
        assert_eq!(connected_to(&all, &[("0.0.0.0".parse().unwrap(), own.port())]), 3);
        assert_eq!(connected_to(&all, &[("127.0.0.9".parse().unwrap(), own.port())]), 0);
    }
}
