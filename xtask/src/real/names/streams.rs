//! What stays open: events come one by one, and a socket answers, over each version of HTTP.

use serde_json::json;

use super::SCHEMES;
use super::world::World;

/// How many events are asked for, each once the one before it has come.
const EVENTS: usize = 5;

/// Asks for the next event only when the one before it is there: what is held back somewhere on the way
/// never comes.
const LISTEN: &str = r#"
([count, who]) => new Promise((resolve, reject) => {
  const came = []
  const source = new EventSource(`/events?who=${who}`)
  const next = () => fetch(`/events?who=${who}&data=${came.length}`, { method: 'POST' })
  source.onmessage = (event) => {
    came.push(event.data)
    if (came.length > count) { source.close(); resolve(came.join(' ')) } else next()
  }
  source.onerror = () => reject(new Error(`after ${came}`))
})
"#;

/// Two messages, the second once the first was answered, and one that is long.
const TALK: &str = r#"
() => new Promise((resolve, reject) => {
  const came = []
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket')
  const words = ['one', 'two', 'x'.repeat(200000)]
  socket.onopen = () => socket.send(words[0])
  socket.onmessage = (message) => {
    came.push(message.data)
    if (came.length === words.length) { socket.close(1000); return }
    socket.send(words[came.length])
  }
  socket.onclose = (closed) => resolve([closed.code, ...came.map((text) => text.length)])
  socket.onerror = () => reject(new Error(`after ${came.length}`))
})
"#;

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    let run = world.run;
    world.start(run, "shop", &[])?;
    world.ready()?;
    let mut said = Vec::new();
    for scheme in SCHEMES {
        said.push(streams(world, scheme).map_err(|why| format!("{scheme}: {why}"))?);
    }
    Ok(said.join("; "))
}

fn streams(world: &mut World<'_>, scheme: &str) -> Result<String, String> {
    let (url, identity) = (world.sites[0].url(scheme, "/"), world.sites[0].identity().to_owned());
    let browser = world.browser()?;
    let tab = browser.tab()?;
    browser.go(&tab, &url)?;
    browser.until(&tab, "document.title === 'Shop'")?;
    let came = browser.value(&tab, &format!("({LISTEN})({})", json!([EVENTS, scheme])))?;
    // The first event comes by itself.
    let expected: Vec<String> =
        std::iter::once("open".to_owned()).chain((1..=EVENTS).map(|one| one.to_string())).collect();
    if came != expected.join(" ") {
        return Err(format!("the events were {came}"));
    }
    // The page has closed its source, and the server hears of that although it had nothing to say.
    let gone = "fetch('/listening').then((a) => a.json()).then((all) => all.length === 0)";
    browser.until(&tab, gone).map_err(|why| format!("the server still has a listener: {why}"))?;
    let talk = browser.value(&tab, &format!("({TALK})()"))?;
    let prefix = identity.len() + ": ".len();
    if talk != json!([1000, prefix + 3, prefix + 3, prefix + 200_000]) {
        return Err(format!("the socket came to {talk}"));
    }
    let protocol = browser.document(&tab).map(|document| document.protocol).unwrap_or_default();
    let socket = browser.sockets(&tab).pop().ok_or("no socket was seen")?;
    Ok(format!("{} events and a socket ({}) beside {protocol}", EVENTS + 1, socket.status))
}
