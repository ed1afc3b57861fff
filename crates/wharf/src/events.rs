//! `--events`: wharf's own events as one JSON document a line, for scripts.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use wharf_model::event::SCHEMA;
use wharf_model::{Event, EventKind};

use crate::narrate;
use crate::report::{Code, Report};

/// Where events go; nowhere unless asked.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    out: Option<File>,
    service: String,
    instance: u32,
}

impl Sink {
    /// Opens the file, or takes the descriptor, that `--events` names.
    ///
    /// # Errors
    /// The file cannot be made, or nothing is open under the number.
    pub(crate) fn open(target: Option<&Path>) -> Result<Sink, Report> {
        let Some(target) = target else { return Ok(Sink::default()) };
        let number = target.to_str().and_then(|text| text.parse::<i32>().ok());
        let opened = match number {
            Some(number) => wharf_os::inherited::writable(number),
            None => File::options().create(true).append(true).open(target),
        };
        let out = opened.map_err(|error| {
            let what = format!("events cannot be written to `{}`", target.display());
            Report::new(Code::Usage, what)
                .because(&error)
                .help("name a file in a folder that exists, or a descriptor that is open: `--events 3 3>events.jsonl`")
        })?;
        Ok(Sink { out: Some(out), ..Sink::default() })
    }

    /// Says whose events follow.
    pub(crate) fn name(&mut self, service: &str, instance: u32) {
        service.clone_into(&mut self.service);
        self.instance = instance;
    }

    /// Writes one event. A reader that has gone ends the writing, not the server.
    pub(crate) fn write(&mut self, kind: EventKind) {
        let Some(out) = &mut self.out else { return };
        let event = Event {
            schema: SCHEMA,
            time_ms: now_ms(),
            service: self.service.clone(),
            instance: self.instance,
            kind,
        };
        let written = serde_json::to_string(&event)
            .map_err(std::io::Error::other)
            .and_then(|line| out.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            narrate::warning(&format!("events end here: {error}"));
            self.out = None;
        }
    }
}

/// Milliseconds since the Unix epoch, for display only.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
