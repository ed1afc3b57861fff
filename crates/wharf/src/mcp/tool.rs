//! The six tools: what a client is told of each, and the command that each is.

use std::time::Duration;

use rmcp::model::{JsonObject, ToolAnnotations};
use serde_json::{Value, json};

use super::arguments::{Arguments, LIST_MAX};
use super::call::Line;
use crate::report::{Code, Report};
use crate::settings::INSTANCES_MAX;

/// How long services may take to end: each has a grace of its own, which `down` waits for.
const END: Duration = Duration::from_secs(600);
/// How long `up` waits, in seconds, unless told otherwise: less than the minute after which many clients give
/// a call up. Asked again, it goes on waiting.
const UP_S: u64 = 50;
/// The longest that it waits.
const UP_MAX_S: u64 = 600;
/// What `up` may take beside waiting: the end of what has changed comes first.
const UP_BESIDE: Duration = Duration::from_secs(90);
/// How long a command may take that only looks.
const LOOK: Duration = Duration::from_secs(30);
/// How many lines of logs are told, unless another number is asked for, and how many at most.
const LINES: u64 = 100;
const LINES_MAX: u64 = 1000;
/// How many requests are told, and how many of a name are kept at most.
const REQUESTS: u64 = 100;
const REQUESTS_MAX: u64 = 500;

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Up,
    List,
    Who,
    Logs,
    Stop,
    Requests,
}

impl Tool {
    pub(super) const ALL: [Tool; 6] =
        [Tool::Up, Tool::List, Tool::Who, Tool::Logs, Tool::Stop, Tool::Requests];

    pub(super) fn named(name: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::Up => "up",
            Tool::List => "list",
            Tool::Who => "who",
            Tool::Logs => "logs",
            Tool::Stop => "stop",
            Tool::Requests => "requests",
        }
    }

    /// The command line that does it.
    ///
    /// # Errors
    /// An argument is not what it should be.
    pub(super) fn line(self, arguments: &mut Arguments) -> Result<Line, Report> {
        match self {
            Tool::Up => up(arguments),
            Tool::List => {
                let all = arguments.flag("all")?;
                Ok(Line::new("ls", LOOK).flag("--all", all))
            }
            Tool::Who => Ok(Line::new("who", LOOK).names(arguments.texts("targets")?)),
            Tool::Logs => logs(arguments),
            Tool::Stop => end(arguments),
            Tool::Requests => {
                let last = arguments.number("last", 1..=REQUESTS_MAX)?.unwrap_or(REQUESTS);
                let name = arguments.text("name")?;
                let line = Line::new("requests", LOOK).option("--last", Some(last.to_string()));
                Ok(line.names(name.into_iter().collect()))
            }
        }
    }

    /// What a client is told of it.
    pub(super) fn definition(self) -> rmcp::model::Tool {
        let (title, description) = self.words();
        rmcp::model::Tool::new(self.name(), description, object(self.input()))
            .with_title(title)
            .with_raw_output_schema(object(self.output()).into())
            .with_annotations(self.annotations())
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Tool::Up => (
                "Start the project",
                "Start the dev servers of this checkout and wait until they are ready. Safe to repeat: \
                 what runs and has not changed is left alone. The answer has each instance's `url`, \
                 `direct_url` and `port`; use those, never a guessed port. The servers keep running \
                 after this call and after this session; `stop` ends them. If it times out, what came \
                 up keeps running: call it again to go on waiting, or read `logs`.",
            ),
            Tool::List => (
                "List instances and leases",
                "List everything that wharf runs for this user, in every checkout, with URL, port, state, \
                 and which agent started it; and the leased ports. Not everything in the list is yours: \
                 look at `root` and `agent`.",
            ),
            Tool::Who => (
                "Who holds a port",
                "Tell which process holds a port: its command, folder, project, age, and who started it. \
                 Without targets: every listener of the machine. A port that nobody holds gives an empty \
                 list. Ask this instead of `lsof`, and do not kill what it tells.",
            ),
            Tool::Logs => (
                "Read logs",
                "The last lines that the servers of this checkout have put out, also those that have \
                 ended. Only what `up` started is kept.",
            ),
            Tool::Stop => (
                "Stop services",
                "End services of this checkout, and nothing else: other checkouts and agents keep theirs. \
                 Returns when their ports are free. Use this, never `kill` or `pkill`. With `anywhere` \
                 also what other checkouts run, by its full name or port: only if the user asks for it.",
            ),
            Tool::Requests => (
                "Requests through the proxy",
                "The last HTTP requests that went through wharf's proxy by name: method, path, status, \
                 time. None are kept until `wharf requests --inspect on` was run once (field \
                 `inspecting`).",
            ),
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let annotations = ToolAnnotations::new().open_world(false);
        match self {
            Tool::List | Tool::Who | Tool::Logs | Tool::Requests => annotations.read_only(true),
            Tool::Up => annotations.read_only(false).destructive(false).idempotent(true),
            Tool::Stop => annotations.read_only(false).destructive(true).idempotent(true),
        }
    }

    fn input(self) -> Value {
        let mut properties = match self {
            Tool::Up => json!({
                "services": texts("Services to start, with what they depend on; all where none is named"),
                "scale": {
                    "type": "object",
                    "description": "How many instances of a service to run, such as {\"web\": 3}",
                    "additionalProperties": number(1, u64::from(INSTANCES_MAX)),
                },
                "timeout_s": described(
                    number(1, UP_MAX_S),
                    &format!("Seconds to wait until everything is ready; {UP_S} where absent"),
                ),
            }),
            Tool::List => json!({
                "all": flag("Also what has ended lately, and the ports that are remembered"),
            }),
            Tool::Who => json!({
                "targets": texts("Ports, or names of instances; the whole machine where none is given"),
            }),
            Tool::Logs => json!({
                "names": texts("Services (`web`) or instances (`web.2`); all of this checkout without any"),
                "lines": described(
                    number(1, LINES_MAX),
                    &format!("Only the last so many lines; {LINES} where absent"),
                ),
                "since": text("Only lines since then: `10m`, `2h`, `2026-07-02T10:11:12Z`"),
                "grep": text("Only lines that have this regular expression"),
            }),
            Tool::Stop => json!({
                "names": {
                    "type": "array",
                    "description": "Services (`web`) or instances (`web.2`) of this checkout",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": LIST_MAX,
                },
                "anywhere": flag("Also other checkouts': names as `list` shows them, ports, addresses"),
            }),
            Tool::Requests => json!({
                "name": text("Only those of this name and of the names below it, such as `shop`"),
                "last": described(
                    number(1, REQUESTS_MAX),
                    &format!("Only the last so many; {REQUESTS} where absent"),
                ),
            }),
        };
        properties["dir"] =
            text("The folder that the call is about; where the server was started if absent");
        let required: &[&str] = if self == Tool::Stop { &["names"] } else { &[] };
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// The part of the document that always is there; `docs/scripting.md` tells the rest.
    fn output(self) -> Value {
        let lists: &[&str] = match self {
            Tool::Up => &["instances", "failed"],
            Tool::List => &["instances", "leases"],
            Tool::Who => &["listeners"],
            Tool::Logs => &["lines"],
            Tool::Stop => &["instances"],
            Tool::Requests => &["requests"],
        };
        let mut properties = json!({
            "schema": {"const": wharf_model::event::SCHEMA},
            "error": {"type": "object", "required": ["exit_code", "what", "why", "help"]},
        });
        for list in lists {
            properties[*list] = json!({"type": "array"});
        }
        // Clients hold errors to it as well.
        json!({
            "type": "object",
            "properties": properties,
            "required": ["schema"],
            "anyOf": [{"required": lists}, {"required": ["error"]}],
        })
    }
}

fn up(arguments: &mut Arguments) -> Result<Line, Report> {
    let wait_s = arguments.number("timeout_s", 1..=UP_MAX_S)?.unwrap_or(UP_S);
    let scale = arguments.numbers("scale")?;
    let services = arguments.texts("services")?;
    let mut line = Line::new("up", Duration::from_secs(wait_s) + UP_BESIDE)
        .flag("--detach", true)
        .option("--timeout", Some(format!("{wait_s}s")));
    for (service, number) in scale {
        line = line.option("--scale", Some(format!("{service}={number}")));
    }
    Ok(line.names(services))
}

fn logs(arguments: &mut Arguments) -> Result<Line, Report> {
    let lines = arguments.number("lines", 1..=LINES_MAX)?.unwrap_or(LINES);
    let line = Line::new("logs", LOOK)
        .option("--lines", Some(lines.to_string()))
        .option("--since", arguments.text("since")?)
        .option("--grep", arguments.text("grep")?);
    Ok(line.names(arguments.texts("names")?))
}

/// A checkout's own are ended by `down`, which knows no others.
fn end(arguments: &mut Arguments) -> Result<Line, Report> {
    let names = arguments.texts("names")?;
    if names.is_empty() {
        return Err(Report::new(Code::Usage, "`stop` ends nothing that was not named")
            .help("name the services in `names`, as `list` shows them"));
    }
    let command = if arguments.flag("anywhere")? { "stop" } else { "down" };
    Ok(Line::new(command, END).names(names))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(map) => map,
        _ => JsonObject::new(),
    }
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = Value::from(description);
    schema
}

fn text(description: &str) -> Value {
    described(json!({"type": "string"}), description)
}

fn flag(description: &str) -> Value {
    described(json!({"type": "boolean"}), description)
}

fn texts(description: &str) -> Value {
    let schema = json!({"type": "array", "items": {"type": "string"}, "maxItems": LIST_MAX});
    described(schema, description)
}

fn number(least: u64, most: u64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most})
}
