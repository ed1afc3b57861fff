//! The load: so many connections that each ask anew as soon as they have their answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::Failure;
use crate::world::PATIENCE;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;
/// How long is asked before anything is counted.
pub(crate) const WARM_UP: Duration = Duration::from_millis(150);

/// What is asked, where, and by how many.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
    pub(crate) connections: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Of the bodies.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// From the writing of a request to the end of its answer, in nanoseconds.
    pub(crate) latencies: Vec<u32>,
}

/// The request for a path, with the fields of a browser's that costs little.
pub(crate) fn get(host: &str, path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
         Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\n\r\n"
    )
    .into_bytes()
}

/// The end of a head, its empty line included.
pub(crate) fn ends_of_head(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = data[at..].iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        if data[..at].ends_with(b"\r\n\r\n") {
            return Some(at);
        }
    }
    None
}

pub(crate) fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

struct Client {
    stream: TcpStream,
    /// What has come of a head.
    head: Vec<u8>,
    /// What is still to come of a body.
    left: usize,
    asked: Instant,
}

impl Load {
    /// Asks for so long, or so often.
    pub(crate) fn run(&self, duration: Duration, most: u64) -> Result<Outcome, Failure> {
        let queue = epoll::create(CreateFlags::CLOEXEC)?;
        let mut clients = self.connect(&queue)?;
        let mut buffer = vec![0; BUFFER];
        let mut outcome = Outcome::default();
        let mut begun = Instant::now();
        let warm = begun + WARM_UP;
        let mut warming = most == u64::MAX;
        let mut ready: Vec<Event> = Vec::with_capacity(512);
        for client in &mut clients {
            self.ask(client)?;
        }
        let patience = timespec(PATIENCE);
        loop {
            ready.clear();
            let space = rustix::buffer::spare_capacity(&mut ready);
            if epoll::wait(&queue, space, Some(&patience))? == 0 {
                return Err("an answer does not come".into());
            }
            for event in &ready {
                let client = &mut clients[usize::try_from(event.data.u64())?];
                if client.advance(&mut buffer, &mut outcome)? {
                    outcome.requests += 1;
                    let took = client.asked.elapsed().as_nanos();
                    outcome.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                    self.ask(client)?;
                }
            }
            let now = Instant::now();
            if warming && now >= warm {
                warming = false;
                begun = now;
                outcome = Outcome::default();
            }
            outcome.elapsed = now - begun;
            let enough = outcome.elapsed >= duration && outcome.requests > 0;
            if !warming && (enough || outcome.requests >= most) {
                return Ok(outcome);
            }
        }
    }

    fn connect(&self, queue: &OwnedFd) -> Result<Vec<Client>, Failure> {
        let mut clients = Vec::with_capacity(self.connections);
        for at in 0..self.connections {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(queue, &stream, EventData::new_u64(at as u64), EventFlags::IN)?;
            clients.push(Client { stream, head: Vec::new(), left: 0, asked: Instant::now() });
        }
        Ok(clients)
    }

    fn ask(&self, client: &mut Client) -> io::Result<()> {
        client.asked = Instant::now();
        // A request is far smaller than what a socket takes.
        client.stream.write_all(&self.request)
    }
}

impl Client {
    /// Reads what has come. True: the answer is complete.
    fn advance(&mut self, buffer: &mut [u8], outcome: &mut Outcome) -> Result<bool, Failure> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Err("the connection was closed".into()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let data = &buffer[..length];
        let body = if self.left > 0 {
            length
        } else {
            let before = self.head.len();
            self.head.extend_from_slice(data);
            let Some(end) = ends_of_head(&self.head) else { return Ok(false) };
            self.left = length_of_body(&self.head[..end])?;
            self.head.clear();
            before + length - end
        };
        self.left = self.left.checked_sub(body).ok_or("an answer is longer than it says")?;
        outcome.bytes += body as u64;
        Ok(self.left == 0)
    }
}

fn length_of_body(head: &[u8]) -> Result<usize, Failure> {
    const NAME: &[u8] = b"content-length:";
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("an answer is {:?}", String::from_utf8_lossy(head)).into());
    }
    for line in head.split(|byte| *byte == b'\n') {
        if line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)) {
            let value = std::str::from_utf8(line[NAME.len()..].trim_ascii())?;
            return Ok(value.parse()?);
        }
    }
    Err("an answer has no length".into())
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^53 requests")]
        let requests = self.requests as f64;
        requests / self.elapsed.as_secs_f64()
    }

    /// In MB per second.
    pub(crate) fn throughput(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^53 bytes")]
        let bytes = self.bytes as f64;
        bytes / 1e6 / self.elapsed.as_secs_f64()
    }

    /// The latency that so many per cent do not exceed, in microseconds.
    pub(crate) fn latency(&mut self, per_cent: usize) -> f64 {
        percentile(&mut self.latencies, per_cent)
    }
}

/// The sample that so many per cent do not exceed, from nanoseconds to microseconds.
pub(crate) fn percentile(samples: &mut [u32], per_cent: usize) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    samples.sort_unstable();
    let at = (samples.len() * per_cent / 100).min(samples.len() - 1);
    f64::from(samples[at]) / 1e3
}
