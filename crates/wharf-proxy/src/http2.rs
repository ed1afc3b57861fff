//! A client's connection that speaks HTTP/2.

use std::rc::Rc;

use bytes::BytesMut;

use crate::http1::serve::Io;
use crate::reach::Door;
use crate::shared::Shared;

/// Serves a connection to its end. `input` is what has been read of it.
pub(crate) async fn serve<C: Io + 'static>(
    stream: C,
    input: BytesMut,
    door: Door,
    shared: Rc<Shared>,
) {
    drop((stream, input, door, shared));
}
