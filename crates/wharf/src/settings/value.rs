//! Values that are checked as they are read, so that an error names their line.

use serde::Deserialize;

/// The most instances of one service.
pub(crate) const INSTANCES_MAX: u32 = 999;

/// How many instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Count(pub(super) u32);

impl TryFrom<i64> for Count {
    type Error = String;

    fn try_from(number: i64) -> Result<Count, String> {
        let count = u32::try_from(number).ok().filter(|count| (1..=INSTANCES_MAX).contains(count));
        count.map(Count).ok_or_else(|| format!("`instances` is from 1 to {INSTANCES_MAX}"))
    }
}

/// The name of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Signal(pub(super) String);

impl TryFrom<String> for Signal {
    type Error = String;

    fn try_from(name: String) -> Result<Signal, String> {
        match wharf_os::signals::number(&name) {
            Some(_) => Ok(Signal(name)),
            None => Err(format!(
                "`stop_signal` is no signal: `{name}`; use a name such as `TERM`, `INT` or `QUIT`"
            )),
        }
    }
}

/// `scheme://host[:port]`, nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Origin(pub(super) String);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Origin, String> {
        let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let is_bare =
            |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', ',']);
        match host.is_some_and(is_bare) {
            true => Ok(Origin(text)),
            false => Err(format!(
                "`{text}` in `origins` is no origin; write scheme, host and port as browsers do, \
                 such as `https://app.example`"
            )),
        }
    }
}

/// A path of the project's own host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct UrlPath(pub(super) String);

impl TryFrom<String> for UrlPath {
    type Error = String;

    fn try_from(text: String) -> Result<UrlPath, String> {
        match text.starts_with('/') {
            true => Ok(UrlPath(text)),
            false => Err(format!(
                "`{text}` in `paths` is no path; begin it with a slash, such as `/api`"
            )),
        }
    }
}
