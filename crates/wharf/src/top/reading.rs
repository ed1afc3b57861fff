//! Where the view has it from: instances as `wharf ls --wide` has them, output as `wharf logs -f`, ports as
//! `wharf who`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use wharf_facts::map::Query;
use wharf_model::Instance;
use wharf_model::holder::Age;
use wharf_supervisor::log::{Follow, Start, ansi, now_ms, place};

use super::state::{LOG_LINES, Row};
use crate::link::{self, Link};
use crate::port_map::Joined;
use crate::render::printable;
use crate::render::who::{Document, Filter, Form};
use crate::report::Report;
use crate::{choice, cli, render, usage};

/// How often it is looked. The kernel tells nobody of new listeners or of what a process uses.
const EVERY: Duration = Duration::from_secs(1);
/// What is read and not yet shown.
const WAITING: usize = 1;

/// What one look has seen.
pub(super) struct Seen {
    pub(super) rows: Result<Vec<Row>, String>,
    pub(super) ports: Option<Vec<String>>,
}

/// Looks once a second on a thread of its own; at the ports only while they are wanted.
pub(super) fn start(wants_ports: Arc<AtomicBool>) -> Receiver<Seen> {
    let (tell, seen) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut is_first = true;
        loop {
            let rows = rows(is_first).map_err(|report| report.what);
            is_first = false;
            let ports = wants_ports.load(Ordering::Relaxed).then(ports);
            if tell.blocking_send(Seen { rows, ports }).is_err() {
                return;
            }
            std::thread::sleep(EVERY);
        }
    });
    seen
}

/// Only the first look starts a daemon: one that was stopped meanwhile shall stay so.
fn rows(may_start: bool) -> Result<Vec<Row>, Report> {
    let snapshot = cli::block_on(async {
        match may_start {
            true => Link::known().await,
            false => Link::open_running().await?.snapshot_now().await,
        }
    })??;
    let mut instances = snapshot.instances;
    cli::ls::look(&mut instances)?;
    instances.retain(|instance| instance.state.is_live());
    instances.sort_by(|a, b| a.key.cmp(&b.key));
    let used = usage::of(&instances)?;
    let logs = link::paths()?.logs;
    let row = |instance: &Instance| {
        let used = used.get(&instance.id);
        let key = &instance.key;
        Row {
            id: instance.id.clone(),
            name: printable(&choice::short_name(instance)),
            state: instance.state.to_string(),
            port: instance.port.to_string(),
            cpu: used.map_or_else(|| "-".to_owned(), |used| format!("{:.0}%", used.cpu_percent)),
            memory: used
                .map_or_else(|| "-".to_owned(), |used| render::ls::bytes(used.memory_bytes)),
            age: Age(now_ms().saturating_sub(instance.started_at) / 1000).to_string(),
            url: printable(&instance.url),
            log: place::path(&logs, &instance.root, &key.service, key.instance),
        }
    };
    Ok(instances.iter().map(row).collect())
}

fn ports() -> Vec<String> {
    let query = Query { port: None, udp: false, bound: false, elsewhere: true };
    match Joined::look(query) {
        Ok(joined) => {
            let text = Document::new(&joined, &Filter::default()).text(Form::Table);
            text.lines().map(|line| plain(line.as_bytes())).collect()
        }
        Err(report) => vec![report.what],
    }
}

/// One line, without anything that a terminal would obey.
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&ansi::stripped(bytes)).into_owned();
    printable(&text.trim_end().replace(['\n', '\t'], "  "))
}

/// The output of one instance: what is kept, then what comes, until nobody listens.
pub(super) fn output(log: PathBuf) -> Receiver<String> {
    let (tell, lines) = mpsc::channel(LOG_LINES);
    std::thread::spawn(move || {
        let said = cli::block_on(follow(log, &tell));
        if let Ok(Err(error)) = said {
            let _ = tell.blocking_send(format!("the log cannot be read: {error}"));
        }
    });
    lines
}

async fn follow(log: PathBuf, tell: &Sender<String>) -> std::io::Result<()> {
    if !place::is_kept(&log) {
        let why = "no output is kept: `wharf run` writes to its own terminal; `wharf up` keeps it";
        let _ = tell.send(why.to_owned()).await;
    }
    let mut follow = Follow::new(vec![((), log)], Start::Beginning)?;
    let mut last = std::collections::VecDeque::new();
    while let Some((_, line)) = follow.past(now_ms())? {
        if last.len() == LOG_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    for line in last {
        if tell.send(plain(&line.bytes)).await.is_err() {
            return Ok(());
        }
    }
    loop {
        let next = tokio::select! {
            next = follow.next() => next?,
            () = tell.closed() => return Ok(()),
        };
        if tell.send(plain(&next.1.bytes)).await.is_err() {
            return Ok(());
        }
    }
}
