//! HTTP/1 on both sides, read and written here so that every byte of framing is judged before it goes
//! on: what two programs could read in two ways is refused, what is left is written anew.

pub(crate) mod across;
pub(crate) mod asked;
pub(crate) mod chunked;
pub(crate) mod decode;
pub(crate) mod exchange;
pub(crate) mod parse;
pub(crate) mod pipe;
pub(crate) mod serve;
pub(crate) mod write;
