//! The requests that went through the proxy, kept while somebody looks and no longer.
//!
//! The proxy makes records only while its channel has a receiver, so this is the one place that decides
//! whether requests cost anything: a collector listens there as long as requests are inspected or followed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;
use wharf_control::api::SCHEMA;
use wharf_control::requests::{
    Inspecting, RequestList, RequestNotice, RequestNoticeKind, RequestReport,
};
use wharf_proxy::Record;

use crate::subscriber::{Lines, MAX_LINES};

/// How many requests of one upstream are kept. Those that the proxy answered by itself share a place.
const MAX_OF_ONE: usize = 500;
/// How many are kept in all.
const MAX_KEPT: usize = 5000;
/// How much of a path is kept, in bytes.
const MAX_PATH: usize = 1024;
/// How much of a host or a method is kept, in bytes.
const MAX_WORD: usize = 256;
/// How many lines a slow reader may be behind before it misses some.
const MAX_BEHIND: usize = 1024;

/// Whoever wants to see requests asks here.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    records: broadcast::Sender<Arc<Record>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    inspecting: bool,
    followers: usize,
    kept: Ring,
    /// For those that follow; `None` once the daemon ends.
    lines: Option<broadcast::Sender<Bytes>>,
    collector: Option<AbortHandle>,
}

impl Requests {
    /// Of what the proxy tells here.
    pub(crate) fn new(records: broadcast::Sender<Arc<Record>>) -> Requests {
        let (lines, _) = broadcast::channel(MAX_BEHIND);
        let state = State {
            inspecting: false,
            followers: 0,
            kept: Ring::default(),
            lines: Some(lines),
            collector: None,
        };
        Requests { records, state: Arc::new(Mutex::new(state)) }
    }

    /// What is kept.
    pub(crate) fn kept(&self) -> RequestList {
        let state = self.state();
        RequestList {
            schema: SCHEMA,
            inspecting: state.inspecting,
            followed: state.followers > 0,
            requests: state.kept.all.iter().map(|request| RequestReport::clone(request)).collect(),
        }
    }

    /// Keeps requests although nobody looks, or no longer.
    pub(crate) fn inspect(&self, inspecting: bool) -> Inspecting {
        let mut state = self.state();
        state.inspecting = inspecting;
        self.settle(&mut state);
        Inspecting { schema: SCHEMA, inspecting }
    }

    /// What is kept, and everything from now on.
    pub(crate) fn follow(&self) -> Lines {
        let mut state = self.state();
        state.followers += 1;
        self.settle(&mut state);
        let kept: Vec<Arc<RequestReport>> = state.kept.all.iter().cloned().collect();
        let lines = state.lines.as_ref().map(broadcast::Sender::subscribe);
        drop(state);
        let (out, body) = mpsc::channel(MAX_LINES);
        let follower = Follower(self.clone());
        tokio::spawn(async move {
            let _follower = follower;
            pass_on(&kept, lines, out).await;
        });
        Lines(body)
    }

    /// The daemon ends: nobody waits for more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.lines = None;
        state.inspecting = false;
        if let Some(collector) = state.collector.take() {
            collector.abort();
        }
    }

    /// Listens to the proxy if that is wanted, and only then; what was kept goes with it.
    fn settle(&self, state: &mut State) {
        let wanted = state.lines.is_some() && (state.inspecting || state.followers > 0);
        match (&state.collector, wanted) {
            (None, true) => {
                let collecting = collect(self.clone(), self.records.subscribe());
                state.collector = Some(tokio::spawn(collecting).abort_handle());
            }
            (Some(collector), false) => {
                collector.abort();
                state.collector = None;
                state.kept = Ring::default();
            }
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that looks.
struct Follower(Requests);

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.followers = state.followers.saturating_sub(1);
        self.0.settle(&mut state);
    }
}

async fn collect(requests: Requests, mut records: broadcast::Receiver<Arc<Record>>) {
    loop {
        let told = match records.recv().await {
            Ok(record) => {
                let request = Arc::new(report(&record));
                requests.state().kept.push(request.clone());
                RequestNoticeKind::Request { request: Box::new(RequestReport::clone(&request)) }
            }
            Err(RecvError::Lagged(missed)) => RequestNoticeKind::Missed { missed },
            Err(RecvError::Closed) => return,
        };
        if let Some(lines) = &requests.state().lines
            && lines.receiver_count() > 0
        {
            // Whoever followed may have gone by now.
            let _ = lines.send(line(told));
        }
    }
}

async fn pass_on(
    kept: &[Arc<RequestReport>],
    lines: Option<broadcast::Receiver<Bytes>>,
    out: mpsc::Sender<Bytes>,
) {
    let Some(mut lines) = lines else { return };
    if out.send(line(RequestNoticeKind::Subscribed)).await.is_err() {
        return;
    }
    for request in kept {
        let request = Box::new(RequestReport::clone(request));
        if out.send(line(RequestNoticeKind::Request { request })).await.is_err() {
            return;
        }
    }
    loop {
        let received = tokio::select! {
            received = lines.recv() => received,
            () = out.closed() => return,
        };
        let next = match received {
            Ok(line) => line,
            Err(RecvError::Lagged(missed)) => line(RequestNoticeKind::Missed { missed }),
            Err(RecvError::Closed) => return,
        };
        if out.send(next).await.is_err() {
            return;
        }
    }
}

fn line(kind: RequestNoticeKind) -> Bytes {
    let mut line = serde_json::to_vec(&RequestNotice { schema: SCHEMA, kind }).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

fn report(record: &Record) -> RequestReport {
    RequestReport {
        time_ms: record.time_ms,
        host: cut(&record.host, MAX_WORD),
        method: cut(&record.method, MAX_WORD),
        path: cut(&record.path, MAX_PATH),
        status: record.status,
        micros: record.micros,
        bytes: record.bytes,
        upstream: record.upstream.as_deref().map(str::to_owned),
        instance: record.instance.as_deref().map(str::to_owned),
        https: record.https,
        upgraded: record.upgraded,
    }
}

/// The beginning of a text that is longer than that.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let whole = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= most).last();
    format!("{}…", &text[..whole.unwrap_or_default()])
}

/// The last requests, of each upstream and in all.
#[derive(Debug, Default)]
struct Ring {
    all: VecDeque<Arc<RequestReport>>,
    of: HashMap<Option<String>, usize>,
}

impl Ring {
    fn push(&mut self, request: Arc<RequestReport>) {
        let own = self.of.get(&request.upstream).copied().unwrap_or_default();
        let oldest = match own >= MAX_OF_ONE {
            true => self.all.iter().position(|other| other.upstream == request.upstream),
            false => (self.all.len() >= MAX_KEPT).then_some(0),
        };
        if let Some(old) = oldest.and_then(|at| self.all.remove(at)) {
            self.forget(&old.upstream);
        }
        *self.of.entry(request.upstream.clone()).or_default() += 1;
        self.all.push_back(request);
    }

    fn forget(&mut self, upstream: &Option<String>) {
        if let Some(count) = self.of.get_mut(upstream) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(upstream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(upstream: Option<&str>, path: &str) -> Record {
        Record {
            time_ms: 1,
            host: "shop.localhost".into(),
            method: "GET".into(),
            path: path.into(),
            status: 200,
            micros: 1,
            bytes: 1,
            upstream: upstream.map(Arc::from),
            instance: None,
            https: false,
            upgraded: false,
        }
    }

    fn push(ring: &mut Ring, upstream: Option<&str>, path: &str) {
        ring.push(Arc::new(report(&record(upstream, path))));
    }

    #[test]
    fn a_busy_upstream_costs_the_others_nothing() {
        let mut ring = Ring::default();
        push(&mut ring, Some("quiet"), "/");
        for number in 0..MAX_OF_ONE + 7 {
            push(&mut ring, Some("busy"), &format!("/{number}"));
            push(&mut ring, None, "/refused");
        }
        assert_eq!(ring.all.len(), 1 + 2 * MAX_OF_ONE);
        assert_eq!(ring.all[0].upstream.as_deref(), Some("quiet"));
        let busy: Vec<&str> = ring
            .all
            .iter()
            .filter(|request| request.upstream.as_deref() == Some("busy"))
            .map(|request| request.path.as_str())
            .collect();
        assert_eq!((busy[0], busy[busy.len() - 1]), ("/7", "/506"));
    }

    #[test]
    fn there_is_an_end_to_all_of_them() {
        let mut ring = Ring::default();
        for number in 0..2 * MAX_KEPT {
            push(&mut ring, Some(&number.to_string()), "/");
        }
        assert_eq!((ring.all.len(), ring.of.len()), (MAX_KEPT, MAX_KEPT));
        assert_eq!(cut("/äöü", 2), "/…");
        let long = report(&record(None, &"/".repeat(30_000)));
        assert!(long.path.len() <= MAX_PATH + "…".len());
    }

    #[tokio::test]
    async fn records_are_wanted_only_while_somebody_looks() {
        let (records, _) = broadcast::channel(16);
        let requests = Requests::new(records.clone());
        assert_eq!(records.receiver_count(), 0);
        requests.inspect(true);
        assert_eq!(records.receiver_count(), 1);
        let mut lines = requests.follow();
        let next = lines.0.recv().await.unwrap();
        assert!(next.starts_with(b"{\"schema\":1,\"event\":\"subscribed\""), "{next:?}");
        records.send(Arc::new(record(Some("shop"), "/a"))).unwrap();
        let next = lines.0.recv().await.unwrap();
        assert!(next.ends_with(b"}}\n"), "{next:?}");
        assert_eq!(requests.kept().requests[0].path, "/a");
        requests.inspect(false);
        assert_eq!(records.receiver_count(), 1, "one follows");
        assert!(requests.kept().followed);
        drop(lines);
        while records.receiver_count() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(requests.kept().requests, [], "what was kept goes with whoever looked");
    }

    #[tokio::test]
    async fn the_end_of_the_daemon_is_the_end_of_the_stream() {
        let requests = Requests::new(broadcast::channel(16).0);
        let mut lines = requests.follow();
        lines.0.recv().await.unwrap();
        requests.close();
        assert_eq!(lines.0.recv().await, None);
        assert_eq!(requests.follow().0.recv().await, None);
    }
}
