//! One GET request, as plain as a client can make it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body, unchunked, as text.
    pub body: String,
}

impl Answer {
    /// The value of a field, in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }
}

/// The longest answer that is read; every page of the projects is far shorter.
const LONGEST: usize = 4 << 20;

/// Asks `address` for `path`. A page that is compiled on the first request gets `within` to come.
pub fn get(address: SocketAddr, path: &str, within: Duration) -> Result<Answer, String> {
    get_of(address, &address.to_string(), path, within)
}

/// The same, of the site of this host.
pub fn get_of(
    address: SocketAddr,
    host: &str,
    path: &str,
    within: Duration,
) -> Result<Answer, String> {
    let deadline = Instant::now() + within;
    let mut stream = TcpStream::connect_timeout(&address, within)
        .map_err(|error| format!("cannot connect to {address}: {error}"))?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(|error| format!("cannot send to {address}: {error}"))?;
    let raw = read_to_end(&mut stream, deadline)
        .map_err(|error| format!("no answer from {address}: {error}"))?;
    parse(&raw).ok_or_else(|| {
        format!("{address} did not answer HTTP, but {:?}", String::from_utf8_lossy(&raw))
    })
}

fn read_to_end(stream: &mut TcpStream, deadline: Instant) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    let mut piece = [0; 16 << 10];
    while raw.len() < LONGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("it took too long".to_owned());
        }
        stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => raw.extend_from_slice(&piece[..length]),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(raw)
}

fn parse(raw: &[u8]) -> Option<Answer> {
    let end = find(raw, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).ok()?.to_ascii_lowercase();
    let status = head.strip_prefix("http/1.")?.split(' ').nth(1)?.parse().ok()?;
    let rest = &raw[end + 4..];
    let body =
        if head.contains("transfer-encoding: chunked") { unchunk(rest)? } else { rest.into() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), head })
}

fn unchunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(raw, b"\r\n")?;
        let size = std::str::from_utf8(&raw[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(raw.get(end + 2..end + 2 + size)?);
        raw = raw.get(end + 4 + size..)?;
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_plain_answer_is_read() {
        let answer = parse(b"HTTP/1.0 200 OK\r\nServer: X\r\n\r\nhello").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        assert_eq!((answer.field("server"), answer.field("serve")), (Some("x"), None));
    }

    #[test]
    fn a_chunked_answer_is_put_together() {
        let raw = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
        let answer = parse(raw).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, "hello"));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert!(parse(b"+OK\r\n\r\n").is_none());
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhel").is_none());
    }
}
