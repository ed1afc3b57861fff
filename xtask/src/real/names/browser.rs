//! A browser without a window, driven over a pair of pipes by the protocol of its developer tools. What
//! its pages open and receive is told as events, so a proof sees more than the page does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::environment;
use super::super::place::Place;
use super::super::wait;

/// How long the browser may take to answer a command, and to end.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long a page may take until it is as it should be: a first page is compiled meanwhile.
const SHOWN_WITHIN: Duration = Duration::from_secs(90);

/// How long nothing may happen in a page that has come to rest.
const QUIET: Duration = Duration::from_secs(1);

/// How many messages of the browser may wait to be looked at.
const MESSAGES_MAX: usize = 4096;

/// Hands the pipes over as descriptors 3 and 4, where the browser looks for them.
const PIPES: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >\"$0\" 2>&1";

/// It calls nobody at home. Its own sandbox is refused to root.
const CHROMIUM: [&str; 10] = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
];

/// A browser that runs.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    heard: Vec<Value>,
}

/// One of its pages, with cookies of its own.
#[derive(Clone, Debug)]
pub struct Tab {
    session: String,
}

/// A WebSocket that a page has opened.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Where to.
    pub url: String,
    /// What the server answered: 101, or 200 over HTTP/2; 0 before that.
    pub status: u64,
    /// Whether it has been closed.
    pub closed: bool,
    /// How many messages came.
    pub received: usize,
    id: String,
}

/// How the document of a page was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The status code.
    pub status: u64,
    /// `http/1.1` or `h2`.
    pub protocol: String,
}

impl Browser {
    /// Starts one, with the home of the place.
    pub fn open(place: &Place) -> Result<Browser, String> {
        let profile = format!("--user-data-dir={}", place.root.join("profile").display());
        let mut child = Command::new("sh")
            .args(["-c", PIPES])
            .arg(place.root.join("browser-log"))
            .args(CHROMIUM)
            .arg(profile)
            .current_dir(&place.root)
            .env_clear()
            .envs(environment::common(place))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start a browser: {error}"))?;
        let (Some(to), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the browser has no pipes".to_owned());
        };
        let (sender, from) = sync_channel(MESSAGES_MAX);
        thread::spawn(move || listen(answers, &sender));
        Ok(Browser { child, to, from, last: 0, heard: Vec::new() })
    }

    /// Ends it, with all its processes.
    pub fn close(mut self) -> Result<(), String> {
        self.command(None, "Browser.close", json!({}))?;
        wait::until(Instant::now() + ANSWER_WITHIN, || self.child.try_wait().ok().flatten())
            .map(drop)
            .ok_or_else(|| "the browser does not end".to_owned())
    }

    /// A new page, with no cookies.
    pub fn tab(&mut self) -> Result<Tab, String> {
        let context = self.command(None, "Target.createBrowserContext", json!({}))?;
        self.open_tab(
            &json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        )
    }

    /// A new page with the cookies of the profile, as a person opens one beside others.
    pub fn tab_of_profile(&mut self) -> Result<Tab, String> {
        self.open_tab(&json!({ "url": "about:blank" }))
    }

    fn open_tab(&mut self, wanted: &Value) -> Result<Tab, String> {
        let target = self.command(None, "Target.createTarget", wanted.clone())?;
        let wanted = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command(None, "Target.attachToTarget", wanted)?;
        let tab = Tab { session: text(&attached["sessionId"]) };
        for domain in ["Network.enable", "Page.enable", "Runtime.enable"] {
            self.command(Some(&tab), domain, json!({}))?;
        }
        Ok(tab)
    }

    /// Goes to a page, as if its address had been typed.
    pub fn go(&mut self, tab: &Tab, url: &str) -> Result<(), String> {
        let answer = self.command(Some(tab), "Page.navigate", json!({ "url": url }))?;
        match answer["errorText"].as_str() {
            Some(why) => Err(format!("{url} cannot be shown: {why}")),
            None => Ok(()),
        }
    }

    /// What an expression of JavaScript gives in the page; a promise is waited for.
    pub fn value(&mut self, tab: &Tab, expression: &str) -> Result<Value, String> {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command(Some(tab), "Runtime.evaluate", asked)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("`{expression:.200}` failed in the page: {details:.600}")),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true in the page, whatever pages come and go meanwhile.
    pub fn until(&mut self, tab: &Tab, expression: &str) -> Result<(), String> {
        let deadline = Instant::now() + SHOWN_WITHIN;
        let seen = wait::until(deadline, || {
            matches!(self.value(tab, expression), Ok(Value::Bool(true))).then_some(())
        });
        if seen.is_some() {
            return Ok(());
        }
        let shown = "`${location.href} “${document.title}” ${document.body?.innerText}`";
        let shown = self.value(tab, shown).unwrap_or_default();
        let sockets = self.sockets(tab);
        Err(format!("`{expression}` never became true: {shown:.900}\n    sockets: {sockets:?}"))
    }

    /// Waits until the page shows a text.
    pub fn shows(&mut self, tab: &Tab, wanted: &str) -> Result<(), String> {
        let wanted = Value::from(wanted);
        self.until(tab, &format!("document.body?.innerText.includes({wanted}) ?? false"))
    }

    /// The sockets that the page has opened so far.
    pub fn sockets(&mut self, tab: &Tab) -> Vec<Socket> {
        self.drain();
        let mut sockets: Vec<Socket> = Vec::new();
        for (kind, about) in events(&self.heard, tab) {
            let id = text(&about["requestId"]);
            let known = sockets.iter_mut().find(|socket| socket.id == id);
            match (kind, known) {
                ("Network.webSocketCreated", _) => sockets.push(Socket {
                    url: text(&about["url"]),
                    status: 0,
                    closed: false,
                    received: 0,
                    id,
                }),
                ("Network.webSocketHandshakeResponseReceived", Some(socket)) => {
                    socket.status = about["response"]["status"].as_u64().unwrap_or(0);
                }
                ("Network.webSocketFrameReceived", Some(socket)) => socket.received += 1,
                ("Network.webSocketClosed", Some(socket)) => socket.closed = true,
                _ => {}
            }
        }
        sockets
    }

    /// How the page's document was answered, the last time.
    pub fn document(&mut self, tab: &Tab) -> Option<Document> {
        self.drain();
        let answers = events(&self.heard, tab)
            .filter(|(kind, about)| {
                *kind == "Network.responseReceived" && about["type"] == "Document"
            })
            .map(|(_, about)| &about["response"]);
        let last = answers.last()?;
        Some(Document {
            status: last["status"].as_u64().unwrap_or(0),
            protocol: text(&last["protocol"]),
        })
    }

    /// Waits until nothing has happened in the page for a while.
    pub fn settled(&mut self, tab: &Tab) -> Result<(), String> {
        let (mut count, mut since) = (0, Instant::now());
        let settled = wait::until(Instant::now() + SHOWN_WITHIN, || {
            self.drain();
            let now = events(&self.heard, tab).count();
            if now != count {
                (count, since) = (now, Instant::now());
            }
            (since.elapsed() >= QUIET).then_some(())
        });
        settled.ok_or_else(|| "the page does not come to rest".to_owned())
    }

    /// What the page was told or has said that may be why it is not as it should be.
    pub fn told(&mut self, tab: &Tab) -> String {
        self.drain();
        let mut text = String::new();
        for (kind, about) in events(&self.heard, tab) {
            let line = match kind {
                "Network.loadingFailed" => format!("{} of {}", about["errorText"], about["type"]),
                "Network.requestWillBeSent" => format!("asks {}", about["request"]["url"]),
                "Network.webSocketCreated" => format!("opens {}", about["url"]),
                "Network.webSocketClosed" => "a socket is closed".to_owned(),
                "Network.webSocketFrameReceived" => {
                    format!("gets {:.200}", about["response"]["payloadData"])
                }
                "Runtime.consoleAPICalled" => format!("says {:.300}", about["args"]),
                "Runtime.exceptionThrown" => format!("throws {:.300}", about["exceptionDetails"]),
                "Page.frameNavigated" => format!("shows {}", about["frame"]["url"]),
                _ => continue,
            };
            text.push_str(&format!("\n    page| {line}"));
        }
        text
    }

    fn drain(&mut self) {
        while let Ok(message) = self.from.try_recv() {
            self.heard.push(message);
        }
    }

    /// Sends a command, and waits for its answer; what is told meanwhile is kept.
    fn command(&mut self, tab: Option<&Tab>, method: &str, params: Value) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(tab) = tab {
            message["sessionId"] = tab.session.as_str().into();
        }
        let sent = self.to.write_all(format!("{message}\0").as_bytes());
        sent.and_then(|()| self.to.flush())
            .map_err(|error| format!("the browser is gone: {error}"))?;
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.from.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("the browser does not answer {method}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("the browser ended at {method}"));
                }
            };
            if message["id"] != self.last {
                self.heard.push(message);
                continue;
            }
            return match message.get("error") {
                Some(error) => Err(format!("{method}: {error}")),
                None => Ok(message["result"].clone()),
            };
        }
    }
}

impl Drop for Browser {
    /// A run that went wrong leaves nothing behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What was told about a page: the kind of event, and what it is about.
fn events<'a>(heard: &'a [Value], tab: &'a Tab) -> impl Iterator<Item = (&'a str, &'a Value)> {
    heard
        .iter()
        .filter(|message| message["sessionId"] == tab.session.as_str())
        .filter_map(|message| Some((message["method"].as_str()?, &message["params"])))
}

/// Passes on what the browser says, until it ends. Each message ends with a zero byte.
fn listen(answers: ChildStdout, sender: &SyncSender<Value>) {
    let mut answers = BufReader::new(answers);
    let mut message = Vec::new();
    while answers.read_until(0, &mut message).is_ok_and(|length| length > 0) {
        message.pop();
        let Ok(parsed) = serde_json::from_slice(&message) else { break };
        if sender.send(parsed).is_err() {
            break;
        }
        message.clear();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
