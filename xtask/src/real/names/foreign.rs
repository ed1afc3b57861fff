//! A page of another site: it reads nothing of a site by name and connects to nothing, and its visitor
//! can follow a link and send a form. What got through, the site tells itself.

use serde_json::{Value, json};

use super::browser::{Browser, Tab};
use super::world::World;

/// The servers: the site, its sibling, and the other project.
const SHOP: usize = 0;
const API: usize = 1;
const EVIL: usize = 2;

/// Tries to read and to connect in every way that a page has, and gives what each came to. Each attempt
/// names itself, and the site notes what reaches it.
const ATTACK: &str = r#"
async ([site, who]) => {
  const at = (way, path = '/') => `${site}${path}?from=${who}-${way}`
  const ended = (element, where) => new Promise((resolve) => {
    element.onload = () => resolve('loaded')
    element.onerror = () => resolve('failed')
    where.append(element)
  })
  const element = (name, values) => Object.assign(document.createElement(name), values)
  const read = (way, options) =>
    fetch(at(way), options).then((a) => a.text()).then((t) => t || 'nothing', () => 'failed')
  const came = {}
  came.cors = await read('cors', { mode: 'cors' })
  came.cookies = await read('cookies', { mode: 'cors', credentials: 'include' })
  came.opaque = await read('opaque', { mode: 'no-cors' })
  came.posted = await read('posted', { mode: 'no-cors', method: 'POST', body: 'goods=all' })
  came.json = await read('json', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' })
  came.script = await ended(element('script', { src: at('script', '/script.js') }), document.head)
  came.stolen = String(window.stolen)
  came.image = await ended(element('img', { src: at('image') }), document.body)
  const frame = element('iframe', { src: at('frame') })
  await ended(frame, document.body)
  try {
    came.frame = frame.contentDocument?.body?.innerText || 'closed'
  } catch {
    came.frame = 'closed'
  }
  const target = element('iframe', { name: `target-${who}` })
  document.body.append(target)
  const form = element('form', { method: 'post', action: at('framed'), target: target.name })
  document.body.append(form)
  const sent = new Promise((resolve) => { target.onload = resolve })
  form.submit()
  await sent
  came.socket = await new Promise((resolve) => {
    const socket = new WebSocket(at('socket', '/socket').replace(/^http/, 'ws'))
    socket.onopen = () => socket.send('hello')
    socket.onmessage = (message) => { socket.close(); resolve(message.data) }
    socket.onerror = () => resolve('failed')
  })
  return came
}
"#;

/// What a page of another site must get, whatever it tried.
const NOTHING: [(&str, &str); 10] = [
    ("cors", "failed"),
    ("cookies", "failed"),
    ("opaque", "nothing"),
    ("posted", "nothing"),
    ("json", "failed"),
    ("script", "failed"),
    ("stolen", "undefined"),
    ("image", "failed"),
    ("frame", "closed"),
    ("socket", "failed"),
];

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    let run = world.run;
    world.start(run, "shop", &[])?;
    let copy = world.sites[SHOP].started.copy.output_of("api");
    world.start_in(run, copy, &["--name", "api"])?;
    world.start(run, "evil", &[])?;
    world.ready()?;
    let direct = format!("http://127.0.0.1:{}/", world.sites[EVIL].port);
    let from = |world: &World<'_>, scheme| world.sites[EVIL].url(scheme, "/");
    let [plain, secure] = ["http", "https"].map(|scheme| from(world, scheme));
    let pages = [
        ("named", plain.as_str(), "http"),
        ("direct", direct.as_str(), "http"),
        ("secure", secure.as_str(), "https"),
        ("mixed", plain.as_str(), "https"),
    ];
    for (who, page, scheme) in pages {
        attacked(world, who, page, scheme).map_err(|why| format!("{page} on {scheme}: {why}"))?;
    }
    for scheme in super::SCHEMES {
        at_home(world, scheme).map_err(|why| format!("at home, {scheme}: {why}"))?;
    }
    Ok(format!("{} pages of other sites, {} ways each", pages.len(), NOTHING.len()))
}

/// A page of another site against the site by one scheme.
fn attacked(world: &mut World<'_>, who: &str, page: &str, scheme: &str) -> Result<(), String> {
    let site = world.sites[SHOP].url(scheme, "");
    let identity = world.sites[SHOP].identity().to_owned();
    let browser = world.browser()?;
    let tab = opened(browser, page)?;
    let came = browser.value(&tab, &attack(&site, who))?;
    for (way, expected) in NOTHING {
        if came[way] != expected {
            return Err(format!("`{way}` came to {}, not {expected}", came[way]));
        }
    }
    let reached = asked(browser, &site, who)?;
    if !reached.is_empty() {
        return Err(format!("the site was reached: {reached:?}"));
    }
    let visits = [
        (
            "link",
            format!(
                "document.body.innerHTML = '<a href=\"{site}/?from={who}-link\">shop</a>'; document.links[0].click()"
            ),
            "Shop",
        ),
        (
            "form",
            format!(
                "document.body.innerHTML = '<form method=post action=\"{site}/?from={who}-form\"><input name=goods value=tea></form>'; document.forms[0].submit()"
            ),
            "Posted",
        ),
    ];
    for (way, clicked, title) in visits {
        let tab = opened(browser, page)?;
        browser.value(&tab, &clicked)?;
        let there =
            format!("document.title === {} && location.origin === {}", json!(title), json!(site));
        browser.until(&tab, &there).map_err(|why| format!("{way}: {why}"))?;
        browser.shows(&tab, &identity)?;
    }
    let reached = asked(browser, &site, who)?;
    let expected = [format!("GET {who}-link"), format!("POST {who}-form")];
    if reached != expected {
        return Err(format!("the visits came as {reached:?}, not {expected:?}"));
    }
    Ok(())
}

/// The same attempts, by the site itself and by a sibling: what is refused to others is not broken.
fn at_home(world: &mut World<'_>, scheme: &str) -> Result<(), String> {
    let site = world.sites[SHOP].url(scheme, "");
    let sibling = world.sites[API].url(scheme, "/");
    let identity = world.sites[SHOP].identity().to_owned();
    let browser = world.browser()?;
    let tab = opened(browser, &format!("{site}/"))?;
    let who = format!("own-{scheme}");
    let came = browser.value(&tab, &attack(&site, &who))?;
    for way in ["cors", "cookies", "opaque", "stolen", "frame", "socket"] {
        if !came[way].as_str().unwrap_or_default().contains(&identity) {
            return Err(format!("`{way}` of its own came to {}", came[way]));
        }
    }
    // A sibling's page may connect and send; what it may read is the site's own affair.
    let tab = opened(browser, &sibling)?;
    let who = format!("sibling-{scheme}");
    let came = browser.value(&tab, &attack(&site, &who))?;
    if !came["socket"].as_str().unwrap_or_default().contains(&identity) || came["cors"] != "failed"
    {
        return Err(format!("a sibling's attempts came to {came}"));
    }
    let reached = asked(browser, &site, &who)?;
    for way in ["cors", "script", "frame", "framed", "socket"] {
        if !reached.iter().any(|one| one.ends_with(&format!("-{way}"))) {
            return Err(format!("a sibling's `{way}` did not reach the site: {reached:?}"));
        }
    }
    Ok(())
}

fn opened(browser: &mut Browser, page: &str) -> Result<Tab, String> {
    let tab = browser.tab()?;
    browser.go(&tab, page)?;
    browser.until(&tab, "document.title === 'Shop'")?;
    Ok(tab)
}

fn attack(site: &str, who: &str) -> String {
    format!("({ATTACK})({})", json!([site, who]))
}

/// What the site saw of somebody.
fn asked(browser: &mut Browser, site: &str, who: &str) -> Result<Vec<String>, String> {
    let tab = opened(browser, &format!("{site}/"))?;
    let all = browser.value(&tab, "fetch('/asked').then((answer) => answer.json())")?;
    let all = all.as_array().cloned().unwrap_or_default();
    let start = format!(" {who}-");
    let own = all.iter().filter_map(Value::as_str).filter(|one| one.contains(&start));
    Ok(own.map(str::to_owned).collect())
}
