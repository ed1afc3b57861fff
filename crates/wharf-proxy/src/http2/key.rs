//! The handshake of a WebSocket, where we are its client (RFC 6455, section 4.1).

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::head::{Field, Head};

/// The field by which a server shows that it knows the protocol, in lower case.
pub(super) const ACCEPT: &str = "sec-websocket-accept";
/// What is appended to a key (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key as the handshake of HTTP/1 wants it. Nothing secret hangs on it: it is to show that the server
/// knows the protocol, and has not just sent back what it was sent.
pub(super) struct Key(String);

impl Key {
    pub(super) fn new() -> Key {
        // Each `RandomState` is seeded anew from the system's randomness.
        let random = || RandomState::new().build_hasher().finish().to_ne_bytes();
        Key(STANDARD.encode([random(), random()].concat()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether an answer of 101 with these fields opens the WebSocket that was asked for.
    pub(super) fn judge(&self, fields: &[Field<'_>]) -> Result<(), &'static str> {
        let head = Head { method: "", target: "", fields };
        if !head.lists("upgrade", "websocket") || !head.lists("connection", "upgrade") {
            return Err("it changes the protocol to something else than a WebSocket");
        }
        match head.one(ACCEPT) {
            Ok(Some(accept)) if accept == self.accept().as_bytes() => Ok(()),
            Ok(None) => Err("its handshake of a WebSocket has no Sec-WebSocket-Accept"),
            _ => Err(
                "its handshake of a WebSocket is wrong: Sec-WebSocket-Accept is for another key",
            ),
        }
    }

    fn accept(&self) -> String {
        let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(self.as_bytes());
        digest.update(GUID);
        STANDARD.encode(digest.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        // RFC 6455, section 1.3.
        let key = Key("dGhlIHNhbXBsZSBub25jZQ==".to_owned());
        assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes_and_no_two_are_alike() {
        let (one, other) = (Key::new(), Key::new());
        assert_eq!(STANDARD.decode(one.as_bytes()).unwrap().len(), 16);
        assert_ne!(one.as_bytes(), other.as_bytes());
    }
}
