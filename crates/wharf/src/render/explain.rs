//! The answer of `wharf explain`.

use std::path::Path;

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_model::name::TLD;
use wharf_model::plan::Arg;
use wharf_model::service::{Run, Service};
use wharf_model::{LaunchPlan, Target};
use wharf_plan::explain::{FrameworkExplanation, LaunchExplanation, PortExplanation, Sourced};

use super::outside::Outside;
use super::printable;
use super::table::wrapped;
use crate::up::project::Wanted;

/// A title and facts, each with its source.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Document {
    schema: u32,
    about: String,
    facts: Vec<FactLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<CorrectionLine>,
    /// How the plan came to be, for a folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace: Vec<StepLine>,
    /// What a project runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<ServiceLine>,
    /// What other programs start of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external: Vec<Outside>,
    /// Names that it declares for what wharf does not start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasLine>,
}

#[derive(Debug, Serialize)]
struct AliasLine {
    name: String,
    target: String,
}

impl AliasLine {
    fn of((name, target): (&str, Target)) -> AliasLine {
        AliasLine { name: name.to_owned(), target: target.to_string() }
    }
}

#[derive(Debug, Serialize)]
struct ServiceLine {
    service: String,
    /// Null where the folder says what to run.
    command: Option<String>,
    dir: String,
    port: Option<String>,
    instances: u32,
    depends_on: Vec<String>,
    source: String,
}

impl ServiceLine {
    fn of(service: &Service, root: &Path) -> ServiceLine {
        ServiceLine {
            service: service.name.clone(),
            command: service.run.as_ref().map(command),
            dir: below(&service.dir, root),
            port: service.port.map(|port| port.to_string()),
            instances: service.instances,
            depends_on: service.depends_on.clone(),
            source: service.source.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct FactLine {
    topic: String,
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
}

#[derive(Debug, Serialize)]
struct CorrectionLine {
    belief: String,
    truth: String,
    source: String,
}

#[derive(Debug, Serialize)]
struct StepLine {
    looked_at: String,
    found: String,
}

impl Document {
    /// What a number means.
    pub(crate) fn of_port(explanation: &PortExplanation) -> Document {
        let correction = |correction: &wharf_plan::explain::Correction| CorrectionLine {
            belief: correction.belief.to_owned(),
            truth: correction.truth.to_owned(),
            source: correction.source.to_owned(),
        };
        Document {
            schema: SCHEMA,
            about: format!("port {}", explanation.port),
            facts: explanation.facts.iter().map(fact).collect(),
            corrections: explanation.corrections.iter().map(correction).collect(),
            ..Document::default()
        }
    }

    /// What a framework does with ports.
    pub(crate) fn of_framework(explanation: &FrameworkExplanation) -> Document {
        Document {
            schema: SCHEMA,
            about: explanation.framework.name.to_owned(),
            facts: explanation.facts.iter().map(fact).collect(),
            ..Document::default()
        }
    }

    /// What wharf would do in a folder.
    pub(crate) fn of_plan(plan: &LaunchPlan, launch: &LaunchExplanation) -> Document {
        let word = |arg: &Arg| match arg {
            Arg::Given(text) => text.to_string_lossy().into_owned(),
            Arg::Template(text) => text.clone(),
        };
        let command: Vec<String> = plan.argv.iter().map(word).collect();
        let variables: Vec<String> =
            plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let framework = plan.framework.as_ref().map_or("not recognised", |facts| facts.name);
        let mut facts = vec![
            line("would run", command.join(" ")),
            line("framework", framework),
            line("service", plan.service.clone()),
            line("port", launch.request.clone()),
            line("handed over", launch.hint),
        ];
        if !variables.is_empty() {
            facts.push(line("variables", variables.join(" ")));
        }
        Document {
            schema: SCHEMA,
            about: plan.dir.display().to_string(),
            facts,
            trace: plan.trace.iter().map(step).collect(),
            ..Document::default()
        }
    }

    /// What `wharf up` would run.
    pub(crate) fn of_project(wanted: &Wanted) -> Document {
        let root = &wanted.project.root;
        let external = wanted.external.iter().map(|one| {
            let ports: Vec<String> = one.ports().iter().map(u16::to_string).collect();
            let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(" ") };
            let text = format!("left to {}: {}, ports {ports}", one.by, one.what);
            FactLine { topic: one.name.clone(), text, source: one.source.clone() }
        });
        Document {
            schema: SCHEMA,
            about: root.display().to_string(),
            facts: wanted
                .services
                .iter()
                .map(|one| service(one, root))
                .chain(external)
                .chain(wanted.settings.alias.iter().map(alias))
                .collect(),
            trace: wanted.trace.iter().map(step).collect(),
            services: wanted.services.iter().map(|one| ServiceLine::of(one, root)).collect(),
            external: wanted.external.iter().map(Outside::of).collect(),
            aliases: wanted.settings.alias.iter().map(AliasLine::of).collect(),
            ..Document::default()
        }
    }

    /// A paragraph a fact, sources at the end.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", printable(&self.about));
        let width = self.facts.iter().map(|fact| printable(&fact.topic).len()).max().unwrap_or(0);
        for fact in &self.facts {
            let topic = format!("  {:width$}  ", printable(&fact.topic));
            text.push_str(&wrapped(&topic, &printable(&fact.text)));
        }
        for correction in &self.corrections {
            text.push_str(&wrapped("  often said:  ", &correction.belief));
            text.push_str(&wrapped("  in fact:     ", &correction.truth));
        }
        if !self.trace.is_empty() {
            text.push_str("why\n");
            for step in &self.trace {
                let lead = format!("  {}: ", printable(&step.looked_at));
                text.push_str(&wrapped(&lead, &printable(&step.found)));
            }
        }
        let sources = self.sources();
        if !sources.is_empty() {
            text.push_str("sources\n");
            sources.iter().for_each(|source| text.push_str(&wrapped("  ", &printable(source))));
        }
        text
    }

    fn sources(&self) -> Vec<&str> {
        let mut sources: Vec<&str> = Vec::new();
        let facts = self.facts.iter().map(|fact| fact.source.as_str());
        let corrections = self.corrections.iter().map(|correction| correction.source.as_str());
        for source in facts.chain(corrections).filter(|source| !source.is_empty()) {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }
}

fn step(step: &wharf_model::Step) -> StepLine {
    StepLine { looked_at: step.looked_at.clone(), found: step.found.clone() }
}

fn alias((name, target): (&str, Target)) -> FactLine {
    FactLine {
        topic: name.to_owned(),
        text: format!("an alias: {name}.{TLD} leads to {target} while this project is up"),
        source: "wharf.toml [alias]".to_owned(),
    }
}

/// One service in a sentence.
fn service(service: &Service, root: &Path) -> FactLine {
    let of_folder = || "what `wharf run` finds there".to_owned();
    let mut parts = vec![service.run.as_ref().map_or_else(of_folder, command)];
    if service.dir != root {
        parts.push(format!("in {}", below(&service.dir, root)));
    }
    if service.instances > 1 {
        parts.push(format!("{} instances", service.instances));
    }
    parts.push(match (service.is_step(), service.port) {
        (true, _) => "a step that ends".to_owned(),
        (false, Some(port)) => format!("port {port}"),
        (false, None) => "port of its framework".to_owned(),
    });
    if !service.depends_on.is_empty() {
        parts.push(format!("after {}", service.depends_on.join(", ")));
    }
    parts.push(format!("by {}", service.source));
    line(&service.name, parts.join("; "))
}

fn command(run: &Run) -> String {
    match run {
        Run::Shell(text) => text.clone(),
        Run::Words(words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        }
    }
}

/// A folder as seen from the root; the root itself is `.`.
fn below(dir: &Path, root: &Path) -> String {
    match dir.strip_prefix(root) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => dir.display().to_string(),
    }
}

fn fact(fact: &Sourced) -> FactLine {
    FactLine { topic: fact.topic.to_owned(), text: fact.text.clone(), source: fact.source.clone() }
}

fn line(topic: &str, text: impl Into<String>) -> FactLine {
    FactLine { topic: topic.to_owned(), text: text.into(), source: String::new() }
}
