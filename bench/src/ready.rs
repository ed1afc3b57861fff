//! How long after the fact it is known that a server serves.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::world::{PATIENCE, Running, World, finish};

/// The pause between two looks at something that is about to happen.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
const PORT: u16 = 9150;
const WHARF: usize = 0;
const POLL_10: usize = 1;
const POLL_100: usize = 2;
const CURL: usize = 3;
const CLOSING: usize = 0;
const KEEPING: usize = 1;
const NODE: usize = 2;

/// A small server in Node; its clock is the same.
const NODE_SERVER: &str = r#"
let listening, told;
const server = require("http").createServer((request, response) => {
  // Node tells only later that an answer has left: this is a little too early instead.
  const answered = process.hrtime.bigint();
  response.end("ok");
  if (told) return;
  told = true;
  setImmediate(() => require("fs").writeFileSync(process.argv[1], `${listening} ${answered}`));
});
server.listen(+process.env.PORT, "127.0.0.1", () => { listening = process.hrtime.bigint(); });
"#;

/// When what happened.
#[derive(Clone, Copy, Debug)]
struct Times {
    listening: i64,
    answered: i64,
    seen: i64,
}

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let mut answer = Table::new(
        "ready: from the server's first answer to the reader of `--events` (ms)",
        vec![
            Contender::new("server that closes after its answer").aim(Aim::Under(5.0)),
            Contender::new("server that keeps the connection open").aim(Aim::Under(5.0)),
            Contender::new("Node's http").aim(Aim::Under(5.0)),
        ],
    );
    let mut listen = Table::new(
        "ready: from `listen` to knowing that it answers (ms)",
        vec![
            Contender::new("`wharf run`"),
            Contender::new("asking every 10 ms, in process"),
            Contender::new("asking every 100 ms, in process"),
            Contender::new("`until curl …; do sleep 0.1; done`"),
        ],
    );
    let node = finish(world.command("node").arg("--version").spawn()?).is_ok();
    let curl = world.command("curl").arg("--version").status().is_ok();
    world.start_daemon()?;
    for round in Rounds::new(5, 40, Duration::from_secs(50)) {
        // Pollers must not be lucky with their phase.
        let delay = (60 + round * 37 % 100).to_string();
        let closing = with_wharf(world, &mut server(world, &delay, true))?;
        answer.add(CLOSING, clock::ms(closing.answered, closing.seen));
        listen.add(WHARF, clock::ms(closing.listening, closing.seen));
        let keeping = with_wharf(world, &mut server(world, &delay, false))?;
        answer.add(KEEPING, clock::ms(keeping.answered, keeping.seen));
        if node {
            let times = with_wharf(world, &mut node_server(world))?;
            answer.add(NODE, clock::ms(times.answered, times.seen));
        }
        for (contender, pause) in [(POLL_10, 10), (POLL_100, 100)] {
            let ask = || poll(Duration::from_millis(pause));
            let times = by(world, &delay, ask)?;
            listen.add(contender, clock::ms(times.listening, times.seen));
        }
        if curl {
            let times = by(world, &delay, || curl_loop(world))?;
            listen.add(CURL, clock::ms(times.listening, times.seen));
        }
    }
    Ok(vec![answer, listen])
}

/// The words of a server of ours, for the end of a command.
fn server(world: &World, delay: &str, close: bool) -> Vec<std::ffi::OsString> {
    let mut words: Vec<_> = world.role("server").iter().map(|&word| word.to_owned()).collect();
    words.extend([world.path("stamp").into(), delay.into(), close.to_string().into()]);
    words
}

fn node_server(world: &World) -> Vec<std::ffi::OsString> {
    vec!["node".into(), "-e".into(), NODE_SERVER.into(), world.path("stamp").into()]
}

/// Runs the server under wharf until the reader of the events has seen `ready`.
fn with_wharf(world: &World, words: &mut Vec<std::ffi::OsString>) -> Result<Times, Failure> {
    let stamp = world.path("stamp");
    let _ = std::fs::remove_file(&stamp);
    // Inherited on purpose: wharf is told the number.
    let (events, theirs) = rustix::pipe::pipe()?;
    fcntl_setfd(&events, FdFlags::CLOEXEC)?;
    let number = theirs.as_raw_fd().to_string();
    let mut command = world.wharf(&["run", "--port", &format!("{PORT}+"), "--events", &number]);
    let running = Running::start(command.args(words.drain(..)))?;
    drop(theirs);
    let seen = seen_ready(File::from(events))?;
    let times = times(world, seen);
    drop(running);
    times
}

fn seen_ready(events: File) -> Result<i64, Failure> {
    let mut lines = BufReader::new(events);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let seen = clock::now();
        let event: serde_json::Value = serde_json::from_str(&line)?;
        if event["event"] == "ready" {
            return Ok(seen);
        }
        line.clear();
    }
    Err("the events ended without `ready`".into())
}

/// Runs the server bare until `ask`, which says when it knew, is content.
fn by(
    world: &World,
    delay: &str,
    ask: impl FnOnce() -> Result<i64, Failure>,
) -> Result<Times, Failure> {
    let _ = std::fs::remove_file(world.path("stamp"));
    let words = server(world, delay, true);
    let mut command = world.command(&words[0]);
    let running = Running::start(command.args(&words[1..]).env("PORT", PORT.to_string()))?;
    let seen = ask()?;
    let times = times(world, seen);
    drop(running);
    times
}

/// What a waiting loop does, at its fastest: no process is started for a question.
fn poll(pause: Duration) -> Result<i64, Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Ok(mut stream) = TcpStream::connect(address) {
            stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            if stream.read(&mut [0u8; 512])? > 0 {
                return Ok(clock::now());
            }
        }
        std::thread::sleep(pause);
    }
    Err("the server did not answer".into())
}

fn curl_loop(world: &World) -> Result<i64, Failure> {
    let url = format!("http://127.0.0.1:{PORT}/");
    let text = format!("until curl --silent --head --output /dev/null {url}; do sleep 0.1; done");
    let mut command: Command = world.command("sh");
    let mut running = command.args(["-c", &text]).spawn()?;
    // The end is what is measured, so it is waited for; the run as a whole has a limit.
    running.wait()?;
    Ok(clock::now())
}

/// What the server writes down right after its answer, which we may have seen before.
fn times(world: &World, seen: i64) -> Result<Times, Failure> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let text = std::fs::read_to_string(world.path("stamp")).unwrap_or_default();
        if let Some((listening, answered)) = text.split_once(' ') {
            return Ok(Times { listening: listening.parse()?, answered: answered.parse()?, seen });
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err("the server wrote nothing down".into())
}
