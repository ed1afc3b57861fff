//! Every queue and every wait has a bound with a name, and no test sleeps.

use super::source::{Source, closing};
use super::{Breach, Tree};

/// What makes a queue, and takes its length.
const QUEUES: &[&str] = &["channel", "sync_channel", "bounded", "Semaphore::new"];
/// What waits, and takes how long.
const WAITS: &[&str] = &[
    "timeout",
    "sleep",
    "interval",
    "connect_timeout",
    "recv_timeout",
    "wait_timeout",
    "park_timeout",
    "set_read_timeout",
    "set_write_timeout",
    "set_linger",
];
/// The file that may poll: `tests/…/deadline.rs`.
const POLLING: &str = "/deadline.rs";

/// Checks every file of the workspace.
pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.sources
        .iter()
        .flat_map(|source| {
            let mut breaches = queues(source);
            breaches.extend(waits(source));
            breaches.extend(sleeps(source));
            breaches
        })
        .collect()
}

fn queues(source: &Source) -> Vec<Breach> {
    let rule = "bounds";
    let mut breaches = Vec::new();
    for word in ["unbounded_channel", "UnboundedSender", "UnboundedReceiver", "unbounded"] {
        for offset in source.find_outside_tests(word) {
            let what = format!("`{word}` grows without end: use a queue with a named length");
            breaches.push(Breach::new(&source.path, source.line(offset), rule, what));
        }
    }
    for (offset, call, arguments) in QUEUES.iter().flat_map(|name| calls(source, name)) {
        let before = &source.code[..offset];
        let is_literal = arguments.starts_with(|c: char| c.is_ascii_digit());
        // The argument of a watch channel is its first value.
        if is_literal && !before.ends_with("watch::") {
            let what = format!("`{call}({arguments})`: give the length a name (`const …_MAX`)");
            breaches.push(Breach::new(&source.path, source.line(offset), rule, what));
        }
        if call == "channel" && arguments.is_empty() && before.ends_with("mpsc::") {
            let what = "`mpsc::channel()` grows without end: use a queue with a named length";
            breaches.push(Breach::new(&source.path, source.line(offset), rule, what));
        }
    }
    breaches
}

fn waits(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (offset, call, arguments) in WAITS.iter().flat_map(|name| calls(source, name)) {
        let literal = arguments.split_once("Duration::from_").is_some_and(|(_, rest)| {
            rest.split_once('(').is_some_and(|(_, n)| n.starts_with(|c: char| c.is_ascii_digit()))
        });
        if literal {
            let what =
                format!("`{call}` with a number: give the time a name (a `const` with its why)");
            breaches.push(Breach::new(&source.path, source.line(offset), "bounds", what));
        }
    }
    breaches
}

/// The calls of a function outside tests, with their arguments.
fn calls<'a>(
    source: &'a Source,
    name: &'a str,
) -> impl Iterator<Item = (usize, &'a str, &'a str)> + 'a {
    source.find_outside_tests(name).filter_map(move |offset| {
        let mut open = offset + name.len();
        if source.code[open..].starts_with("::<") {
            open += source.code[open..].find('(')?;
        }
        let close = source.code[open..].starts_with('(').then(|| closing(&source.code, open))??;
        Some((offset, name, source.code[open + 1..close].trim()))
    })
}

/// A test that sleeps is slow when all is well, and fails when the machine is busy.
fn sleeps(source: &Source) -> Vec<Breach> {
    if source.path.ends_with(POLLING) {
        return Vec::new();
    }
    let in_tests = ["sleep", "sleep_until", "sleep_ms"].into_iter().flat_map(|name| {
        source.find(name).filter(move |offset| source.code[offset + name.len()..].starts_with('('))
    });
    let in_tests = in_tests.filter(|offset| source.in_test(*offset));
    let is_call = |offset: &usize| !source.code[..*offset].trim_end().ends_with("fn");
    let what =
        "a test does not sleep: wait for what is to happen, with a deadline (tests/…/deadline.rs)";
    let breach = |offset| Breach::new(&source.path, source.line(offset), "sleep", what);
    in_tests.filter(is_call).map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)])).iter().map(|breach| breach.rule).collect()
    }

    const FILE: &str = "crates/wharf/src/a.rs";

    #[test]
    fn a_queue_has_a_named_length() {
        assert_eq!(rules(FILE, "fn a() { mpsc::channel(16) }"), ["bounds"]);
        assert_eq!(rules(FILE, "fn a() { broadcast::channel::<Vec<u8>>(1_000) }"), ["bounds"]);
        assert_eq!(rules(FILE, "fn a() { std::sync::mpsc::channel() }"), ["bounds"]);
        assert_eq!(rules(FILE, "fn a() { unbounded_channel() }"), ["bounds"]);
        assert_eq!(rules(FILE, "fn a() { Semaphore::new(8) }"), ["bounds"]);
        let good = "fn a() { mpsc::channel(EVENTS_MAX); watch::channel(0); oneshot::channel(); }";
        assert_eq!(rules(FILE, good), [""; 0]);
    }

    #[test]
    fn a_wait_has_a_named_length() {
        assert_eq!(rules(FILE, "fn a() { timeout(Duration::from_secs(1), x) }"), ["bounds"]);
        let second = "fn a() { s.set_read_timeout(Some(Duration::from_millis(5))) }";
        assert_eq!(rules(FILE, second), ["bounds"]);
        assert_eq!(rules(FILE, "fn a() { timeout(LAST_WORD, x); sleep(self.grace) }"), [""; 0]);
        assert_eq!(rules(FILE, "const A: Duration = Duration::from_secs(1);"), [""; 0]);
    }

    #[test]
    fn a_test_does_not_sleep() {
        let test = "crates/wharf/tests/run.rs";
        assert_eq!(rules(test, "fn a() { std::thread::sleep(LONG) }"), ["sleep"]);
        assert_eq!(rules(test, "fn a() { tokio::time::sleep_until(x) }"), ["sleep"]);
        let inside = "#[cfg(test)]\nmod tests { fn a() { sleep(LONG) } }";
        assert_eq!(rules(FILE, inside), ["sleep"]);
        assert_eq!(rules("crates/wharf/tests/site/deadline.rs", "fn a() { sleep(X) }"), [""; 0]);
        assert_eq!(rules(FILE, "fn a() { sleep(LONG) }"), [""; 0]);
        assert_eq!(rules(test, "fn sleep(x: u8) {} // sleep(1)"), [""; 0]);
    }
}
