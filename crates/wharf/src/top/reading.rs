//! Where the view has it from: instances as `wharf ls --wide` has them, output as `wharf logs -f`, ports as
//! `wharf who`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::Instant;
use wharf_control::EventStream;
use wharf_facts::map::Query;
use wharf_model::Instance;
use wharf_model::holder::Age;
use wharf_supervisor::log::{Follow, Start, ansi, now_ms, place};

use super::state::{LOG_LINES, Row};
use crate::link::{self, Link};
use crate::port_map::Joined;
use crate::render::ls::Usage;
use crate::render::printable;
use crate::render::who::{Document, Filter, Form};
use crate::report::Report;
use crate::{choice, cli, render, usage};

/// How often it is looked at what nobody tells of: new listeners, and what a process uses.
const EVERY: Duration = Duration::from_secs(1);
/// Events of the daemon come in bursts: no look sooner after the last one.
const PAUSE: Duration = Duration::from_millis(50);
/// What is read and not yet shown.
const WAITING: usize = 1;

/// What one look has seen.
pub(super) struct Seen {
    pub(super) rows: Result<Vec<Row>, String>,
    pub(super) ports: Option<Vec<String>>,
}

/// Looks once a second, and when the daemon tells of something, on a thread of its own; at the ports only while
/// they are wanted.
pub(super) fn start(wants_ports: watch::Receiver<bool>) -> Receiver<Seen> {
    let (tell, seen) = mpsc::channel(WAITING);
    std::thread::spawn(move || cli::block_on(Looker::new(wants_ports).run(tell)));
    seen
}

struct Looker {
    wants_ports: watch::Receiver<bool>,
    events: Option<EventStream>,
    used: HashMap<String, Usage>,
}

impl Looker {
    fn new(wants_ports: watch::Receiver<bool>) -> Looker {
        Looker { wants_ports, events: None, used: HashMap::new() }
    }

    /// Until nobody wants to know.
    async fn run(mut self, tell: Sender<Seen>) {
        let mut is_due = false;
        let mut due = Instant::now();
        loop {
            let rows = self.rows(is_due).await.map_err(|report| report.what);
            let ports = *self.wants_ports.borrow_and_update();
            let ports = (ports && (is_due || rows.is_err())).then(ports_now);
            if tell.send(Seen { rows, ports }).await.is_err() {
                return;
            }
            if is_due {
                due = Instant::now() + EVERY;
            }
            tokio::time::sleep(PAUSE).await;
            is_due = tokio::select! {
                () = tokio::time::sleep_until(due) => true,
                is_told = told(&mut self.events) => {
                    if !is_told {
                        self.events = None;
                    }
                    false
                }
                changed = self.wants_ports.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return,
                },
            };
        }
    }

    /// Starts no daemon: one that was stopped meanwhile shall stay so.
    async fn rows(&mut self, with_usage: bool) -> Result<Vec<Row>, Report> {
        let link = Link::open_running().await?;
        if self.events.is_none() {
            // Before the list is asked for, so that nothing between the two is missed.
            self.events = link.events().await.ok();
        }
        let mut instances = link.snapshot_now().await?.instances;
        cli::ls::look(&mut instances)?;
        instances.retain(|instance| instance.state.is_live());
        instances.sort_by(|a, b| a.key.cmp(&b.key));
        if with_usage {
            self.used = usage::of(&instances)?;
        }
        let logs = link::paths()?.logs;
        Ok(instances.iter().map(|one| row(one, self.used.get(&one.id), &logs)).collect())
    }
}

/// Waits for an event; false at the end of the stream. Without one it waits for ever.
async fn told(events: &mut Option<EventStream>) -> bool {
    match events {
        Some(events) => matches!(events.next().await, Ok(Some(_))),
        None => std::future::pending().await,
    }
}

fn row(instance: &Instance, used: Option<&Usage>, logs: &Path) -> Row {
    let key = &instance.key;
    let unknown = || "-".to_owned();
    Row {
        id: instance.id.clone(),
        name: printable(&choice::short_name(instance)),
        place: choice::place(instance).to_owned(),
        state: instance.state.to_string(),
        port: instance.port.to_string(),
        cpu: used.map_or_else(unknown, |used| format!("{:.0}%", used.cpu_percent)),
        memory: used.map_or_else(unknown, |used| render::ls::bytes(used.memory_bytes)),
        age: Age(now_ms().saturating_sub(instance.started_at) / 1000).to_string(),
        url: printable(&instance.url),
        log: place::path(logs, &instance.root, &key.service, key.instance),
    }
}

fn ports_now() -> Vec<String> {
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
        if tell.is_closed() {
            return Ok(());
        }
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
