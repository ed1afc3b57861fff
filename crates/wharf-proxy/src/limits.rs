//! Every bound of the data plane, by name.

use std::time::Duration;

/// The longest head of a request or an answer, in bytes. Heads of 16 KiB are real: cookies, tokens.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The most fields of one head.
pub(crate) const MAX_FIELDS: usize = 200;
/// The longest request target, in bytes.
pub(crate) const MAX_TARGET: usize = 32 * 1024;
/// The longest line that gives the size of a chunk, its extensions included, in bytes.
pub(crate) const MAX_CHUNK_LINE: usize = 4 * 1024;
/// The most that chunk extensions of one body may add up to, in bytes. They are never forwarded.
pub(crate) const MAX_CHUNK_EXTENSIONS: usize = 64 * 1024;
/// The most that the trailers of one body may take, in bytes.
pub(crate) const MAX_TRAILERS: usize = 16 * 1024;
/// How much is read at once, in bytes. Also about what is buffered of a direction.
pub(crate) const READ: usize = 64 * 1024;
/// The same where a head is expected: what lies behind one is copied before it goes on.
pub(crate) const READ_HEAD: usize = 16 * 1024;
/// What a connection's buffer starts with, in bytes: most heads fit.
pub(crate) const FIRST_BUFFER: usize = 4 * 1024;

/// How long a head may take from its first byte to its last.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may stay open without a request. Browsers give up before.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long an idle connection may still bring a request while the proxy drains.
pub(crate) const LAST_REQUEST: Duration = Duration::from_secs(3);
/// How long a TLS handshake, or the first bytes of a connection, may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection to an upstream on this machine may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what a client still sends is read after it was refused, so that the refusal reaches it.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// How much of that is read, in bytes.
pub(crate) const MAX_LINGER: usize = 1024 * 1024;

/// How long a request waits for an instance that is starting.
pub(crate) const HOLD: Duration = Duration::from_secs(10);
/// How long a page does, before the browser shows that something is on its way.
pub(crate) const HOLD_PAGE: Duration = Duration::from_secs(3);
/// How long a request waits where an instance is said to serve and refuses the connection.
pub(crate) const HOLD_REFUSED: Duration = Duration::from_secs(2);
/// How many requests may wait at once.
pub(crate) const MAX_HELD: usize = 1024;

/// How often a server that refuses connections although it should serve is tried again.
pub(crate) const TRY_AGAIN: Duration = Duration::from_millis(50);
/// How many pipes there are for bytes between sockets: two descriptors each. Whoever finds none copies.
pub(crate) const MAX_PIPES: usize = 128;

/// How many idle connections to one upstream are kept.
pub(crate) const MAX_IDLE: usize = 512;
/// How long one is kept.
pub(crate) const KEEP_IDLE: Duration = Duration::from_secs(30);
/// One that has been idle for longer may just be closing: a request that cannot be sent twice takes none.
pub(crate) const SURELY_OPEN: Duration = Duration::from_millis(500);
/// How often idle connections are looked through.
pub(crate) const SWEEP: Duration = Duration::from_secs(5);

/// How often a request is sent again to an instance of wharf's.
pub(crate) const MAX_AGAIN: u32 = 2;
/// How often a request may have passed through wharf before it is taken to go round in a circle.
pub(crate) const MAX_HOPS: usize = 8;
/// The pause after an accept that failed: descriptors may be used up, and come back.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How often a client of HTTP/2 is asked whether it is still there; one that does not answer within
/// [`HEAD_TIMEOUT`] is not.
pub(crate) const PING: Duration = Duration::from_secs(60);
/// Streams that one HTTP/2 connection may have open.
pub(crate) const MAX_STREAMS: u32 = 256;
/// What HTTP/2 lets a peer send before it is read: of a stream, and of a connection, in bytes.
pub(crate) const STREAM_WINDOW: u32 = 1024 * 1024;
pub(crate) const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
