//! What is told of a request that has been answered.

use std::sync::Arc;

use tokio::sync::broadcast;

/// One request, answered. Nothing secret is in it: fields and bodies are not, and the values of a
/// query are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds since the Unix epoch, for display only.
    pub time_ms: u64,
    /// The host that was named.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path; the values of its query are masked.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Microseconds from the head of the request to the end of the answer.
    pub micros: u64,
    /// Bytes of body sent back.
    pub bytes: u64,
    /// What people call the upstream, where there was one.
    pub upstream: Option<Arc<str>>,
    /// The instance's id, where it is one of wharf's.
    pub instance: Option<Arc<str>>,
    /// Whether it came over TLS.
    pub https: bool,
    /// Whether it is a connection that was handed over (a WebSocket).
    pub upgraded: bool,
}

/// Where records go, while somebody looks.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    records: broadcast::Sender<Arc<Record>>,
}

impl Log {
    pub(crate) fn new(records: broadcast::Sender<Arc<Record>>) -> Log {
        Log { records }
    }

    /// Writes a record, which is made only if somebody looks.
    pub(crate) fn write(&self, record: impl FnOnce() -> Record) {
        if self.records.receiver_count() > 0 {
            // Whoever looked may have stopped by now.
            let _ = self.records.send(Arc::new(record()));
        }
    }
}

/// A target with the values of its query masked: they carry tokens and passwords.
pub(crate) fn masked(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if !value.is_empty() => format!("{name}=…"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<String>>().join("&"))
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_tells_its_names_and_not_its_values() {
        assert_eq!(masked("/a?token=abc&x&y=&z=1=2"), "/a?token=…&x&y=&z=…");
        assert_eq!(masked("/a"), "/a");
    }
}
