//! inotify: reloaders and `--watch` stop noticing when its limits are reached.

use wharf_os::watch_limits::{self, WatchLimits};

use super::Finding;

const AREA: &str = "watching";
/// Vite, webpack and editors together need that many for a few projects of usual size; VS Code and others
/// advise 524288 (<https://code.visualstudio.com/docs/setup/linux>).
const FEW_WATCHES: u64 = 65_536;
/// Each reloader takes one or more descriptors; 128 is the kernel's default.
const FEW_INSTANCES: u64 = 128;
/// The part of a limit, in percent, from which on it is nearly reached.
const NEARLY: u64 = 80;

pub(super) fn examine() -> Vec<Finding> {
    vec![match watch_limits::of_user() {
        Ok(limits) => judge(limits),
        Err(error) => Finding::note(AREA, "inotify cannot be looked at").why(error.to_string()),
    }]
}

fn judge(limits: WatchLimits) -> Finding {
    let WatchLimits { instances_max, watches_max, instances, watches } = limits;
    let used = format!(
        "{watches} of {watches_max} files watched by {instances} of {instances_max} watchers"
    );
    let nearly = |used: u64, of: u64| used.saturating_mul(100) >= of.saturating_mul(NEARLY);
    let command =
        "sudo sysctl -w fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024";
    if nearly(watches, watches_max) || nearly(instances, instances_max) {
        return Finding::trouble(AREA, format!("inotify is nearly used up: {used}"))
            .why("servers that reload on change fail or stop noticing")
            .mended_by(command);
    }
    if watches_max < FEW_WATCHES || instances_max < FEW_INSTANCES {
        return Finding::note(AREA, format!("inotify has low limits: {used}")).mended_by(command);
    }
    Finding::good(AREA, used)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn low_limits_are_noted_and_reached_ones_are_trouble() {
        let state = |instances, instances_max, watches, watches_max| {
            judge(WatchLimits { instances_max, watches_max, instances, watches }).state
        };
        assert_eq!(state(3, 128, 100, 524_288), State::Good);
        assert_eq!(state(3, 128, 100, 8192), State::Note);
        assert_eq!(state(103, 128, 100, 524_288), State::Trouble);
        assert_eq!(state(3, 128, 500_000, 524_288), State::Trouble);
    }
}
