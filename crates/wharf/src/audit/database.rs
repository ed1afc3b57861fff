//! What databases are asked: the smallest exchange that shows whether they let anybody in. Nothing is changed,
//! nothing is read but the answer to that.

use std::io;
use std::time::Duration;

use wharf_plan::audit::{Answers, Listener, Mongo, Redis};

use super::answering::Server;
use crate::exchange::{Bounds, Exchange};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(3);
/// How much of an answer is read, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// The databases that are asked in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Redis,
    Postgres,
    Mongo,
}

/// Which of them a listener is; HTTP is not spoken to these.
pub(super) fn of(listener: &Listener) -> Option<Kind> {
    if listener.is_redis() {
        Some(Kind::Redis)
    } else if listener.is_postgres() {
        Some(Kind::Postgres)
    } else if listener.is_mongo() {
        Some(Kind::Mongo)
    } else {
        None
    }
}

/// Asks.
pub(super) fn ask(kind: Kind, server: &Server, answers: &mut Answers) {
    let asked = match kind {
        Kind::Redis => redis(server).map(|said| answers.redis = Some(said)),
        Kind::Postgres => postgres(server).map(|said| answers.postgres = Some(said)),
        Kind::Mongo => mongo(server).map(|said| answers.mongo = Some(said)),
    };
    if let Err(error) = asked {
        answers.unasked = Some(format!("no answer: {error}"));
    }
}

fn open(server: &Server) -> io::Result<Exchange> {
    let bounds = Bounds { within: server.time_for(LIMIT), bytes: ANSWER_MAX };
    let exchange = Exchange::open(server.to, bounds)?;
    match server.is_still() {
        true => Ok(exchange),
        false => Err(io::Error::other("another server listens there by now")),
    }
}

/// `PING`, and whether it is protected from clients of elsewhere.
fn redis(server: &Server) -> io::Result<Redis> {
    let is_line = |answer: &[u8]| answer.ends_with(b"\r\n");
    let mut exchange = open(server)?;
    let ping = exchange.ask(b"PING\r\n", is_line)?;
    let ping = String::from_utf8_lossy(&ping).trim_end().to_owned();
    let mut is_protected = None;
    if ping.starts_with("+PONG") {
        let said = exchange.ask(b"CONFIG GET protected-mode\r\n", |answer| {
            answer.ends_with(b"yes\r\n") || answer.ends_with(b"no\r\n") || answer.starts_with(b"-")
        })?;
        let said = String::from_utf8_lossy(&said).into_owned();
        is_protected = said.contains("protected-mode").then(|| said.ends_with("yes\r\n"));
    }
    Ok(Redis { ping, is_protected })
}

/// The start of a session as `postgres`, which is not gone on with. What the server wants to have proved: 0 for
/// nothing, else its number (section 54.7 of PostgreSQL's manual).
fn postgres(server: &Server) -> io::Result<u32> {
    let mut words = Vec::from(196_608u32.to_be_bytes());
    words.extend_from_slice(
        b"user\0postgres\0database\0postgres\0application_name\0wharf-audit\0\0",
    );
    let length = u32::try_from(words.len() + 4).unwrap_or(u32::MAX);
    let message = [&length.to_be_bytes()[..], &words].concat();
    let answer = open(server)?.ask(&message, |answer| answer.len() >= AUTHENTICATION)?;
    match answer.get(..AUTHENTICATION) {
        Some([b'R', _, _, _, _, a, b, c, d]) => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ if answer.starts_with(b"E") => Err(io::Error::other("it refuses such a session")),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The bytes of `R`, a length and a number.
const AUTHENTICATION: usize = 9;

/// The names of the databases, which a server without a password tells anybody.
fn mongo(server: &Server) -> io::Result<Mongo> {
    let command = document(&[
        element(0x10, "listDatabases", &1i32.to_le_bytes()),
        element(0x08, "nameOnly", &[1]),
        element(0x02, "$db", &[&6i32.to_le_bytes()[..], b"admin\0"].concat()),
    ]);
    // OP_MSG: length, request, answer to, kind; flags, and one section of kind 0.
    let length = i32::try_from(16 + 4 + 1 + command.len()).unwrap_or(i32::MAX);
    let head = [length, 1, 0, 2013].map(i32::to_le_bytes).concat();
    let message = [&head[..], &[0; 5], &command].concat();
    let answer = open(server)?.ask(&message, |answer| {
        let length = answer.first_chunk::<4>().map(|length| i32::from_le_bytes(*length));
        length.is_some_and(|length| usize::try_from(length).is_ok_and(|all| answer.len() >= all))
    })?;
    let ok = element(0x01, "ok", &1f64.to_le_bytes());
    let lists_databases = contains(&answer, &ok) && contains(&answer, b"databases\0");
    match contains(&answer, b"ok\0") {
        true => Ok(Mongo { lists_databases }),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A document of BSON (<https://bsonspec.org/spec.html>).
fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let length = i32::try_from(body.len() + 5).unwrap_or(i32::MAX);
    [&length.to_le_bytes()[..], &body, &[0]].concat()
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind][..], name.as_bytes(), &[0], value].concat()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
