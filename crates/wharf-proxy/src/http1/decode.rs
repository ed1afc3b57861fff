//! A body, whatever its framing, taken out of the bytes that carry it.

use super::chunked::{Chunks, Step};
use super::parse::Framing;

/// Reads a body.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are left.
    Length(u64),
    Chunked(Box<Chunks>),
    /// Until the connection ends.
    Close,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Decoder {
        match framing {
            Framing::Empty => Decoder::Length(0),
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Box::new(Chunks::new())),
            Framing::Close => Decoder::Close,
        }
    }

    /// Whether nothing more belongs to it, without another byte being read.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Decoder::Length(0))
    }

    /// Whether the end of the connection is the end of the body.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self, Decoder::Close)
    }

    /// What the input, which is not empty, begins with.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        match self {
            Decoder::Close => Ok(Step::Data(input.len())),
            Decoder::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= length as u64;
                Ok(Step::Data(length))
            }
            Decoder::Chunked(chunks) => chunks.step(input),
        }
    }

    /// Gives every trailer that may be passed on, once the body is at its end.
    pub(crate) fn trailers(&self, emit: &mut dyn FnMut(&str, &[u8])) -> Result<(), &'static str> {
        match self {
            Decoder::Chunked(chunks) => chunks.trailers(emit),
            Decoder::Length(_) | Decoder::Close => Ok(()),
        }
    }
}
