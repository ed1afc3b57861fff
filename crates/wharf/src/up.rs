//! A whole project: what it runs, the pilots that run it, and what they say to each other.
//!
//! `wharf up` reads the project, starts one detached pilot for each instance, has the daemon lease all ports in
//! one transaction, and tells each pilot to launch once what it depends on is ready. What happens from then on
//! it learns from the daemon and from the logs. It owns no child: a pilot outlives it, or ends with it where it
//! was told so.

use wharf_model::PathText;
use wharf_supervisor::log::{Start, Tail, ansi, place};

pub(crate) mod aliases;
pub(crate) mod channel;
pub(crate) mod collision;
pub(crate) mod crew;
pub(crate) mod definition;
pub(crate) mod order;
pub(crate) mod pilot;
pub(crate) mod planning;
pub(crate) mod project;
pub(crate) mod published;
pub(crate) mod revival;
pub(crate) mod running;
pub(crate) mod session;
pub(crate) mod states;
pub(crate) mod template;
pub(crate) mod turn;
pub(crate) mod view;

/// The last lines of an instance's log, without colours. Nothing where there is none. Those of before
/// `since_ms` are of an earlier launch, and would lead astray.
pub(crate) fn last_lines(
    root: &PathText,
    (service, instance): (&str, u32),
    since_ms: u64,
    most: usize,
) -> Vec<String> {
    let Ok(paths) = crate::link::paths() else { return Vec::new() };
    let file = place::path(&paths.logs, root, service, instance);
    let Ok(mut tail) = Tail::new(file, Start::Beginning) else { return Vec::new() };
    let mut lines = std::collections::VecDeque::new();
    while let Ok(Some(line)) = tail.next_line() {
        if line.time_ms < since_ms {
            continue;
        }
        if lines.len() == most {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&ansi::stripped(&line.bytes)).into_owned());
    }
    lines.into()
}
