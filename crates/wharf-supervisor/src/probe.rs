//! The readiness probe: one question over HTTP, and what became of it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wharf_model::Probe;

use crate::update::Answer;

/// A loopback connection is made or refused at once; longer means a full backlog or a firewall.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long a server that is known to speak HTTP may take for its first answer before it is asked
/// anew: frameworks compile on the first request.
const HTTP_LIMIT: Duration = Duration::from_secs(60);

/// How long a server that nobody knows is given to show that it speaks HTTP. What speaks something else most
/// often says or closes at once; what is silent is more likely to compile its first page.
const UNKNOWN_LIMIT: Duration = Duration::from_secs(5);

/// How long the rest of the answer's head is waited for.
const REST_LIMIT: Duration = Duration::from_millis(200);

/// What became of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Answered(Answer),
    /// It took the question and closed without a word: no web server, or one that has just died.
    Closed,
    /// Not now: refused or reset, or a web server that said nothing. Ask again.
    NotYet,
}

/// Asks the listener at `address` once.
///
/// The question is `HEAD /`: any status is an answer, it has no body that a server would have to
/// send, and no page is rendered for nobody.
pub async fn ask(address: SocketAddr, probe: Probe) -> Outcome {
    let limit = match probe {
        Probe::Listen => return Outcome::Answered(Answer::NotHttp),
        Probe::Http => HTTP_LIMIT,
        Probe::Unknown => UNKNOWN_LIMIT,
    };
    let Ok(Ok(mut stream)) = timeout(CONNECT_LIMIT, TcpStream::connect(address)).await else {
        return Outcome::NotYet;
    };
    match timeout(limit, first_words(&mut stream, address)).await {
        Ok(Some(words)) => {
            tokio::spawn(read_away(stream));
            judge(&words, probe)
        }
        // A server that says nothing waits for its own kind of client; one that is known to speak HTTP
        // is asked again.
        Err(_) if probe == Probe::Unknown => Outcome::Answered(Answer::NotHttp),
        Ok(None) if probe == Probe::Unknown => Outcome::Closed,
        Ok(None) | Err(_) => Outcome::NotYet,
    }
}

/// The first bytes of the answer, enough for a status line; `None` when there are none.
async fn first_words(stream: &mut TcpStream, address: SocketAddr) -> Option<Vec<u8>> {
    let question = format!(
        "HEAD / HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: wharf-readiness\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        address.port()
    );
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut words = Vec::with_capacity(64);
    while words.len() < STATUS_LINE_START {
        let mut buffer = [0u8; 512];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => words.extend_from_slice(&buffer[..length]),
        }
    }
    (!words.is_empty()).then_some(words)
}

/// Reads what is left of the head, which nobody waits for: a close with unread bytes is a reset, which
/// some servers log as an error.
async fn read_away(mut stream: TcpStream) {
    let mut rest = [0u8; 1024];
    let _ =
        timeout(REST_LIMIT, async { while let Ok(1..) = stream.read(&mut rest).await {} }).await;
}

/// `HTTP/1.1 200`
const STATUS_LINE_START: usize = 12;

fn judge(words: &[u8], probe: Probe) -> Outcome {
    if let Some(status) = status(words) {
        return Outcome::Answered(Answer::Http(status));
    }
    if is_tls(words) {
        return Outcome::Answered(Answer::Tls);
    }
    match probe {
        Probe::Http => Outcome::NotYet,
        Probe::Unknown | Probe::Listen => Outcome::Answered(Answer::NotHttp),
    }
}

fn status(words: &[u8]) -> Option<u16> {
    let line = words.strip_prefix(b"HTTP/1.")?;
    let digits = line.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| (100..1000).contains(status))
}

/// A TLS alert or handshake record (RFC 8446, section 5.1): what an https server says to plain HTTP.
fn is_tls(words: &[u8]) -> bool {
    matches!(words, [0x15 | 0x16, 0x03, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that says `words` to its first caller and closes.
    async fn outcome_of(words: &'static [u8], probe: Probe) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0u8; 1024];
            let length = stream.read(&mut question).await.unwrap();
            stream.write_all(words).await.unwrap();
            String::from_utf8_lossy(&question[..length]).into_owned()
        });
        let outcome = ask(address, probe).await;
        assert!(server.await.unwrap().starts_with("HEAD / HTTP/1.1\r\n"));
        outcome
    }

    #[tokio::test]
    async fn any_status_is_an_answer() {
        for (words, status) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 200),
            (b"HTTP/1.0 500 Oops\r\n\r\n", 500),
            (b"HTTP/1.1 404 \r\n\r\n", 404),
        ] {
            let outcome = outcome_of(words, Probe::Http).await;
            assert_eq!(outcome, Outcome::Answered(Answer::Http(status)));
        }
    }

    #[tokio::test]
    async fn what_is_not_http_is_said_of_unknown_servers_only() {
        let tls = b"\x15\x03\x01\x00\x02\x02\x46";
        assert_eq!(outcome_of(tls, Probe::Http).await, Outcome::Answered(Answer::Tls));
        let redis = b"-ERR unknown command 'HEAD'\r\n";
        assert_eq!(outcome_of(redis, Probe::Unknown).await, Outcome::Answered(Answer::NotHttp));
        assert_eq!(outcome_of(redis, Probe::Http).await, Outcome::NotYet);
        assert_eq!(outcome_of(b"", Probe::Http).await, Outcome::NotYet);
        assert_eq!(outcome_of(b"", Probe::Unknown).await, Outcome::Closed);
    }

    #[tokio::test]
    async fn a_closed_port_is_not_yet() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(ask(address, Probe::Http).await, Outcome::NotYet);
    }
}
