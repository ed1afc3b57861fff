//! A request of HTTP/2 as the rules see it.

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::ext::Protocol;
use hyper::http::request::Parts;

use crate::authority::Authority;
use crate::head::{Field, Head};
use crate::http1::parse::Framing;
use crate::limits::{MAX_FIELDS, MAX_TARGET};
use crate::refusal::Refusal;

/// The parts that fields borrow from, and what does not stand in one piece there.
pub(super) struct Origin {
    pub(super) parts: Parts,
    /// The crumbs of the cookie, joined as HTTP/1 wants them (RFC 9113, section 8.2.3).
    cookie: Option<Vec<u8>>,
}

/// A request.
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) fields: Vec<Field<'a>>,
    pub(super) authority: Authority,
    /// The authority as it was written.
    pub(super) named: &'a str,
    pub(super) framing: Framing,
    pub(super) upgrade: bool,
}

impl Origin {
    pub(super) fn new(request: Request<Incoming>) -> (Origin, Incoming) {
        let (parts, body) = request.into_parts();
        let crumbs = parts.headers.get_all("cookie").iter().map(|crumb| crumb.as_bytes());
        let crumbs: Vec<&[u8]> = crumbs.collect();
        let cookie = (!crumbs.is_empty()).then(|| crumbs.join(&b"; "[..]));
        (Origin { parts, cookie }, body)
    }

    /// Every field, for refusals too.
    pub(super) fn fields(&self) -> Vec<Field<'_>> {
        let all = self.parts.headers.iter().filter(|(name, _)| *name != "cookie");
        let fields =
            all.map(|(name, value)| Field { name: name.as_str(), value: value.as_bytes() });
        let cookie = self.cookie.iter().map(|cookie| Field { name: "cookie", value: cookie });
        fields.chain(cookie).collect()
    }

    pub(super) fn target(&self) -> &str {
        self.parts.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// Reads it, or says why it cannot be passed on.
    pub(super) fn read(&self, body: &Incoming) -> Result<Asked<'_>, Refusal> {
        let fields = self.fields();
        let connect = self.parts.method == "CONNECT";
        let socket = self.parts.extensions.get::<Protocol>();
        let upgrade = connect && socket.is_some_and(|protocol| protocol.as_str() == "websocket");
        let target = self.target();
        let plain = !matches!(self.parts.method.as_str(), "CONNECT" | "TRACE") && target != "*";
        if !upgrade && !plain {
            return Err(Refusal::Method);
        }
        if !target.starts_with('/') {
            // A query alone, of which servers of HTTP/1 make what they like.
            return Err(Refusal::Malformed("a path that is none"));
        }
        if target.len() > MAX_TARGET {
            return Err(Refusal::TargetTooLong);
        }
        if fields.len() > MAX_FIELDS {
            return Err(Refusal::HeadTooLong);
        }
        let named = named(&self.parts)?;
        let authority = Authority::parse(named.as_bytes())
            .ok_or(Refusal::Malformed("an authority that is no host"))?;
        let head = Head { method: "", target, fields: &fields };
        let length = head.one("content-length").map_err(|_| Refusal::Malformed("two lengths"))?;
        let length = match length {
            Some(text) => Some(number(text).ok_or(Refusal::Malformed("a length that is none"))?),
            None => None,
        };
        let framing = match length {
            _ if upgrade || body.is_end_stream() => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        let method = if upgrade { "GET" } else { self.parts.method.as_str() };
        Ok(Asked { method, target, fields, authority, named, framing, upgrade })
    }
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// `:authority`, which Host must not contradict (RFC 9113, section 8.3.1).
fn named(parts: &Parts) -> Result<&str, Refusal> {
    let mut hosts = parts.headers.get_all("host").iter().map(|host| host.as_bytes());
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::Malformed("two Host fields"));
    }
    match (parts.uri.authority(), host) {
        (None, None) => Err(Refusal::Malformed("no authority")),
        (None, Some(host)) => std::str::from_utf8(host)
            .map_err(|_| Refusal::Malformed("a Host field that is no host")),
        (Some(authority), Some(host))
            if !authority.as_str().as_bytes().eq_ignore_ascii_case(host) =>
        {
            Err(Refusal::Malformed("a Host field that contradicts the authority"))
        }
        (Some(authority), _) => Ok(authority.as_str()),
    }
}

impl Asked<'_> {
    pub(super) fn head(&self) -> Head<'_> {
        Head { method: self.method, target: self.target, fields: &self.fields }
    }
}
