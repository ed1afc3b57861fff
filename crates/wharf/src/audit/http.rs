//! The questions over HTTP.

use std::io;
use std::time::Duration;

use wharf_plan::audit::{Answer, Listener, Question};

use super::answering::{Server, request};
use crate::exchange::{Bounds, Exchange};

/// How long the first question may take: frameworks compile a page when it is first asked for.
const FIRST: Duration = Duration::from_secs(15);
/// How long any other may.
const OTHER: Duration = Duration::from_secs(4);
/// How much of an answer is read, in bytes.
const ANSWER_MAX: usize = 256 * 1024;
/// How many fields an answer may have.
const FIELDS_MAX: usize = 128;

/// Whether it is known to be a web server that may be asked, wherever it runs.
pub(super) fn is_known(listener: &Listener) -> bool {
    listener.is_inspector()
        || listener.is_jupyter()
        || listener.is_docker()
        || listener.is_elasticsearch()
}

/// Asks what is worth asking.
pub(super) fn ask(server: &Server, listener: &mut Listener) {
    // These are no pages of a project's.
    let only = [
        (listener.is_inspector(), Question::Inspector),
        (listener.is_docker(), Question::DockerVersion),
    ];
    let questions = match only.into_iter().find(|(is_it, _)| *is_it) {
        Some((_, question)) => vec![question],
        None => Question::OF_EVERYONE.to_vec(),
    };
    for question in questions {
        if !put(server, listener, question, question.path()) {
            return;
        }
    }
    for question in follow_ups(listener) {
        put(server, listener, question, question.path());
    }
    if let Some(path) = source_map(listener) {
        put(server, listener, Question::SourceMap, &path);
    }
}

/// Questions that the first answers suggest.
fn follow_ups(listener: &Listener) -> Vec<Question> {
    let home = listener.answers.to(Question::Home);
    let says = |word: &str| {
        home.and_then(|home| home.field("server")).is_some_and(|server| server.contains(word))
    };
    let mut more = Vec::new();
    if says("Werkzeug") {
        more.push(Question::DebuggerFile);
    }
    if listener.is_jupyter() || says("TornadoServer") {
        more.push(Question::JupyterStatus);
    }
    more
}

/// The source map of the first script of the page that is the server's own.
fn source_map(listener: &Listener) -> Option<String> {
    let page = &listener.answers.to(Question::Home)?.body;
    let mut rest = page.as_str();
    while let Some(at) = rest.find("<script") {
        rest = &rest[at + "<script".len()..];
        let tag = &rest[..rest.find('>')?];
        let source =
            tag.split_once("src=").map(|(_, source)| source.trim_start_matches(['"', '\'']));
        let path =
            source.map(|source| source.split(['"', '\'', ' ', '?']).next().unwrap_or_default());
        let is_plain = |path: &&str| {
            path.starts_with('/')
                && !path.starts_with("//")
                && path.bytes().all(|b| b.is_ascii_graphic())
        };
        if let Some(path) = path.filter(|path| path.ends_with(".js")).filter(is_plain) {
            return Some(format!("{path}.map"));
        }
    }
    None
}

/// Asks one question; false where asking on makes no sense.
fn put(server: &Server, listener: &mut Listener, question: Question, path: &str) -> bool {
    let limit = if question == Question::Home { FIRST } else { OTHER };
    let bounds = Bounds { within: server.time_for(limit), bytes: ANSWER_MAX };
    let asked = Exchange::open(server.to, bounds).and_then(|mut exchange| {
        if !server.is_still() {
            return Err(io::Error::other("another server listens there by now"));
        }
        exchange.ask(request(question, path, server.to).as_bytes(), is_complete)
    });
    let first = listener.answers.http.is_empty();
    let answers = &mut listener.answers;
    match asked.map(|bytes| (read(&bytes, path), is_tls(&bytes))) {
        Ok((Some(answer), _)) => {
            answers.http.insert(question, answer);
            true
        }
        Ok((None, true)) => {
            answers.unasked = Some("it speaks TLS, and is asked in the clear only".to_owned());
            false
        }
        Ok((None, false)) if first => {
            answers.unasked = Some("it does not speak HTTP".to_owned());
            false
        }
        Err(error) if first => {
            answers.unasked = Some(format!("no answer: {error}"));
            false
        }
        // A server may hold one question back and answer the others.
        Ok(_) | Err(_) => true,
    }
}

/// A TLS alert or handshake record (RFC 8446, section 5.1).
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, ..])
}

/// Whether the answer has come as a whole, by its own word.
fn is_complete(bytes: &[u8]) -> bool {
    let Some((answer, end)) = head(bytes, "") else { return false };
    let body = &bytes[end..];
    match answer.field("content-length").and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => is_chunked(&answer) && body.ends_with(b"0\r\n\r\n"),
    }
}

fn is_chunked(answer: &Answer) -> bool {
    answer.field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"))
}

/// An answer; `None` if it is none of HTTP's.
fn read(bytes: &[u8], path: &str) -> Option<Answer> {
    let (mut answer, end) = head(bytes, path)?;
    let body = match is_chunked(&answer) {
        true => unchunked(&bytes[end..]),
        false => bytes[end..].to_vec(),
    };
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Some(answer)
}

fn head(bytes: &[u8], path: &str) -> Option<(Answer, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(end) = response.parse(bytes).ok()? else { return None };
    let field = |field: &httparse::Header<'_>| {
        (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
    };
    let answer = Answer {
        status: response.code?,
        fields: response.headers.iter().map(field).collect(),
        body: String::new(),
        path: path.to_owned(),
    };
    Some((answer, end))
}

/// The bytes of the chunks that have come.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let chunk = &rest[start..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        // The line's end follows the chunk.
        match size.checked_add(2).filter(|next| size > 0 && *next <= chunk.len()) {
            Some(next) => rest = &chunk[next..],
            None => break,
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_far_as_they_have_come() {
        let answer =
            read(b"HTTP/1.1 200 OK\r\nServer: X\r\nContent-Length: 5\r\n\r\nhel", "/").unwrap();
        assert_eq!(
            (answer.status, answer.field("server"), answer.body.as_str()),
            (200, Some("X"), "hel")
        );
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n9\r\nxx";
        assert_eq!(read(chunks, "/").unwrap().body, "helloxx");
        assert_eq!(read(b"+PONG\r\n", "/"), None);
        assert_eq!(read(b"", "/"), None);
        assert!(is_complete(b"HTTP/1.1 204 N\r\ncontent-length: 0\r\n\r\n"));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\n\r\nhel"), "it ends with the connection");
    }

    #[test]
    fn hostile_chunks_end() {
        for text in ["ffffffffffffffff\r\nx", "5\r\n", "", "x\r\n", "0\r\n\r\n"] {
            assert!(unchunked(text.as_bytes()).len() <= 1, "{text}");
        }
    }
}
