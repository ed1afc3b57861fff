//! Whether the clock can be right: certificates are good from and to a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Finding, word};
use crate::link;

const AREA: &str = "clock";
/// Clocks of file servers may be a little ahead.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn examine() -> Vec<Finding> {
    let now = SystemTime::now();
    let written =
        |path: std::path::PathBuf| Some((std::fs::metadata(&path).ok()?.modified().ok()?, path));
    let mut witnesses: Vec<_> =
        std::env::current_exe().ok().and_then(written).into_iter().collect();
    witnesses.extend(link::paths().ok().and_then(|paths| written(paths.database)));
    let latest = witnesses.into_iter().max();
    vec![match latest {
        Some((time, file)) if time > now + SLACK => {
            let days = time.duration_since(now).unwrap_or_default().as_secs() / (24 * 60 * 60);
            Finding::trouble(AREA, "the clock is behind")
                .why(format!("{} was written {days} days from now", word(&file)))
                .why("certificates of https names are not yet good by that clock")
                .mended_by("sudo timedatectl set-ntp true")
        }
        _ if now < UNIX_EPOCH => Finding::trouble(AREA, "the clock is before 1970")
            .mended_by("sudo timedatectl set-ntp true"),
        _ => Finding::good(AREA, "nothing that was written here is from the future"),
    }]
}
