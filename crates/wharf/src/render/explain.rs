//! The answer of `wharf explain`.

use serde::Serialize;
use wharf_model::LaunchPlan;
use wharf_model::event::SCHEMA;
use wharf_model::plan::Arg;
use wharf_plan::explain::{FrameworkExplanation, LaunchExplanation, PortExplanation, Sourced};

use super::printable;
use super::table::wrapped;

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
            trace: Vec::new(),
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
        let step = |step: &wharf_model::Step| StepLine {
            looked_at: step.looked_at.clone(),
            found: step.found.clone(),
        };
        Document {
            schema: SCHEMA,
            about: plan.dir.display().to_string(),
            facts,
            trace: plan.trace.iter().map(step).collect(),
            ..Document::default()
        }
    }

    /// A paragraph a fact, sources at the end.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", printable(&self.about));
        let width = self.facts.iter().map(|fact| fact.topic.len()).max().unwrap_or(0);
        for fact in &self.facts {
            let topic = format!("  {:width$}  ", fact.topic);
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
            sources.iter().for_each(|source| text.push_str(&wrapped("  ", source)));
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

fn fact(fact: &Sourced) -> FactLine {
    FactLine { topic: fact.topic.to_owned(), text: fact.text.clone(), source: fact.source.clone() }
}

fn line(topic: &str, text: impl Into<String>) -> FactLine {
    FactLine { topic: topic.to_owned(), text: text.into(), source: String::new() }
}
