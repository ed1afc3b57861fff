//! What the bench binary plays for its own measurements: the child, the server, the holder of sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::{Failure, clock, proxy, remap_roles};

/// Plays a role until it is over.
pub(crate) fn play(role: &str, args: &[&str], began: i64) -> Result<(), Failure> {
    match (role, args) {
        ("child", [file]) => Ok(std::fs::write(file, began.to_string())?),
        ("server", [file, delay, close]) => server(file, delay.parse()?, close.parse()?),
        ("holder", [first, count]) => holder(first.parse()?, count.parse()?),
        ("calls", [file, port]) => remap_roles::calls(file, port.parse()?),
        ("http", [port]) => remap_roles::http(port.parse()?),
        ("listener", [file, delay, port]) => {
            remap_roles::listener(file, delay.parse()?, port.parse()?)
        }
        ("upstream", [port]) => proxy::upstream::serve(port.parse()?),
        ("load", [address, host, path, connections, seconds]) => {
            proxy::ask(address, host, path, connections, seconds)
        }
        _ => Err(format!("there is no role `{role}` with {} arguments", args.len()).into()),
    }
}

/// A server that listens `delay` milliseconds after its start on `PORT` and writes into `file` when
/// `listen` returned and when its first answer was written. It closes after an answer, or leaves that
/// to the client.
fn server(file: &str, delay: u64, close: bool) -> Result<(), Failure> {
    std::thread::sleep(Duration::from_millis(delay));
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let listening = clock::now();
    let mut told = false;
    let mut open = Vec::new();
    loop {
        let (stream, _) = listener.accept()?;
        if answer(&stream)? && !told {
            let answered = clock::now();
            told = true;
            std::fs::write(file, format!("{listening} {answered}"))?;
        }
        if !close {
            open.push(stream);
        }
    }
}

/// How long a connection may say nothing.
const QUESTION_LIMIT: Duration = Duration::from_secs(2);

/// Reads a request's head and answers it. A connection that says nothing is no request.
fn answer(mut stream: &TcpStream) -> Result<bool, Failure> {
    stream.set_read_timeout(Some(QUESTION_LIMIT))?;
    let mut head = Vec::new();
    let mut buffer = [0u8; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return Ok(false),
            Ok(length) => head.extend_from_slice(&buffer[..length]),
        }
    }
    let words = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    Ok(stream.write_all(words).is_ok())
}

/// A process with `count` listeners from the port `first` on, until its standard input ends.
fn holder(first: u16, count: u16) -> Result<(), Failure> {
    let listeners: Result<Vec<TcpListener>, _> =
        (first..first + count).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
    let _listeners = listeners?;
    println!("ok");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
