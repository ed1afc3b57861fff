//! The events that `wharf run --events FILE` writes: one JSON document a line.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// One line. Each kind of event fills some of the fields.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Its kind.
    pub event: String,
    /// The version of the format.
    pub schema: u32,
    /// Of `leased`, `bound`, `listening`, `exposed` and `ready`.
    pub port: Option<u16>,
    /// Of `bound`: the port that the program named.
    pub named: Option<u16>,
    /// Of `leased`: the port that was wanted.
    pub requested_port: Option<u16>,
    /// Of `ready`: where to reach the server without the proxy.
    pub direct_url: Option<String>,
    /// Of `ready`: where to reach the server by its name.
    pub url: Option<String>,
    /// Of `ready`: how long it took.
    pub ready_ms: Option<u64>,
    /// Of `exited`.
    pub exit_code: Option<i32>,
}

/// The events written so far.
pub fn read(file: &Path) -> Result<Vec<Event>, String> {
    // Not there yet is no event yet.
    let text = fs::read_to_string(file).unwrap_or_default();
    // The last line may still be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(parse).collect()
}

/// The first event of a kind.
pub fn first<'a>(events: &'a [Event], kind: &str) -> Option<&'a Event> {
    events.iter().find(|event| event.event == kind)
}

fn parse(line: &str) -> Result<Event, String> {
    let event: Event = serde_json::from_str(line)
        .map_err(|error| format!("this line of the events is not an event ({error}): {line}"))?;
    if event.schema != 1 {
        return Err(format!("this event has schema {}, not 1: {line}", event.schema));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_event_is_read_and_another_schema_refused() {
        let ready = parse(r#"{"schema":1,"event":"ready","port":8000,"service":"web","x":[1]}"#);
        assert_eq!(ready.unwrap().port, Some(8000));
        assert!(parse(r#"{"schema":2,"event":"ready"}"#).is_err());
        assert!(parse("{}").is_err());
    }
}
