//! Whether what wharf is built on works here: what `wharf doctor` looks at, one file per subject.
//!
//! Each check reads and changes nothing. What wharf may mend by itself is named in the finding
//! ([`Mend`]), and done only when asked.

mod certificates;
mod clock;
mod daemon;
mod disk;
mod engine;
mod folders;
mod hosts;
mod leftovers;
mod mend;
mod names;
mod network;
mod proxy;
mod remapping;
mod watching;

pub(crate) use leftovers::escaped;
pub(crate) use mend::Mend;

use crate::link::Link;
use crate::report::Report;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Good,
    /// Works, and could be better.
    Note,
    /// Something that wharf promises does not work.
    Trouble,
}

/// One answer of one check.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What was looked at, in one word.
    pub(crate) area: &'static str,
    pub(crate) state: State,
    pub(crate) what: String,
    pub(crate) why: Vec<String>,
    /// The one command that mends it.
    pub(crate) command: Option<String>,
    /// What `--fix` does about it.
    pub(crate) mend: Option<Mend>,
}

impl Finding {
    fn new(area: &'static str, state: State, what: impl Into<String>) -> Finding {
        Finding { area, state, what: what.into(), why: Vec::new(), command: None, mend: None }
    }

    fn good(area: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(area, State::Good, what)
    }

    fn note(area: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(area, State::Note, what)
    }

    fn trouble(area: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(area, State::Trouble, what)
    }

    /// What a report says that stood in the way of looking.
    fn of_report(area: &'static str, report: &Report) -> Finding {
        let mut finding = Finding::trouble(area, report.what.clone());
        finding.why.extend(report.why.iter().cloned());
        finding.why.extend(report.help.iter().cloned());
        finding
    }

    fn why(mut self, why: impl Into<String>) -> Finding {
        self.why.push(why.into());
        self
    }

    fn mended_by(mut self, command: impl Into<String>) -> Finding {
        self.command = Some(command.into());
        self
    }

    fn mending(mut self, mend: Mend) -> Finding {
        self.mend = Some(mend);
        self
    }
}

/// Looks at everything, in the order in which one thing needs the other.
pub(crate) fn examine() -> Result<Vec<Finding>, Report> {
    let mut findings = folders::examine();
    findings.extend(disk::examine());
    findings.extend(clock::examine());
    findings.extend(network::examine());
    findings.extend(crate::cli::block_on(examine_daemon())?);
    findings.extend(remapping::examine());
    findings.extend(names::examine());
    findings.extend(hosts::examine());
    findings.extend(certificates::examine());
    findings.extend(watching::examine());
    findings.extend(engine::examine());
    findings.extend(leftovers::examine());
    Ok(findings)
}

async fn examine_daemon() -> Vec<Finding> {
    let (mut findings, link): (Vec<Finding>, Option<Link>) = daemon::examine().await;
    if let Some(link) = link {
        findings.extend(proxy::examine(&link).await);
    }
    findings
}

/// A path as a shell takes it.
fn word(path: &std::path::Path) -> String {
    let path = path.to_string_lossy();
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), |quoted| quoted.into_owned())
}
