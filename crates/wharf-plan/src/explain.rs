//! What `wharf explain` has to say, as facts with their sources. How they look is not decided here.

use wharf_model::plan::Hint;
use wharf_model::{LaunchPlan, Port, PortRange, PortRequest};

use crate::catalog::{self, By, Fact, Framework, Proof, Reads, Verified};
use crate::ports::{self, PortFacts};

/// One statement and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// What it is about.
    pub topic: &'static str,
    /// The statement.
    pub text: String,
    /// Where it comes from; may be empty for what follows from the number alone.
    pub source: String,
}

/// A popular belief that the facts contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The belief.
    pub belief: &'static str,
    /// What is true instead.
    pub truth: &'static str,
    /// Where that comes from.
    pub source: &'static str,
}

/// What is known of a port.
#[derive(Clone, Debug)]
pub struct PortExplanation {
    /// The port.
    pub port: Port,
    /// Whether wharf's data has an entry for it; without one only its range is known.
    pub has_entry: bool,
    /// The facts, in the order in which they are told.
    pub facts: Vec<Sourced>,
    /// Beliefs about it that are wrong.
    pub corrections: Vec<Correction>,
    /// The frameworks that take it by convention.
    pub frameworks: Vec<&'static Framework>,
}

/// What is known of a framework.
#[derive(Clone, Debug)]
pub struct FrameworkExplanation {
    /// The framework.
    pub framework: &'static Framework,
    /// The facts, in the order in which they are told.
    pub facts: Vec<Sourced>,
}

/// What a plan comes to, besides its trace.
#[derive(Clone, Debug)]
pub struct LaunchExplanation {
    /// Which port is asked for, and how firmly.
    pub request: String,
    /// How it reaches the program.
    pub hint: &'static str,
    /// The facts on the framework, if it was recognised.
    pub framework: Option<FrameworkExplanation>,
}

/// Everything about a port. `ephemeral` is the kernel's range for outgoing connections.
pub fn port(port: Port, ephemeral: PortRange) -> PortExplanation {
    let entry = ports::facts(port.get());
    let frameworks: Vec<&'static Framework> =
        catalog::all().iter().filter(|framework| framework.ports.contains(&port.get())).collect();
    let mut facts = Vec::new();
    match entry {
        Some(entry) => facts.push(registry(entry)),
        None => facts.push(fact("registry", "wharf's data has no entry for this port", "")),
    }
    facts.push(range(port));
    facts.extend(convention(entry, &frameworks));
    facts.push(browsers(port));
    facts.extend(entry.map(scanners));
    facts.extend(kernel(port, ephemeral));
    facts.extend(entry.filter(|e| !e.notes.is_empty()).map(|e| fact("note", e.notes, "")));
    let about = ports::statements().iter().filter(|s| s.about.contains(&port.get()));
    let mut corrections = Vec::new();
    for statement in about {
        let source = ports::source(statement.source).unwrap_or(statement.source);
        match statement.corrects {
            Some(belief) => corrections.push(Correction { belief, truth: statement.text, source }),
            None => facts.push(fact("note", statement.text, source)),
        }
    }
    PortExplanation { port, has_entry: entry.is_some(), facts, corrections, frameworks }
}

fn fact(topic: &'static str, text: impl Into<String>, source: &str) -> Sourced {
    Sourced { topic, text: text.into(), source: source.to_owned() }
}

fn source(key: &str) -> &'static str {
    ports::source(key).unwrap_or_default()
}

fn registry(entry: &PortFacts) -> Sourced {
    let mut text = match entry.iana_name {
        "" => format!("{} at IANA", entry.iana_status),
        name => format!("{} at IANA to {name}", entry.iana_status),
    };
    if !entry.iana_description.is_empty() {
        text += &format!(" ({})", entry.iana_description);
    }
    if !entry.iana_range.is_empty() {
        text += &format!(", as part of {}", entry.iana_range);
    }
    if !entry.iana_unauthorized_use.is_empty() {
        text += &format!("; IANA remarks: {}", entry.iana_unauthorized_use);
    }
    fact("registry", text, source("iana"))
}

fn range(port: Port) -> Sourced {
    let text = match port.get() {
        0..=1023 => "a system port (0-1023)",
        1024..=49151 => "a user port (1024-49151): IANA assigns these one by one",
        49152.. => "a dynamic port (49152-65535): IANA never assigns these",
    };
    fact("range", text, source("rfc6335"))
}

fn convention(entry: Option<&PortFacts>, frameworks: &[&'static Framework]) -> Option<Sourced> {
    let mut users: Vec<&str> = frameworks.iter().map(|framework| framework.name).collect();
    let listed = entry.map_or(&[][..], |entry| entry.dev_users);
    // Ids stand for frameworks that are named already.
    users.extend(listed.iter().filter(|user| catalog::by_id(user).is_none()));
    if users.is_empty() {
        return None;
    }
    let text = format!("taken by convention by {}", users.join(", "));
    Some(fact("convention", text, "wharf's catalog"))
}

fn browsers(port: Port) -> Sourced {
    let text = match port.is_browser_blocked() {
        true => "browsers refuse http:// to it (a bad port of the Fetch standard)",
        false => "browsers do not block it",
    };
    fact("browsers", text, source("fetch"))
}

fn scanners(entry: &PortFacts) -> Sourced {
    let mut text = match (entry.nmap_listed, entry.nmap_rank) {
        (true, Some(rank)) => {
            let tied = match entry.nmap_rank_tied_with {
                Some(others) => format!(", tied with {others} others"),
                None => String::new(),
            };
            let frequency = entry.nmap_frequency;
            format!("rank {rank} of nmap-services by open frequency ({frequency}{tied})")
        }
        _ => "not in nmap-services".to_owned(),
    };
    text += match (entry.nmap_top100, entry.nmap_top1000) {
        (true, _) => "; in `nmap -F` (100 ports) and in a default scan (1000)",
        (false, true) => "; in a default nmap scan (1000 ports), not in `nmap -F`",
        (false, false) => "; in neither `nmap -F` nor a default nmap scan",
    };
    if !entry.nmap_name.is_empty() {
        text += &format!("; nmap calls it {}", entry.nmap_name);
    }
    fact("scanners", text, source("nmap"))
}

fn kernel(port: Port, ephemeral: PortRange) -> Vec<Sourced> {
    let mut facts = Vec::new();
    if port.get() < 1024 {
        let text = "below net.ipv4.ip_unprivileged_port_start on most Linux systems (1024): an \
                    ordinary user may not bind it there";
        facts.push(fact("privilege", text, source("linux")));
    }
    if ephemeral.contains(port) {
        let text = format!(
            "inside this kernel's range for outgoing connections ({}-{}), which may hold it at \
             any moment",
            ephemeral.first, ephemeral.last
        );
        facts.push(fact("ephemeral", text, "net.ipv4.ip_local_port_range"));
    }
    if port.is_well_known_service() {
        facts.push(fact(
            "fallback",
            "wharf never takes it as a fallback: a well-known service lives here",
            "",
        ));
    }
    facts
}

/// Everything about a framework, by its id or its name.
pub fn framework(name: &str) -> Option<FrameworkExplanation> {
    let framework = catalog::by_id(name).or_else(|| {
        catalog::all().iter().find(|framework| framework.name.eq_ignore_ascii_case(name))
    });
    let framework = framework.or_else(|| of_package(name))?;
    Some(of_framework(framework))
}

/// The framework that a package's name (`django`, `next`) stands for: of several the one that wharf's
/// tests start.
fn of_package(name: &str) -> Option<&'static Framework> {
    let named = |framework: &&Framework| framework.detect.deps.contains(&name);
    let is_run = |framework: &&Framework| framework.proof == Proof::Run;
    let all = || catalog::all().iter().filter(named);
    all().find(is_run).or_else(|| all().next())
}

/// Ids that a misspelt name may have meant: those that begin or go on with it.
pub fn similar(name: &str) -> Vec<&'static str> {
    let name = name.to_ascii_lowercase();
    let ids = catalog::all().iter().map(|framework| framework.id);
    ids.filter(|id| id.contains(&name) || (name.len() > 3 && name.contains(id))).collect()
}

fn of_framework(framework: &'static Framework) -> FrameworkExplanation {
    let sources: Vec<&str> = framework.sources.iter().map(|(_, text)| *text).collect();
    let sources = sources.join("; ");
    let mut facts = Vec::new();
    let mut push = |topic, text: String| facts.push(fact(topic, text, &sources));
    let ports: Vec<String> = framework.ports.iter().map(u16::to_string).collect();
    push("conventional port", ports.join(", "));
    push("binds", framework.bind.to_owned());
    push("port by", injection(framework));
    let reads = match framework.reads_port_env {
        Reads::Always => "read",
        Reads::IfCoded => "read only if the project's own code does",
        Reads::Never => "not read",
    };
    push("variable PORT", reads.to_owned());
    if !framework.takes_host() {
        let advice = framework.loopback_advice.unwrap_or("no way is known to wharf");
        push("loopback only", advice.to_owned());
    }
    for (name, text) in framework.facts {
        push(label(*name), (*text).to_owned());
    }
    if let Some(notes) = framework.notes {
        push("note", notes.to_owned());
    }
    push("known", known(framework));
    FrameworkExplanation { framework, facts }
}

/// How the port is handed over, spelled out.
fn injection(framework: &Framework) -> String {
    let i = &framework.inject;
    let carrying = i.env.iter().chain(i.env_append).filter(|(_, value)| value.contains("{port}"));
    let variables: Vec<String> = carrying.map(|(name, value)| format!("{name}={value}")).collect();
    let mut ways = match i.by {
        By::Env => vec![format!("the variable {}", variables.join(", "))],
        By::Flag => {
            vec![format!("the flag `{}`", i.replace.map_or(i.args.join(" "), str::to_owned))]
        }
        By::Positional => vec![format!("the argument `{}`", i.template.unwrap_or_default())],
        By::Config => vec!["a copy of its configuration with another port".to_owned()],
        By::Preload => vec!["a module at Python's start that answers its bind".to_owned()],
        By::Code => vec!["PORT, if the project's code reads it".to_owned()],
        By::None => vec!["no way is known: the kernel's remapping".to_owned()],
    };
    if i.by == By::Flag && !variables.is_empty() {
        ways.push(format!("the variable {}", variables.join(", ")));
    }
    if !i.port_variable {
        ways.push("PORT is not set".to_owned());
    }
    ways.join("; ")
}

/// How far the facts can be relied on.
fn known(framework: &Framework) -> String {
    let verified = match framework.verified {
        Verified::Run => "by running it",
        Verified::Source => "by reading its source",
        Verified::Docs => "from its documentation",
    };
    let version = framework.tested.map_or(String::new(), |version| format!(" ({version})"));
    let proof = match framework.proof {
        Proof::Run => "wharf's tests start the real server",
        Proof::Fixture => "wharf's tests check a fixture of it and do not start it",
    };
    format!("{verified}{version}; {proof}")
}

fn label(fact: Fact) -> &'static str {
    match fact {
        Fact::ExtraPorts => "further listeners",
        Fact::ConfigKey => "configured in",
        Fact::Precedence => "precedence",
        Fact::Strict => "strict flag",
        Fact::PositionalForms => "argument forms",
        Fact::ArgvRule => "arguments",
        Fact::BusyDefault => "default port taken",
        Fact::BusyExplicit => "given port taken",
        Fact::BusyRc => "exit status then",
        Fact::BusyText => "says then",
        Fact::Ready => "says when ready",
        Fact::ReadyTrust => "what that is worth",
        Fact::Health => "health path",
        Fact::HostCheck => "host check",
        Fact::LocalhostSub => "lets NAME.localhost pass",
        Fact::LocalhostMulti => "lets A.B.localhost pass",
        Fact::HostReject => "refuses a host with",
        Fact::HostAllow => "allows a host by",
        Fact::Hmr => "live reload",
        Fact::Process => "processes",
        Fact::Start => "started by",
    }
}

/// What a plan comes to.
pub fn launch(plan: &LaunchPlan) -> LaunchExplanation {
    let request = match plan.request {
        PortRequest::Exactly(port) => format!("{port}, or an error that names who holds it"),
        PortRequest::AtLeast(port) | PortRequest::Remembered(port) => {
            format!("{port}, or the next free one")
        }
        PortRequest::Conventional(port) => {
            format!("{port} if it is free, else a port that stays this service's own")
        }
    };
    let hint = match plan.hint {
        Hint::Env => "by a variable",
        Hint::Flag => "by a flag",
        Hint::Positional => "by an argument",
        Hint::Config => "by a file of the instance's own",
        Hint::Typed => "it stands in the command already",
        Hint::Convention => "by the variable PORT, if the program reads it",
        Hint::None => "in no way that is known: a port that stands in the program stays there",
    };
    let framework = plan.framework.as_ref().and_then(|facts| framework(facts.id));
    LaunchExplanation { request, hint, framework }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(number: u16) -> PortExplanation {
        port(Port::new(number).unwrap(), PortRange::LINUX_EPHEMERAL)
    }

    fn text(explanation: &PortExplanation, topic: &str) -> String {
        let found = explanation.facts.iter().find(|fact| fact.topic == topic);
        found.map(|fact| fact.text.clone()).unwrap_or_default()
    }

    #[test]
    fn the_popular_account_of_8000_is_corrected_with_sources() {
        let eight = explained(8000);
        assert!(text(&eight, "registry").contains("irdmi"));
        assert!(text(&eight, "scanners").starts_with("rank 38 of nmap-services"));
        assert!(text(&eight, "scanners").contains("`nmap -F`"));
        assert_eq!(eight.corrections.len(), 3);
        assert!(eight.corrections.iter().all(|correction| !correction.source.is_empty()));
        assert!(eight.frameworks.iter().any(|framework| framework.id == "django-runserver"));
    }

    #[test]
    fn a_port_without_an_entry_says_so() {
        let odd = explained(40000);
        assert!(!odd.has_entry && odd.frameworks.is_empty() && odd.corrections.is_empty());
        assert_eq!(text(&odd, "registry"), "wharf's data has no entry for this port");
        assert!(text(&odd, "ephemeral").contains("32768-60999"));
        assert!(text(&explained(6000), "browsers").starts_with("browsers refuse"));
        assert!(text(&explained(80), "privilege").contains("1024"));
        assert!(text(&explained(5173), "registry").starts_with("unassigned at IANA"));
    }

    #[test]
    fn every_framework_is_explained() {
        for entry in catalog::all() {
            let explained = framework(entry.id).unwrap();
            assert!(explained.facts.iter().all(|fact| !fact.text.is_empty()), "{}", entry.id);
        }
        assert_eq!(framework("vite").unwrap().framework.id, "vite");
        assert_eq!(framework("next.js").unwrap().framework.id, "nextjs");
        assert!(framework("nothing").is_none());
        assert_eq!(similar("django"), ["django-runserver", "django-runserver-plus"]);
    }

    /// Whoever adds a framework with a new conventional port must look that port up.
    #[test]
    fn every_conventional_port_has_an_entry() {
        for entry in catalog::all() {
            for port in entry.ports {
                assert!(ports::facts(*port).is_some(), "{} takes {port}", entry.id);
            }
        }
        for statement in ports::statements() {
            assert!(ports::source(statement.source).is_some(), "{}", statement.source);
        }
    }
}
