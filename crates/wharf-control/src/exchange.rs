//! One question to the daemon without async code: for callers that have no runtime and want none.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::MAX_REPLY_BODY;
use crate::error::{ErrorBody, ErrorReply};

/// The largest head of an answer, in bytes; the daemon's has some hundred.
const MAX_HEAD: usize = 16 * 1024;
/// What ends the head.
const BLANK: &[u8] = b"\r\n\r\n";

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection failed, or was silent beyond its limit.
    #[error("the connection to the daemon failed")]
    Connection(#[from] io::Error),
    /// The answer is not what this version understands.
    #[error("the daemon's answer cannot be read: {0}")]
    Malformed(String),
    /// The daemon refused.
    #[error(transparent)]
    Refused(Box<ErrorBody>),
}

/// Posts the body to the path over a connection of its own, and reads the answer to its end. The limits
/// of the waits are those of the stream.
///
/// # Errors
/// The connection fails, or the daemon refuses.
pub fn post<T: DeserializeOwned>(
    stream: &mut (impl Read + Write),
    path: &str,
    body: &impl Serialize,
) -> Result<T, ExchangeError> {
    let body = serde_json::to_vec(body).map_err(|error| malformed(&error))?;
    // By HTTP/1.0 the answer comes in one piece, and its end is that of the connection.
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: wharf\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    stream.flush()?;
    let limit = MAX_HEAD + MAX_REPLY_BODY;
    let mut answer = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut answer)?;
    if answer.len() > limit {
        return Err(ExchangeError::Malformed(format!("it has more than {limit} bytes")));
    }
    read(&answer)
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, ExchangeError> {
    let end = answer.windows(BLANK.len()).position(|window| window == BLANK);
    let (head, body) = match end {
        Some(end) => (&answer[..end], &answer[end + BLANK.len()..]),
        None => return Err(ExchangeError::Malformed("its head has no end".to_owned())),
    };
    let status = std::str::from_utf8(head).ok().and_then(|head| head.split(' ').nth(1));
    match status {
        Some(status) if status.starts_with('2') => {
            serde_json::from_slice(body).map_err(|error| malformed(&error))
        }
        Some(_) => match serde_json::from_slice::<ErrorReply>(body) {
            Ok(reply) => Err(ExchangeError::Refused(Box::new(reply.error))),
            Err(error) => Err(malformed(&error)),
        },
        None => Err(ExchangeError::Malformed("it has no status".to_owned())),
    }
}

fn malformed(error: &serde_json::Error) -> ExchangeError {
    ExchangeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Done;
    use crate::error::Code;

    #[test]
    fn an_answer_is_what_follows_the_head() {
        let done: Done =
            read(b"HTTP/1.0 200 OK\r\ncontent-length: 12\r\n\r\n{\"schema\":1}").unwrap();
        assert_eq!(done.schema, 1);
    }

    #[test]
    fn a_refusal_keeps_its_code() {
        let text = b"HTTP/1.0 409 Conflict\r\n\r\n{\"schema\":1,\"error\":{\"code\":\"port-taken\",\"message\":\"m\"}}";
        let refused = read::<Done>(text).unwrap_err();
        assert!(
            matches!(&refused, ExchangeError::Refused(body) if body.code == Code::PortTaken),
            "{refused:?}"
        );
    }

    #[test]
    fn anything_else_is_no_answer() {
        for text in [&b""[..], b"HTTP/1.0 200 OK\r\n", b"x\r\n\r\n{}", b"HTTP/1.0 500 No\r\n\r\nx"]
        {
            let error = read::<Done>(text).unwrap_err();
            assert!(matches!(error, ExchangeError::Malformed(_)), "{error:?}");
        }
    }
}
