//! Clients that ask a name again and again, and count what went wrong.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long one request may wait for the new server.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(5);

/// Starts asking in a page, over and over, until `asking.over`.
pub const ASK_IN_PAGE: &str = "window.asking = { over: false, good: 0, bad: [] };
window.asking.done = (async () => {
  while (!asking.over) {
    await fetch('/', { cache: 'no-store' }).then(
      (answer) => (answer.ok ? asking.good++ : asking.bad.push(answer.status)),
      (error) => asking.bad.push(String(error)),
    )
  }
})();
true";

/// Ends it, and gives the counts.
pub const END_IN_PAGE: &str =
    "asking.over = true; asking.done.then(() => ({ good: asking.good, bad: asking.bad }))";

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Count {
    /// How many were answered with 200.
    pub good: usize,
    /// What became of the others.
    pub bad: Vec<String>,
}

/// Asks the front of http for a host until it is over, each time over a new connection.
pub fn ask(host: &str, over: &AtomicBool) -> Count {
    let mut count = Count::default();
    while !over.load(Ordering::Relaxed) {
        match once(host) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => count.good += 1,
            Ok(answer) => count.bad.push(answer.lines().next().unwrap_or("nothing").to_owned()),
            Err(error) => count.bad.push(error.to_string()),
        }
        std::thread::park_timeout(PAUSE);
    }
    count
}

fn once(host: &str) -> std::io::Result<String> {
    let front = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let mut stream = TcpStream::connect_timeout(&front, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
