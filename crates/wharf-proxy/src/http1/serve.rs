//! A client's connection that speaks HTTP/1.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use super::exchange::{self, After};
use super::parse::{Finder, Found, blank_lines};
use super::write;
use crate::limits::{HEAD_TIMEOUT, IDLE_TIMEOUT, LINGER, MAX_HEAD, MAX_LINGER};
use crate::page::{self, Page};
use crate::reach::Door;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// What a client's connection is made of.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin {
    /// Makes sure that the end, when it is dropped, is not taken for a clean one: HTTP/1.0 knows no
    /// other end of a body.
    fn abort(&mut self);
}

impl Io for TcpStream {
    fn abort(&mut self) {
        // A connection that is gone already needs no reset.
        let _ = self.set_zero_linger();
    }
}

impl<T: Io> Io for &mut T {
    fn abort(&mut self) {
        T::abort(self);
    }
}

impl Io for TlsStream<TcpStream> {
    fn abort(&mut self) {
        // TLS has a word for a clean end, and it is not said.
        self.get_mut().0.abort();
    }
}

/// A client's connection.
pub(crate) struct Client<C> {
    pub(crate) stream: C,
    /// What has been read and not yet used.
    pub(crate) input: BytesMut,
    pub(crate) door: Door,
    pub(crate) shared: Rc<Shared>,
    /// Whether the client has said all that it will say.
    pub(crate) ended: bool,
}

/// What came instead of a head.
enum NoHead {
    /// The client has left, or waited too long for nothing.
    Gone,
    Refused(Refusal),
}

/// Serves a connection to its end. `input` is what has been read of it.
pub(crate) async fn serve<C: Io>(stream: C, input: BytesMut, door: Door, shared: Rc<Shared>) {
    let mut client = Client { stream, input, door, shared, ended: false };
    // A connection that breaks is its client's affair.
    let _ = client.run().await;
}

impl<C: Io> Client<C> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let head = match self.head().await {
                Ok(head) => head,
                Err(NoHead::Gone) => return Ok(()),
                Err(NoHead::Refused(refusal)) => {
                    return self.last_word(&page::bare(&refusal), true).await;
                }
            };
            match exchange::exchange(self, head).await? {
                After::Next if self.has_finished() || self.shared.is_draining() => break,
                After::Next => {}
                After::Close => break,
                After::Linger => return self.linger().await,
            }
            // Idle connections are many; each keeps as little as possible.
            if self.input.is_empty() {
                self.input = BytesMut::new();
            }
        }
        self.stream.shutdown().await
    }

    /// The next head, its empty line included.
    async fn head(&mut self) -> Result<BytesMut, NoHead> {
        let mut finder = Finder::default();
        let idle_until = Instant::now() + IDLE_TIMEOUT;
        let mut deadline = None;
        let mut draining = self.shared.draining.clone();
        loop {
            let blank = blank_lines(&self.input);
            if blank > 0 {
                let _ = self.input.split_to(blank);
                finder = Finder::default();
            }
            match finder.look(&self.input, true) {
                Found::Head(length) if length <= MAX_HEAD => {
                    return Ok(self.input.split_to(length));
                }
                Found::BareLf => {
                    let what = "a line that ends without a carriage return";
                    return Err(NoHead::Refused(Refusal::Malformed(what)));
                }
                Found::More if self.input.len() <= MAX_HEAD => {}
                _ => return Err(NoHead::Refused(Refusal::HeadTooLong)),
            }
            if self.input.is_empty() {
                tokio::select! {
                    biased;
                    read = timeout_at(idle_until, self.read()) => match read {
                        Ok(Ok(1..)) => {}
                        _ => return Err(NoHead::Gone),
                    },
                    _ = draining.wait_for(|draining| *draining) => return Err(NoHead::Gone),
                }
                continue;
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + HEAD_TIMEOUT);
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(NoHead::Gone),
                Err(_) => return Err(NoHead::Refused(Refusal::Slow)),
            }
        }
    }

    /// Whether no request can follow: one that was sent before the client's last word is still owed
    /// its answer.
    pub(crate) fn has_finished(&self) -> bool {
        self.ended && self.input.is_empty()
    }

    async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Reads more of what the client says into the input; 0 at its end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.shared.scratch();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let data = buffer.filled();
        self.input.extend_from_slice(data);
        self.ended |= data.is_empty();
        Poll::Ready(Ok(data.len()))
    }

    /// Answers, and stays to the end of the connection.
    pub(crate) async fn last_word(&mut self, page: &Page, body: bool) -> io::Result<()> {
        let mut out = BytesMut::new();
        write::page(&mut out, page, body, true);
        self.stream.write_all(&out).await?;
        self.linger().await
    }

    /// Says that nothing follows, and reads what the client still sends: a connection that is closed
    /// with unread bytes is reset, and the answer may be lost with it.
    pub(crate) async fn linger(&mut self) -> io::Result<()> {
        self.stream.flush().await?;
        self.stream.shutdown().await?;
        let until = Instant::now() + LINGER;
        let mut read = 0;
        while read < MAX_LINGER {
            self.input.clear();
            match timeout_at(until, self.read()).await {
                Ok(Ok(length @ 1..)) => read += length,
                _ => break,
            }
        }
        Ok(())
    }
}

/// Answers a client that speaks in the clear where TLS is spoken: with the URL that works.
pub(crate) async fn send_to_https(stream: &mut TcpStream, door: Door, shared: &Rc<Shared>) {
    let (input, ended) = (BytesMut::new(), false);
    let mut client = Client { stream, input, door, shared: shared.clone(), ended };
    let Ok(head) = client.head().await else { return };
    let page = match exchange::https_url(&head, shared) {
        Some(url) => page::moved(url),
        None => page::bare(&Refusal::Unknown),
    };
    // A client that is gone needs no answer.
    let _ = client.last_word(&page, true).await;
}
