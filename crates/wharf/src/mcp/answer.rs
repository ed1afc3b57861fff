//! From what a command has said to what a client is told.

use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde_json::{Value, json};
use wharf_model::event::SCHEMA;

use super::call::Said;
use crate::report::{Code, Report};

/// What a client is told: a document, or an error with its reasons and ways out.
pub(super) struct Answer {
    result: CallToolResult,
}

/// Makes sense of what a command has said.
///
/// # Errors
/// The command has failed and has said nothing but why.
pub(super) fn of(said: Said) -> Result<Answer, Report> {
    let document = document(&said.answer);
    let code = said.code.and_then(|code| u8::try_from(code).ok());
    let (report, notes) = Report::read(Code::of_number(code.unwrap_or(1)), &said.notes);
    match (report, document) {
        // A port that nobody holds is an answer, whatever scripts are told by the exit code.
        (None, Some(document)) => Ok(Answer::success(document, &notes)),
        (Some(report), document) => Ok(Answer::error(&report, document, &notes)),
        (None, None) => Err(silent(&said, &notes)),
    }
}

/// The one document that a command has written, if it has.
fn document(answer: &[u8]) -> Option<Value> {
    serde_json::from_slice(answer).ok().filter(Value::is_object)
}

fn silent(said: &Said, notes: &[String]) -> Report {
    let ended = match said.code {
        Some(code) => format!("`wharf {}` ended with code {code} and no answer", said.command),
        None => format!("`wharf {}` was ended by a signal", said.command),
    };
    let report = Report::new(Code::Failed, ended);
    notes.iter().fold(report, |report, note| report.why(note))
}

impl Answer {
    fn success(document: Value, notes: &[String]) -> Answer {
        let mut result = CallToolResult::structured(document);
        if !notes.is_empty() {
            result.content.push(ContentBlock::text(notes.join("\n")));
        }
        Answer { result }
    }

    fn error(report: &Report, document: Option<Value>, notes: &[String]) -> Answer {
        let text = match notes.is_empty() {
            true => report.text(),
            false => format!("{}\n{}", notes.join("\n"), report.text()),
        };
        let mut told = json!({
            "schema": SCHEMA,
            "error": {
                "exit_code": report.code.number(),
                "what": report.what,
                "why": report.why,
                "help": report.help,
            },
        });
        if let Some(document) = document {
            told["answer"] = document;
        }
        let mut result = CallToolResult::structured_error(told);
        result.content = vec![ContentBlock::text(text)];
        Answer { result }
    }

    /// What is told where no command was run, or none has answered.
    pub(super) fn failure(report: Report) -> Answer {
        Answer::error(&report, None, &[])
    }
}

impl From<Answer> for CallToolResponse {
    fn from(answer: Answer) -> CallToolResponse {
        answer.result.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, answer: &str, notes: &str) -> Said {
        Said {
            code: Some(code),
            command: "who".to_owned(),
            answer: answer.as_bytes().to_vec(),
            notes: notes.to_owned(),
        }
    }

    #[test]
    fn a_document_without_an_error_is_an_answer_whatever_the_code() {
        let answer =
            of(said(3, "{\"schema\": 1, \"listeners\": []}", "wharf: quiet here\n")).unwrap();
        assert_eq!(answer.result.is_error, Some(false));
        assert_eq!(answer.result.structured_content.unwrap()["listeners"], json!([]));
        assert_eq!(answer.result.content.len(), 2);
    }

    #[test]
    fn an_error_keeps_the_document_that_came_with_it() {
        let told = "wharf: a\nerror: not everything came up: web\n  help: `wharf logs`\n";
        let answer = of(said(1, "{\"schema\": 1, \"failed\": [\"web\"]}", told)).unwrap();
        let content = answer.result.structured_content.unwrap();
        assert_eq!(answer.result.is_error, Some(true));
        assert_eq!(content["error"]["help"], json!(["`wharf logs`"]));
        assert_eq!(content["answer"]["failed"], json!(["web"]));
    }

    #[test]
    fn silence_is_an_error() {
        let report = of(said(101, "", "thread 'main' panicked\n")).map(drop).unwrap_err();
        assert_eq!(report.why, ["thread 'main' panicked"]);
    }
}
