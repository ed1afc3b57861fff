//! Heads of HTTP/1: found in what has arrived, read, and their framing judged.

use std::mem::MaybeUninit;

use crate::authority::Authority;
use crate::head::{Field, all};
use crate::limits::{MAX_FIELDS, MAX_TARGET};
use crate::refusal::Refusal;

/// How many fields fit without memory of their own: most heads have fewer.
const USUAL_FIELDS: usize = 32;

/// Where the fields of a head are put. It is part of what each connection holds and moves: small.
pub(crate) struct Store<'b> {
    few: [MaybeUninit<Field<'b>>; USUAL_FIELDS],
    many: Vec<MaybeUninit<Field<'b>>>,
}

/// An empty one.
pub(crate) const fn store<'b>() -> Store<'b> {
    Store { few: [const { MaybeUninit::uninit() }; USUAL_FIELDS], many: Vec::new() }
}

impl<'b> Store<'b> {
    /// Room for the fields of this head: it has no more of them than line feeds.
    fn room(&mut self, head: &[u8]) -> &mut [MaybeUninit<Field<'b>>] {
        if head.iter().filter(|byte| **byte == b'\n').count() <= USUAL_FIELDS {
            return &mut self.few;
        }
        self.many.resize_with(MAX_FIELDS, MaybeUninit::uninit);
        &mut self.many
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With a chunk of length zero.
    Chunked,
    /// With the connection; answers only.
    Close,
}

/// Looks for the end of a head, and remembers how far it has looked.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    looked: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The head is so long, its empty line included.
    Head(usize),
    /// Not yet.
    More,
    /// A line that ends without a carriage return.
    BareLf,
}

impl Finder {
    /// Looks at what has come since. `strict` refuses lines that end with a line feed alone.
    pub(crate) fn look(&mut self, buffer: &[u8], strict: bool) -> Found {
        while let Some(at) = buffer[self.looked..].iter().position(|byte| *byte == b'\n') {
            let end = self.looked + at + 1;
            self.looked = end;
            let line = &buffer[..end - 1];
            let bare = !line.ends_with(b"\r");
            if bare && strict {
                return Found::BareLf;
            }
            let before = line.strip_suffix(b"\r").unwrap_or(line);
            if before.is_empty() || before.ends_with(b"\n") {
                return Found::Head(end);
            }
        }
        self.looked = buffer.len();
        Found::More
    }
}

/// How many bytes of empty lines stand in front of a request: some clients send one after a body.
pub(crate) fn blank_lines(buffer: &[u8]) -> usize {
    let pairs = buffer.chunks_exact(2).take_while(|pair| *pair == b"\r\n");
    pairs.count() * 2
}

/// A request's head.
#[derive(Debug)]
pub(crate) struct Request<'b, 's> {
    pub(crate) method: &'b str,
    /// As it came.
    pub(crate) target: &'b str,
    /// Whether it is HTTP/1.0.
    pub(crate) old: bool,
    pub(crate) fields: &'s [Field<'b>],
}

/// Reads a request's head.
pub(crate) fn request<'b, 's>(
    head: &'b [u8],
    store: &'s mut Store<'b>,
) -> Result<Request<'b, 's>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, store.room(head)) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Refusal::Malformed("the head ends before its empty line")),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(httparse::Error::Version) => {
            return Err(Refusal::Malformed("no version that is known"));
        }
        Err(_) => return Err(Refusal::Malformed("the head is no HTTP")),
    }
    let httparse::Request {
        method: Some(method),
        path: Some(target),
        version: Some(minor),
        headers,
    } = request
    else {
        return Err(Refusal::Malformed("the head is no HTTP"));
    };
    if target.len() > MAX_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    Ok(Request { method, target, old: minor == 0, fields: headers })
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Answer<'b, 's> {
    pub(crate) status: u16,
    pub(crate) reason: &'b str,
    /// Whether it is HTTP/1.0.
    pub(crate) old: bool,
    pub(crate) fields: &'s [Field<'b>],
}

/// Reads an answer's head.
pub(crate) fn answer<'b, 's>(
    head: &'b [u8],
    store: &'s mut Store<'b>,
) -> Result<Answer<'b, 's>, &'static str> {
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        head,
        store.room(head),
    );
    match parsed {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err("its head has more than 200 fields"),
        _ => return Err("its head is no HTTP"),
    }
    let (Some(status), Some(minor)) = (answer.code, answer.version) else {
        return Err("its head is no HTTP");
    };
    if !(100..1000).contains(&status) {
        return Err("its status is no number from 100 to 999");
    }
    let reason = answer.reason.unwrap_or_default();
    Ok(Answer { status, reason, old: minor == 0, fields: answer.headers })
}

/// How a request's body ends.
pub(crate) fn request_framing(request: &Request<'_, '_>) -> Result<Framing, Refusal> {
    let mut codings = all(request.fields, "transfer-encoding");
    let length = length(request.fields).map_err(Refusal::Malformed)?;
    match (codings.next(), codings.next(), length) {
        (None, _, None | Some(0)) => Ok(Framing::Empty),
        (None, _, Some(length)) => Ok(Framing::Length(length)),
        (Some(_), _, Some(_)) => Err(Refusal::Malformed("both a length and a transfer coding")),
        (Some(_), Some(_), None) => Err(Refusal::Malformed("two transfer codings")),
        (Some(_), None, None) if request.old => {
            Err(Refusal::Malformed("a transfer coding in HTTP/1.0"))
        }
        (Some(coding), None, None) if is_chunked(coding) => Ok(Framing::Chunked),
        (Some(coding), None, None) if coding.contains(&b',') => {
            Err(Refusal::Malformed("several transfer codings"))
        }
        (Some(_), None, None) => Err(Refusal::UnknownCoding),
    }
}

/// How an answer's body ends.
pub(crate) fn answer_framing(
    answer: &Answer<'_, '_>,
    to_head: bool,
) -> Result<Framing, &'static str> {
    let mut codings = all(answer.fields, "transfer-encoding");
    let length = length(answer.fields)?;
    let (coding, more) = (codings.next(), codings.next());
    if coding.is_some() && length.is_some() {
        return Err("it has both a length and a transfer coding");
    }
    if to_head || answer.status < 200 || matches!(answer.status, 204 | 304) {
        return Ok(Framing::Empty);
    }
    match (coding, more, length) {
        (None, _, Some(length)) => Ok(Framing::Length(length)),
        (None, _, None) => Ok(Framing::Close),
        (Some(coding), None, _) if is_chunked(coding) && !answer.old => Ok(Framing::Chunked),
        _ => Err("its transfer coding is not `chunked`"),
    }
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

/// The one length that is named; digits and nothing else.
fn length(fields: &[Field<'_>]) -> Result<Option<u64>, &'static str> {
    let mut lengths = all(fields, "content-length");
    let Some(length) = lengths.next() else { return Ok(None) };
    if lengths.next().is_some() {
        return Err("two lengths");
    }
    let digits = !length.is_empty() && length.len() <= 18 && length.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(length).ok().filter(|_| digits);
    let length = text.and_then(|text| text.parse().ok());
    length.map(Some).ok_or("a length that is no number")
}

/// An authority, and how it was written.
pub(crate) type Named<'b> = (Authority, &'b str);

/// A target, taken apart: the authority that it names, where it does, and what goes to the server.
pub(crate) fn target<'b>(
    method: &str,
    target: &'b str,
) -> Result<(Option<Named<'b>>, &'b str), Refusal> {
    // Methods have a case, and some servers do not mind it.
    let refused = ["CONNECT", "TRACE"].iter().any(|refused| method.eq_ignore_ascii_case(refused));
    if refused || target == "*" {
        return Err(Refusal::Method);
    }
    if target.contains('#') {
        return Err(Refusal::Malformed("a fragment in the target"));
    }
    if target.starts_with('/') {
        return Ok((None, target));
    }
    let scheme = |name: &str| {
        target.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)).map(str::len)
    };
    let Some(length) = scheme("http://").or_else(|| scheme("https://")) else {
        return Err(Refusal::Malformed("a target that is neither a path nor a URL"));
    };
    let rest = &target[length..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (name, path) = rest.split_at(end);
    let authority = Authority::parse(name.as_bytes())
        .ok_or(Refusal::Malformed("a target with an authority that is none"))?;
    match path {
        "" => Ok((Some((authority, name)), "/")),
        // `http://host?query` has an empty path, which only the absolute form can say.
        path if path.starts_with('?') => Err(Refusal::Malformed("a target without a path")),
        path => Ok((Some((authority, name)), path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(head: &str) -> Result<Framing, u16> {
        let mut store = store();
        let request = request(head.as_bytes(), &mut store).map_err(|refusal| refusal.status())?;
        request_framing(&request).map_err(|refusal| refusal.status())
    }

    fn with(fields: &str) -> Result<Framing, u16> {
        framing(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
    }

    #[test]
    fn a_head_is_found_however_it_arrives() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let mut finder = Finder::default();
        for end in 0..text.len() {
            let found = finder.look(&text[..end], true);
            assert_eq!(found, if end < 27 { Found::More } else { Found::Head(27) }, "{end}");
            if found != Found::More {
                return;
            }
        }
    }

    #[test]
    fn a_line_without_a_carriage_return_is_no_line_of_a_request() {
        assert_eq!(Finder::default().look(b"GET / HTTP/1.1\nHost: a\r\n\r\n", true), Found::BareLf);
        assert_eq!(
            Finder::default().look(b"HTTP/1.1 200 OK\nA: b\n\nrest", false),
            Found::Head(22)
        );
        assert_eq!(blank_lines(b"\r\n\r\nGET"), 4);
    }

    #[test]
    fn a_body_ends_in_one_way_or_the_request_is_refused() {
        assert_eq!(with(""), Ok(Framing::Empty));
        assert_eq!(with("Content-Length: 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(with("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for bad in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding: chunked\r\n folded\r\n",
            "X: a\0b\r\n",
            "X: a\rb\r\n",
            " X: folded\r\n",
            "no colon\r\n",
        ] {
            assert_eq!(with(bad), Err(400), "{bad:?}");
        }
        assert_eq!(with("Transfer-Encoding: xchunked\r\n"), Err(501));
        assert_eq!(framing("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(400));
        assert_eq!(framing("GET / HTTP/2.0\r\n\r\n"), Err(400));
        assert_eq!(framing("GET /\r\n\r\n"), Err(400));
    }

    fn answered(head: &str, to_head: bool) -> Result<Framing, &'static str> {
        let mut store = store();
        answer_framing(&answer(head.as_bytes(), &mut store)?, to_head)
    }

    #[test]
    fn an_answer_ends_in_one_way_too() {
        let ok = |fields: &str| answered(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), false);
        assert_eq!(ok(""), Ok(Framing::Close));
        assert_eq!(ok("Content-Length: 0\r\n"), Ok(Framing::Length(0)));
        assert_eq!(ok("Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(
            answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true),
            Ok(Framing::Empty)
        );
        assert_eq!(
            answered("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", false),
            Ok(Framing::Empty)
        );
        for bad in [
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Content-Length: x\r\n",
        ] {
            assert!(ok(bad).is_err(), "{bad:?}");
        }
        assert!(answered("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false).is_err());
    }

    #[test]
    fn a_target_selects_and_never_leads() {
        let read = |method: &str, text: &'static str| {
            let (authority, path) = target(method, text).map_err(|refusal| refusal.status())?;
            Ok((authority.map(|(authority, _)| authority.host), path))
        };
        assert_eq!(read("GET", "/a?b"), Ok((None, "/a?b")));
        assert_eq!(read("GET", "HTTP://A.localhost:80/x"), Ok((Some("a.localhost".into()), "/x")));
        assert_eq!(read("GET", "http://a"), Ok((Some("a".into()), "/")));
        for (method, text) in [("CONNECT", "a:80"), ("TRACE", "/"), ("OPTIONS", "*"), ("GET", "*")]
        {
            assert_eq!(read(method, text), Err(405), "{method} {text}");
        }
        for text in ["a/b", "http://u@a/", "http:///x", "ftp://a/", "/a#b", "http://a?b", "a:80"] {
            assert_eq!(read("GET", text), Err(400), "{text}");
        }
    }
}
