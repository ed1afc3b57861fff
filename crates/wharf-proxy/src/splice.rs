//! Bytes between two sockets that stay in the kernel: `splice` through a pipe, and copying where that is
//! refused or no pipe is to be had.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::limits::{MAX_PIPES, READ};
use crate::shared::Shared;

/// A pipe, empty whenever nobody has it.
#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    count: Rc<Cell<usize>>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.count.set(self.count.get().saturating_sub(1));
    }
}

/// Pipes for whoever has bytes on their way at the moment: a silent connection has none.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    spare: RefCell<Vec<Pipe>>,
    /// How many there are in all: each costs two descriptors.
    count: Rc<Cell<usize>>,
    /// The system does not splice here.
    refused: Cell<bool>,
}

impl Pipes {
    fn take(&self) -> Option<Pipe> {
        if self.refused.get() {
            return None;
        }
        let spare = self.spare.borrow_mut().pop();
        spare.or_else(|| {
            if self.count.get() >= MAX_PIPES {
                return None;
            }
            let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
            self.count.set(self.count.get() + 1);
            Some(Pipe { read, write, count: self.count.clone() })
        })
    }

    /// Takes back an empty one.
    fn put(&self, pipe: Pipe) {
        self.spare.borrow_mut().push(pipe);
    }

    /// Closes those that nobody has: descriptors are used up, or nobody has needed them for a while.
    pub(crate) fn clear(&self) {
        self.spare.borrow_mut().clear();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The source has said its last word, which is to be told.
    Ending,
    Done,
}

/// One direction.
struct Half {
    /// The pipe, and how many bytes are in it: never none.
    inside: Option<(Pipe, usize)>,
    /// What was copied and could not be sent yet.
    out: BytesMut,
    state: State,
}

impl Half {
    fn new() -> Half {
        Half { inside: None, out: BytesMut::new(), state: State::Open }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        sink: &TcpStream,
        shared: &Shared,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.send(cx, sink, &shared.pipes))?;
            match self.state {
                State::Done => return Poll::Ready(Ok(())),
                State::Ending => {
                    // A peer that is gone has heard the last word in its own way.
                    let _ = shutdown(sink, Shutdown::Write);
                    self.state = State::Done;
                    continue;
                }
                State::Open => {}
            }
            // Each wait also counts as work: a busy connection gives way to the others.
            ready!(source.poll_read_ready(cx))?;
            match self.fetch(source, shared) {
                Ok(0) => self.state = State::Ending,
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends all that was fetched.
    fn send(
        &mut self,
        cx: &mut Context<'_>,
        sink: &TcpStream,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        while self.inside.is_some() || !self.out.is_empty() {
            ready!(sink.poll_write_ready(cx))?;
            let sent = match &mut self.inside {
                Some((pipe, left)) => {
                    sink.try_io(Interest::WRITABLE, || moved(&pipe.read, sink, *left))
                }
                None => sink.try_write(&self.out),
            };
            match sent {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(sent) => self.has_sent(sent, pipes),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn has_sent(&mut self, sent: usize, pipes: &Pipes) {
        match self.inside.take() {
            Some((pipe, left)) if sent < left => self.inside = Some((pipe, left - sent)),
            Some((pipe, _)) => pipes.put(pipe),
            None => {
                self.out.advance(sent);
                if self.out.is_empty() {
                    // What it grew to is given back.
                    self.out = BytesMut::new();
                }
            }
        }
    }

    /// Takes what the source has, at most as much as a pipe holds. 0 is its last word.
    fn fetch(&mut self, source: &TcpStream, shared: &Shared) -> io::Result<usize> {
        if let Some(pipe) = shared.pipes.take() {
            let fetched = source.try_io(Interest::READABLE, || moved(source, &pipe.write, READ));
            match fetched {
                Ok(count @ 1..) => {
                    self.inside = Some((pipe, count));
                    return Ok(count);
                }
                Err(error) if is_refusal(&error) => shared.pipes.refused.set(true),
                other => {
                    shared.pipes.put(pipe);
                    return other;
                }
            }
        }
        let mut scratch = shared.scratch();
        let count = source.try_read(&mut scratch)?;
        self.out.extend_from_slice(&scratch[..count]);
        Ok(count)
    }
}

/// Moves as many bytes as can be without waiting.
fn moved(
    from: impl std::os::fd::AsFd,
    to: impl std::os::fd::AsFd,
    most: usize,
) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    Ok(rustix::pipe::splice(from, None, to, None, most, flags)?)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Whether the system does not splice here at all: a filter of system calls, an odd kernel.
fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::ACCESS];
    error.raw_os_error().is_some_and(|raw| refusals.contains(&Errno::from_raw_os_error(raw)))
}

/// Moves bytes between two connections until both directions have ended. There is no limit on silence.
pub(crate) async fn run(one: &TcpStream, two: &TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut up, mut down) = (Half::new(), Half::new());
    poll_fn(|cx| {
        let upward = up.poll(cx, one, two, shared)?;
        let downward = down.poll(cx, two, one, shared)?;
        match (upward, downward) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::{broadcast, watch};
    use tokio::task::LocalSet;
    use wharf_model::RouteTable;

    use super::*;
    use crate::record::Log;
    use crate::upstream::{Ownership, Upstreams};

    struct Anybody;

    impl Ownership for Anybody {
        fn verify(&self, _: &wharf_model::Upstream, _: std::net::SocketAddr) -> Result<(), String> {
            Ok(())
        }
    }

    fn shared() -> Rc<Shared> {
        let (_, routes) = watch::channel(Arc::new(RouteTable::default()));
        let (_, draining) = watch::channel(false);
        let upstreams = Upstreams::new(Arc::new(Anybody), None);
        Rc::new(Shared::new(routes, upstreams, Log::new(broadcast::channel(1).0), draining))
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (one, listener.accept().await.unwrap().0)
    }

    /// More than all buffers on the way hold.
    const LOAD: usize = 24 * 1024 * 1024;

    /// Bytes that show where they belong.
    fn load() -> Vec<u8> {
        (0..LOAD).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    /// A client that sends much and then its last word, a server that answers as much after it.
    fn there_and_back(shared: Rc<Shared>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (mut client, inner_client) = pair().await;
            let (inner_server, mut server) = pair().await;
            let bridge = {
                let shared = shared.clone();
                tokio::task::spawn_local(
                    async move { run(&inner_client, &inner_server, &shared).await },
                )
            };
            let serve = tokio::task::spawn_local(async move {
                let mut got = Vec::new();
                server.read_to_end(&mut got).await.unwrap();
                assert!(got == load(), "what comes is what was sent");
                server.write_all(&got).await.unwrap();
            });
            let mut got = Vec::new();
            client.write_all(&load()).await.unwrap();
            client.shutdown().await.unwrap();
            client.read_to_end(&mut got).await.unwrap();
            assert!(got == load(), "and so is what comes back, after the half-close");
            serve.await.unwrap();
            bridge.await.unwrap().unwrap();
        });
    }

    #[test]
    fn bytes_go_through_pipes_that_are_given_back() {
        let shared = shared();
        there_and_back(shared.clone());
        assert!(!shared.pipes.refused.get(), "this kernel splices");
        let made = shared.pipes.count.get();
        assert!((1..=2).contains(&made), "one for each direction: {made}");
        assert_eq!(shared.pipes.spare.borrow().len(), made);
        shared.pipes.clear();
        assert_eq!(shared.pipes.count.get(), 0);
    }

    #[test]
    fn they_are_copied_where_splice_is_refused_or_pipes_are_used_up() {
        let refusing = shared();
        refusing.pipes.refused.set(true);
        there_and_back(refusing.clone());
        assert_eq!(refusing.pipes.count.get(), 0);
        let used_up = shared();
        used_up.pipes.count.set(MAX_PIPES);
        there_and_back(used_up);
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        for errno in [Errno::NOSYS, Errno::PERM, Errno::INVAL] {
            assert!(is_refusal(&errno.into()));
        }
        for errno in [Errno::CONNRESET, Errno::PIPE, Errno::AGAIN] {
            assert!(!is_refusal(&errno.into()));
        }
    }
}
