//! What a request asks for, and how it is put to the server.

use bytes::BytesMut;
use wharf_model::OriginForm;

use super::parse::{self, Framing};
use super::write;
use crate::authority::Authority;
use crate::forward::{self, Arrival, Rules};
use crate::head::{Field, Head, Several};
use crate::refusal::Refusal;

/// A request as the rest of the exchange needs it.
pub(crate) struct Asked<'s> {
    pub(crate) head: Head<'s>,
    pub(crate) authority: Authority,
    /// The authority as it was written.
    pub(crate) named: &'s str,
    pub(crate) framing: Framing,
    /// Whether it is HTTP/1.0.
    pub(crate) old: bool,
    /// Whether the client wants to go on with this connection.
    pub(crate) keep: bool,
    pub(crate) upgrade: bool,
    /// Whether the client waits for a word before it sends the body.
    pub(crate) expects: bool,
}

impl<'s> Asked<'s> {
    /// Reads a request whose head has been parsed.
    pub(crate) fn read(request: &'s parse::Request<'_, 's>) -> Result<Asked<'s>, Refusal> {
        let (absolute, path) = parse::target(request.method, request.target)?;
        let head = Head { method: request.method, target: path, fields: request.fields };
        let host = head.one("host").map_err(|Several| Refusal::Malformed("two Host fields"))?;
        let host = match host {
            Some(host) => {
                let authority = Authority::parse(host);
                let authority =
                    authority.ok_or(Refusal::Malformed("a Host field that is no host"))?;
                Some((authority, std::str::from_utf8(host).unwrap_or_default()))
            }
            None if request.old => None,
            None => return Err(Refusal::Malformed("no Host field")),
        };
        // The target counts (RFC 9112, section 3.2.2); a Host field that is none is refused all the same.
        let named = absolute.or(host);
        let (authority, named) = named.ok_or(Refusal::Malformed("no Host field"))?;
        let framing = parse::request_framing(request)?;
        let wants = !request.old || head.lists("connection", "keep-alive");
        let keep = wants && !head.lists("connection", "close");
        let upgrade = head.method == "GET"
            && !request.old
            && framing == Framing::Empty
            && head.lists("connection", "upgrade")
            && head.lists("upgrade", "websocket");
        let waits = framing != Framing::Empty && head.lists("expect", "100-continue");
        let (old, expects) = (request.old, waits && !request.old);
        Ok(Asked { head, authority, named, framing, old, keep, upgrade, expects })
    }

    /// The head as it goes up.
    pub(crate) fn written(&self, arrival: Arrival, origin_form: OriginForm) -> BytesMut {
        let head = &self.head;
        let mut out = BytesMut::with_capacity(1024);
        write::request_line(&mut out, head.method, head.target);
        write::field(&mut out, "host", self.named.as_bytes());
        match self.framing {
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) => write::length(&mut out, length),
            // Some servers wait for a body that is not announced as empty.
            _ if has(head.fields, "content-length") => write::length(&mut out, 0),
            _ => {}
        }
        let rules = Rules { arrival, authority: self.named, origin_form, expect: !self.old };
        forward::request_fields(head.fields, &rules, &mut |name, value| {
            write::field(&mut out, name, value);
        });
        if self.upgrade {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn has(fields: &[Field<'_>], name: &'static str) -> bool {
    crate::head::all(fields, name).next().is_some()
}
