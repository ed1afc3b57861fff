//! A client's connection that speaks HTTP/1.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_rustls::server::TlsStream;

use super::exchange::{self, After};
use super::parse::{Finder, Found, blank_lines};
use super::write;
use crate::limits::{
    HEAD_TIMEOUT, IDLE_TIMEOUT, LAST_REQUEST, LINGER, MAX_HEAD, MAX_LINGER, READ_HEAD,
};
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

/// What ends the wait for a request. A connection sets it up once: a timer and a place in the list of
/// those that are told would cost each request more than its reading.
struct Watch<'w> {
    alarm: Pin<&'w mut Sleep>,
    drained: Pin<&'w mut dyn Future<Output = ()>>,
}

/// Why the wait is over.
enum Call {
    Late,
    Draining,
}

impl Watch<'_> {
    /// Calls when it is too late, and where that is asked for when connections are to end.
    fn poll(&mut self, cx: &mut Context<'_>, until: Instant, drain: bool) -> Poll<Call> {
        if drain && self.drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Call::Draining);
        }
        // Left as it is where it rings too early, which is once in a long while.
        if self.alarm.deadline() > until {
            self.alarm.as_mut().reset(until);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            if self.alarm.deadline() >= until {
                return Poll::Ready(Call::Late);
            }
            self.alarm.as_mut().reset(until);
        }
        Poll::Pending
    }
}

/// When the proxy has been draining for a while: a request that is just on its way is still answered.
async fn drained(mut draining: watch::Receiver<bool>) {
    // Whoever could say so may be gone, and the proxy with them.
    let _ = draining.wait_for(|draining| *draining).await;
    tokio::time::sleep(LAST_REQUEST).await;
}

impl<C: Io> Client<C> {
    /// The head of a connection that carries one request only.
    async fn first_head(&mut self) -> Result<BytesMut, NoHead> {
        let alarm = pin!(sleep_until(Instant::now() + IDLE_TIMEOUT));
        let drained = pin!(drained(self.shared.draining.clone()));
        self.head(&mut Watch { alarm, drained }).await
    }

    async fn run(&mut self) -> io::Result<()> {
        let alarm = pin!(sleep_until(Instant::now() + IDLE_TIMEOUT));
        let drained = pin!(drained(self.shared.draining.clone()));
        let mut watch = Watch { alarm, drained };
        loop {
            let head = match self.head(&mut watch).await {
                Ok(head) => head,
                Err(NoHead::Gone) => {
                    // TLS has a word for a clean end, which a client waits for. One that does not even
                    // take that is not waited for.
                    let _ = timeout_at(Instant::now() + LINGER, self.stream.shutdown()).await;
                    return Ok(());
                }
                Err(NoHead::Refused(refusal)) => {
                    return self.last_word(&page::bare(&refusal), true).await;
                }
            };
            match exchange::exchange(self, head).await? {
                After::Next if self.has_finished() => break,
                // Draining too: whoever was told that the connection is kept may be about to use it.
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
    async fn head(&mut self, watch: &mut Watch<'_>) -> Result<BytesMut, NoHead> {
        let mut finder = Finder::default();
        let idle_until = Instant::now() + IDLE_TIMEOUT;
        let mut deadline = None;
        loop {
            let blank = blank_lines(&self.input);
            if blank > 0 {
                let _ = self.input.split_to(blank);
                finder = Finder::default();
            }
            match finder.look(&self.input, true) {
                // Mostly the head is all that has come, and nothing need be shared.
                Found::Head(length) if length == self.input.len() && length <= MAX_HEAD => {
                    return Ok(std::mem::take(&mut self.input));
                }
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
            let idle = self.input.is_empty();
            let until = match idle {
                true => idle_until,
                false => *deadline.get_or_insert_with(|| Instant::now() + HEAD_TIMEOUT),
            };
            let read = poll_fn(|cx| match self.poll_read(cx) {
                Poll::Ready(read) => Poll::Ready(Ok(read)),
                Poll::Pending => watch.poll(cx, until, idle).map(Err),
            });
            match read.await {
                Ok(Ok(1..)) => {}
                Err(Call::Late) if !idle => return Err(NoHead::Refused(Refusal::Slow)),
                Ok(_) | Err(_) => return Err(NoHead::Gone),
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
        let mut buffer = ReadBuf::new(&mut scratch[..READ_HEAD]);
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
    let Ok(head) = client.first_head().await else { return };
    let page = match exchange::https_url(&head, &client.door, shared) {
        Some(url) => page::moved(url),
        None => page::bare(&Refusal::Unknown),
    };
    // A client that is gone needs no answer.
    let _ = client.last_word(&page, true).await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::sync::{broadcast, watch};
    use wharf_model::{RouteTable, Upstream};

    use super::*;
    use crate::forward::Arrival;
    use crate::record::Log;
    use crate::upstream::{Ownership, Upstreams};

    impl Io for DuplexStream {
        fn abort(&mut self) {}
    }

    struct Anybody;

    impl Ownership for Anybody {
        fn verify(&self, _: &Upstream, _: SocketAddr) -> Result<(), String> {
            Ok(())
        }
    }

    const BUFFER: usize = 4096;
    const PAUSE: Duration = Duration::from_secs(4);

    /// Runs a client against a connection with no routes; how long the connection lasted. Time passes
    /// only when nothing else happens.
    fn lasts<F: Future<Output = ()>>(client: impl FnOnce(DuplexStream) -> F) -> Duration {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (_table, routes) = watch::channel(Arc::new(RouteTable::default()));
            let (_drain, draining) = watch::channel(false);
            let log = Log::new(broadcast::Sender::new(1));
            let upstreams = Upstreams::new(Arc::new(Anybody), None);
            let shared = Rc::new(Shared::new(routes, upstreams, log, draining));
            let arrival = Arrival { client: [127, 0, 0, 1].into(), https: false, port: 80 };
            let door = Door { arrival, shown: None, lan: false, only: None };
            let (ours, theirs) = duplex(BUFFER);
            let begun = Instant::now();
            let serving = async {
                serve(theirs, BytesMut::new(), door, shared).await;
                begun.elapsed()
            };
            tokio::join!(serving, client(ours)).0
        })
    }

    async fn heard(mut stream: DuplexStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[test]
    fn a_head_that_does_not_end_is_ended() {
        let lasted = lasts(|mut stream| async {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
            let text = heard(stream).await;
            assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close"));
        });
        assert_eq!(lasted, HEAD_TIMEOUT);
    }

    #[test]
    fn a_head_that_drips_in_is_ended_as_soon() {
        let lasted = lasts(|mut stream| async {
            for piece in ["G", "E", "T", " ", "/"] {
                if stream.write_all(piece.as_bytes()).await.is_ok() {
                    tokio::time::advance(PAUSE).await;
                }
            }
            assert!(heard(stream).await.starts_with("HTTP/1.1 408 "));
        });
        // With a new term for each byte it would be five pauses more.
        assert!(lasted >= HEAD_TIMEOUT && lasted <= HEAD_TIMEOUT + PAUSE * 2, "{lasted:?}");
    }

    #[test]
    fn a_silent_connection_ends_without_a_word() {
        let lasted = lasts(|stream| async { assert_eq!(heard(stream).await, "") });
        assert_eq!(lasted, IDLE_TIMEOUT);
    }

    #[test]
    fn blank_lines_are_no_sign_of_life() {
        let lasted = lasts(|mut stream| async move {
            while stream.write_all(b"\r\n").await.is_ok() {
                tokio::time::advance(PAUSE).await;
            }
        });
        assert!(lasted >= IDLE_TIMEOUT && lasted < IDLE_TIMEOUT + PAUSE, "{lasted:?}");
    }

    #[test]
    fn whoever_was_refused_and_goes_on_is_not_heard_for_long() {
        let lasted = lasts(|mut stream| async move {
            stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
            while stream.write_all(b"more").await.is_ok() {
                tokio::time::advance(Duration::from_millis(300)).await;
            }
        });
        assert!(lasted >= LINGER && lasted < LINGER * 2, "{lasted:?}");
    }
}
