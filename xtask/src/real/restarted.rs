//! The proof that a restart refuses nobody: one copy is restarted while a client asks it again and again.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::copies::{Copies, Problems};
use super::daemon;
use super::events::Event;
use super::spec::Expect;

/// The copy that is restarted: one that was given another port than it names.
const COPY: usize = 1;

/// How long one request may wait for the new server.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Between two requests of the client.
const PAUSE: Duration = Duration::from_millis(10);

/// Restarts one copy under load, and asks it for its own text again.
pub fn check(copies: &Copies, ready: &[Event], problems: &mut Problems) {
    let Some(event) = ready.get(COPY) else { return };
    let letter = copies.all[COPY].copy.letter;
    match under_load(copies, event) {
        Ok(()) => problems
            .extend(copies.ask(COPY, event).err().map(|why| format!("after its restart, {why}"))),
        Err(why) => problems.push(format!("copy {letter}: {why}")),
    }
}

fn under_load(copies: &Copies, event: &Event) -> Result<(), String> {
    let address = copies.address(event)?;
    let which = match copies.run.expect {
        Expect::Addressed => address.to_string(),
        _ => address.port().to_string(),
    };
    let over = AtomicBool::new(false);
    let (restart, refused) = std::thread::scope(|scope| {
        let client = scope.spawn(|| refusals(address, &copies.run.path, &over));
        let restart = daemon::wharf(copies.place(), &["restart", &which]);
        over.store(true, Ordering::Relaxed);
        (restart, client.join().unwrap_or(u32::MAX))
    });
    let restart = restart?;
    if !restart.status.success() {
        let said = String::from_utf8_lossy(&restart.stderr);
        return Err(format!("`wharf restart` failed ({}): {}", restart.status, said.trim()));
    }
    if refused > 0 {
        return Err(format!("{refused} connections were refused while it was restarted"));
    }
    Ok(())
}

/// How many connections were refused. One that was accepted and then cut off had been accepted by the
/// old server.
fn refusals(address: SocketAddr, path: &str, over: &AtomicBool) -> u32 {
    let mut refused = 0;
    while !over.load(Ordering::Relaxed) {
        match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
            Ok(stream) => exchange(stream, address, path),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
            Err(_) => {}
        }
        std::thread::park_timeout(PAUSE);
    }
    refused
}

/// One request, whatever becomes of it.
fn exchange(mut stream: TcpStream, address: SocketAddr, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let _ = stream.set_read_timeout(Some(ANSWER_WITHIN));
    if stream.write_all(request.as_bytes()).is_ok() {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
