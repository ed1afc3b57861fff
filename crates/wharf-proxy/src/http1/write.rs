//! Heads of HTTP/1, written.

use std::io::Write;

use bytes::{BufMut, BytesMut};

use crate::page::Page;

/// Appends one field.
pub(crate) fn field(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

/// Appends a request line.
pub(crate) fn request_line(out: &mut BytesMut, method: &str, target: &str) {
    out.reserve(method.len() + target.len() + 512);
    out.put_slice(method.as_bytes());
    out.put_slice(b" ");
    out.put_slice(target.as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
}

/// Appends a status line.
pub(crate) fn status_line(out: &mut BytesMut, status: u16, reason: &str) {
    out.reserve(reason.len() + 512);
    out.put_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.put_slice(b" ");
    out.put_slice(reason.as_bytes());
    out.put_slice(b"\r\n");
}

/// Appends the length of a body as a field.
pub(crate) fn length(out: &mut BytesMut, length: u64) {
    out.put_slice(b"content-length: ");
    number(out, length);
    out.put_slice(b"\r\n");
}

fn number(out: &mut BytesMut, number: u64) {
    // Writing to memory does not fail.
    let _ = write!(out.writer(), "{number}");
}

/// Appends a chunk; an empty one would end the body and is left out.
pub(crate) fn chunk(out: &mut BytesMut, data: &[u8]) {
    if !data.is_empty() {
        out.reserve(data.len() + 20);
        let _ = write!(out.writer(), "{:x}\r\n", data.len());
        out.put_slice(data);
        out.put_slice(b"\r\n");
    }
}

/// Appends a whole answer of the proxy's own; `body` is left out after HEAD.
pub(crate) fn page(out: &mut BytesMut, page: &Page, body: bool, close: bool) {
    status_line(out, page.status, reason(page.status));
    for (name, value) in &page.fields {
        field(out, name, value.as_bytes());
    }
    length(out, page.body.len() as u64);
    if close {
        out.put_slice(b"connection: close\r\n");
    }
    out.put_slice(b"\r\n");
    if body {
        out.extend_from_slice(&page.body);
    }
}

fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}
