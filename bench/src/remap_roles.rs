//! What the bench binary plays for the figures of remapping.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::{Failure, clock};

/// How often each call is made; `getpid` is too short for one at a time.
const TIMES: usize = 400;
const SHORT_ONES: u32 = 200_000;

fn socket(flags: SocketFlags) -> Result<OwnedFd, Failure> {
    let flags = flags | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// Times `bind`, `listen`, `connect` and `getpid`, and writes the medians in microseconds into a file.
pub(crate) fn calls(file: &str, port: u16) -> Result<(), Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (mut bind, mut listen) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let server = socket(SocketFlags::empty())?;
        sockopt::set_socket_reuseaddr(&server, true)?;
        bind.push(time(|| Ok(rustix::net::bind(&server, &address)?))?);
        listen.push(time(|| Ok(rustix::net::listen(&server, 8)?))?);
    }
    let server = TcpListener::bind(address)?;
    let connect = |flags: SocketFlags| -> Result<f64, Failure> {
        let mut samples = Vec::new();
        for _ in 0..TIMES {
            let client = socket(flags)?;
            // No connection lingers.
            sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
            samples.push(time(|| match rustix::net::connect(&client, &address) {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(()),
                Err(error) => Err(error.into()),
            })?);
            drop(server.accept()?);
        }
        Ok(median(samples))
    };
    let (blocking, not) = (connect(SocketFlags::empty())?, connect(SocketFlags::NONBLOCK)?);
    let short = time(|| {
        for _ in 0..SHORT_ONES {
            std::hint::black_box(rustix::process::getpid());
        }
        Ok(())
    })?;
    let short = short / f64::from(SHORT_ONES);
    let medians = [median(bind), median(listen), blocking, not, short];
    Ok(std::fs::write(file, medians.map(|median| median.to_string()).join(" "))?)
}

/// In microseconds.
fn time(call: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    call()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// A server that keeps connections open, a thread for each.
pub(crate) fn http(port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}

/// The questions are short: each comes in one piece.
fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut question = [0u8; 1024];
    while let Ok(1..) = stream.read(&mut question) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// A program that listens `delay` milliseconds after its start on the port that it names, and writes into
/// `file` when it called `listen`.
pub(crate) fn listener(file: &str, delay: u64, port: u16) -> Result<(), Failure> {
    std::thread::sleep(Duration::from_millis(delay));
    let server = socket(SocketFlags::empty())?;
    sockopt::set_socket_reuseaddr(&server, true)?;
    rustix::net::bind(&server, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let called = clock::now();
    rustix::net::listen(&server, 8)?;
    std::fs::write(file, format!("{called}\n"))?;
    loop {
        std::thread::park();
    }
}
