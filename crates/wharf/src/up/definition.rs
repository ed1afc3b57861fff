//! What `wharf up` was told of an instance, so that a later one sees what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_model::service::{Ready, Run, Service};

/// By key. Values of variables stand here as fingerprints, since they may be secret.
pub(crate) fn of(service: &Service) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: String| drop(parts.insert(key.to_owned(), value));
    put("run", service.run.as_ref().map_or_else(|| "what the folder suggests".into(), text));
    put("dir", service.dir.display().to_string());
    put("restart", format!("{:?}", service.restart));
    put("ready", ready(&service.ready));
    put("stop", format!("{} {:?}", service.stop_signal, service.stop_grace));
    put("expose", format!("{:?}", service.expose));
    if let Some(port) = service.port {
        put("port", port.to_string());
    }
    if !service.depends_on.is_empty() {
        put("depends_on", service.depends_on.join(" "));
    }
    if !service.watch.is_empty() {
        put("watch", service.watch.join(" "));
    }
    if let Some(idle) = service.on_demand {
        put("on_demand", format!("{idle:?}"));
    }
    if service.socket {
        put("socket", "true".to_owned());
    }
    if service.verbatim.run {
        put("verbatim", "true".to_owned());
    }
    if let Some(bytes) = service.memory_max {
        put("memory_max", bytes.to_string());
    }
    for (name, value) in &service.env {
        put(&format!("env.{name}"), fingerprint(value));
    }
    parts
}

fn text(run: &Run) -> String {
    match run {
        Run::Shell(text) => text.clone(),
        Run::Words(words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        }
    }
}

fn ready(ready: &Ready) -> String {
    match ready {
        Ready::Exit => "exit".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Whether an instance is a step that ends.
pub(crate) fn is_step(definition: &BTreeMap<String, String>) -> bool {
    definition.get("ready").is_some_and(|ready| ready == "exit")
}

/// What an instance depended on when it was started.
pub(crate) fn dependencies(definition: &BTreeMap<String, String>) -> Vec<&str> {
    definition.get("depends_on").map(|names| names.split(' ').collect()).unwrap_or_default()
}

/// How long an instance may take to end before it is killed.
pub(crate) fn stop_grace(definition: &BTreeMap<String, String>) -> Option<Duration> {
    let (_, grace) = definition.get("stop")?.rsplit_once(' ')?;
    let (number, unit) = match grace.strip_suffix("ms") {
        Some(number) => (number, 1000.0),
        None => (grace.strip_suffix('s')?, 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? / unit).ok()
}

/// The same in every wharf, by whatever compiler it was built: FNV-1a of 64 bits
/// (<http://www.isthe.com/chongo/tech/comp/fnv/>). It tells whether a value has changed, to this user alone, and
/// does not hide a value from whoever may guess at it.
fn fingerprint(value: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("#{:016x}", value.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// What differs, for people: `run: "a" → "b"`.
pub(crate) fn difference(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = |key: &&&String| before.get(**key) != now.get(**key);
    keys.iter().filter(differs).map(|key| one(key, before.get(*key), now.get(*key))).collect()
}

fn one(key: &str, before: Option<&String>, now: Option<&String>) -> String {
    match (before, now) {
        _ if key.starts_with("env.") && before.is_some() && now.is_some() => {
            format!("{key} has another value")
        }
        (None, Some(_)) if key.starts_with("env.") => format!("{key} is new"),
        (_, None) => format!("{key} is no longer set"),
        (None, Some(now)) => format!("{key} is now {now:?}"),
        (Some(before), Some(now)) => format!("{key} was {before:?} and is {now:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_same_in_every_wharf() {
        // The published values of FNV-1a.
        assert_eq!(fingerprint(""), "#cbf29ce484222325");
        assert_eq!(fingerprint("a"), "#af63dc4c8601ec8c");
        assert_eq!(fingerprint("foobar"), "#85944171f73967e8");
    }

    #[test]
    fn what_has_changed_is_told_and_no_secret() {
        let mut web = Service::new("web", "/src".into(), "test");
        web.run = Some(Run::Shell("npm run dev".into()));
        web.env.insert("KEY".into(), "secret".into());
        let before = of(&web);
        assert!(difference(&before, &of(&web)).is_empty());
        web.run = Some(Run::Shell("npm start".into()));
        web.env.insert("KEY".into(), "other".into());
        web.env.insert("MORE".into(), "1".into());
        web.depends_on.push("db".into());
        let told = difference(&before, &of(&web)).join("\n");
        assert!(told.contains("run was \"npm run dev\" and is \"npm start\""), "{told}");
        assert!(told.contains("env.KEY has another value") && told.contains("env.MORE is new"));
        assert!(!told.contains("secret") && !told.contains("other\""), "{told}");
        assert_eq!(dependencies(&of(&web)), ["db"]);
        assert!(!is_step(&before));
        for grace in
            [Duration::from_secs(90), Duration::from_millis(1500), Duration::from_millis(20)]
        {
            web.stop_grace = grace;
            assert_eq!(stop_grace(&of(&web)), Some(grace));
        }
    }
}
