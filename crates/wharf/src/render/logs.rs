//! The JSON documents of `wharf logs`.

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_supervisor::log::{Line, Who, ansi};

use crate::report::Report;

/// A line of an instance.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    /// One document by itself says by which schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<u32>,
    time_ms: u64,
    root: String,
    service: String,
    instance: u32,
    from: &'static str,
    text: String,
}

/// Whose line it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Speaker {
    /// The folder of the checkout, as text.
    pub(crate) root: String,
    pub(crate) service: String,
    pub(crate) instance: u32,
    /// What stands before its lines.
    pub(crate) label: String,
}

impl Document {
    /// With or without its escape sequences.
    fn new(speaker: &Speaker, line: &Line, keeps_colours: bool) -> Document {
        let text = match keeps_colours {
            true => line.bytes.as_slice().into(),
            false => ansi::stripped(&line.bytes),
        };
        Document {
            schema: None,
            time_ms: line.time_ms,
            root: speaker.root.clone(),
            service: speaker.service.clone(),
            instance: speaker.instance,
            from: match line.who {
                Who::Server => "server",
                Who::Wharf => "wharf",
            },
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }
}

/// One document with all lines, which is written while they are read: there may be more of them than
/// memory.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    is_begun: bool,
}

impl Lines {
    /// The next line, with what stands before it.
    pub(crate) fn next(
        &mut self,
        speaker: &Speaker,
        line: &Line,
        keeps_colours: bool,
    ) -> Result<String, Report> {
        let document = super::json_line(&Document::new(speaker, line, keeps_colours))?;
        Ok(self.before() + document.trim_end())
    }

    /// The end of the document.
    pub(crate) fn end(mut self) -> String {
        match self.is_begun {
            true => "\n  ]\n}\n".to_owned(),
            false => self.before().trim_end().to_owned() + "]\n}\n",
        }
    }

    fn before(&mut self) -> String {
        match std::mem::replace(&mut self.is_begun, true) {
            true => ",\n    ".to_owned(),
            false => format!("{{\n  \"schema\": {SCHEMA},\n  \"lines\": [\n    "),
        }
    }
}

/// A line as a document of its own, for a stream of them.
pub(crate) fn one(speaker: &Speaker, line: &Line, keeps_colours: bool) -> Result<String, Report> {
    let document = Document::new(speaker, line, keeps_colours);
    super::json_line(&Document { schema: Some(SCHEMA), ..document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_json_at_every_length() {
        let speaker = Speaker {
            root: "/a".into(),
            service: "web".into(),
            instance: 2,
            label: "web.2".into(),
        };
        let line =
            Line { time_ms: 5, who: Who::Server, bytes: b"\x1b[1m\"a\"\x1b[0m\xff".to_vec() };
        for count in 0..3 {
            let mut lines = Lines::default();
            let mut text = String::new();
            for _ in 0..count {
                text.push_str(&lines.next(&speaker, &line, false).unwrap());
            }
            text.push_str(&lines.end());
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(document["schema"], 1);
            assert_eq!(document["lines"].as_array().map(Vec::len), Some(count), "{text}");
        }
        let one: serde_json::Value =
            serde_json::from_str(&one(&speaker, &line, true).unwrap()).unwrap();
        let wanted = serde_json::json!({
            "schema": 1, "time_ms": 5, "root": "/a", "service": "web", "instance": 2,
            "from": "server", "text": "\u{1b}[1m\"a\"\u{1b}[0m\u{fffd}",
        });
        assert_eq!(one, wanted);
    }
}
