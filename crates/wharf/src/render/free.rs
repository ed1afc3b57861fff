//! The answer of `wharf free`.

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_model::{Instance, Port};

use super::printable;
use crate::choice;
use crate::freeing::Plan;

/// What ends so that a port is free.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    port: u16,
    /// Whether it is free now; false with `--dry-run`.
    freed: bool,
    /// Instances of wharf's, by name.
    instances: Vec<String>,
    containers: Vec<Container>,
    processes: Vec<Process>,
}

#[derive(Debug, Serialize)]
struct Container {
    engine: &'static str,
    id: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    command: String,
    /// Whether it had to be killed, after its grace.
    killed: bool,
}

impl Document {
    pub(crate) fn new(port: Port, plan: &Plan) -> Document {
        let container = |one: &crate::engine::Container| Container {
            engine: one.engine,
            id: one.id.clone(),
            name: one.name.clone(),
        };
        let process = |one: &crate::freeing::Stranger| Process {
            pid: one.pid,
            command: one.command.clone(),
            killed: false,
        };
        Document {
            schema: SCHEMA,
            port: port.get(),
            freed: false,
            instances: plan
                .instances
                .iter()
                .map(|one: &Instance| choice::short_name(one))
                .collect(),
            containers: plan.containers.iter().map(container).collect(),
            processes: plan.strangers.iter().map(process).collect(),
        }
    }

    /// As it is free now, with those that were killed for it.
    pub(crate) fn freed(mut self, killed: &[u32]) -> Document {
        self.freed = true;
        for process in &mut self.processes {
            process.killed = killed.contains(&process.pid);
        }
        self
    }
}

/// Who ends, a line for each.
pub(crate) fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("ends  {}\n", printable(line))).collect()
}
