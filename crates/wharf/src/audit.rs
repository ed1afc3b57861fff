//! `wharf audit`: joins what the project's files say, who listens on this machine, and what one's own servers
//! answer, and has the rules of `wharf_plan::audit` judge it.

mod answering;
pub(crate) mod apply;
mod database;
mod firewall;
mod http;
mod machine;
mod verdict;

pub(crate) use apply::apply;
pub(crate) use verdict::Verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wharf_model::PortRange;
use wharf_os::reserve;
use wharf_plan::audit::{self, Files, Finding, Level, Listener, Place, PortUse, fingerprint};
use wharf_plan::project::Project;

use crate::report::Report;

/// What is to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The project's files.
    pub(crate) files: bool,
    /// The listeners of this machine.
    pub(crate) listeners: bool,
    /// What one's own servers answer.
    pub(crate) answers: bool,
}

/// Everything that was seen and found.
#[derive(Debug)]
pub(crate) struct Audit {
    /// The project's name.
    pub(crate) project: String,
    /// The root of the checkout, from which paths are told.
    pub(crate) root: PathBuf,
    /// What was looked at.
    pub(crate) scope: Scope,
    /// The findings, the worst first, each with what tells it from others.
    pub(crate) findings: Vec<(Finding, String)>,
    /// Who listens.
    pub(crate) listeners: Vec<Listener>,
    /// What was not looked at, and why.
    pub(crate) not_looked: Vec<String>,
    /// The ports of the project: those in its files, and those of its servers.
    pub(crate) ports: Vec<u16>,
    /// The files that were read.
    pub(crate) files: Files,
}

impl Audit {
    /// Looks.
    ///
    /// # Errors
    /// The kernel does not tell who listens.
    pub(crate) fn of(project: &Project, folder: &Path, scope: Scope) -> Result<Audit, Report> {
        let mut not_looked = Vec::new();
        let mut files = match scope.files {
            true => Files::read(folder, &project.root),
            false => Files::default(),
        };
        not_looked.append(&mut files.left_out);
        let listeners = match scope.listeners {
            true => machine::look(scope.answers, &mut not_looked)?,
            false => Vec::new(),
        };
        not_looked.extend(left_out(scope));
        let mut findings = audit::of_files(&files);
        findings.extend(listeners.iter().flat_map(audit::of_listener));
        let used = used(&files, &listeners, project);
        let (first, last) = reserve::ephemeral_range();
        let ephemeral = PortRange { first, last };
        findings.extend(used.iter().flat_map(|used| audit::of_port(used, ephemeral)));
        Ok(Audit {
            project: named(project),
            root: project.root.clone(),
            scope,
            findings: ordered(findings, &files),
            listeners,
            not_looked,
            ports: used.iter().map(|used| used.port).collect(),
            files,
        })
    }

    /// The worst of the findings.
    pub(crate) fn worst(&self) -> Option<Level> {
        self.findings.iter().map(|(finding, _)| finding.level()).max()
    }

    /// How many findings there are of each level, the worst first.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Level, usize)> + '_ {
        Level::ALL.into_iter().map(|level| {
            (level, self.findings.iter().filter(|(one, _)| one.level() == level).count())
        })
    }

    /// What was found at a listener.
    pub(crate) fn at<'a>(&'a self, listener: &'a Listener) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().map(|(finding, _)| finding).filter(|finding| match &finding.place {
            Place::Listener { port, address, .. } => {
                *port == listener.port && *address == listener.address
            }
            _ => false,
        })
    }

    /// The changes that would mend what has a certain one.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &audit::Change> {
        self.findings.iter().filter_map(|(finding, _)| finding.hit.change.as_ref())
    }
}

/// How a project is called: its folder, and the worktree where it is a linked one.
pub(crate) fn named(project: &Project) -> String {
    let name = project.path.file_name().unwrap_or(project.path.as_os_str()).to_string_lossy();
    match project.worktree.as_str() {
        "" => name.into_owned(),
        worktree => format!("{name} ({worktree})"),
    }
}

fn left_out(scope: Scope) -> Vec<String> {
    let mut left_out = Vec::new();
    if !scope.files {
        left_out.push("the project's files: not asked for".to_owned());
    }
    if !scope.listeners {
        left_out.push("the listeners of this machine: not asked for".to_owned());
    } else {
        left_out.push(
            "UDP, and listeners in other network namespaces and on other machines".to_owned(),
        );
    }
    if !scope.answers {
        left_out.push("the answers of servers: not asked for".to_owned());
    }
    left_out
}

/// The ports of this project: those in its files, and those of its own servers.
fn used(files: &Files, listeners: &[Listener], project: &Project) -> Vec<PortUse> {
    let is_its = |one: &&Listener| {
        one.is_own && one.project.as_ref().is_some_and(|(root, _)| *root == project.root)
    };
    let servers: Vec<(u16, String)> = listeners
        .iter()
        .filter(is_its)
        .map(|one| (one.port, format!("`{}` on {}", one.name(), one.endpoint())))
        .collect();
    audit::uses(files, &servers)
}

/// The worst first, then by rule and place: two runs over the same things say the same.
fn ordered(mut findings: Vec<Finding>, files: &Files) -> Vec<(Finding, String)> {
    findings.sort_by(|one, other| {
        (other.level().cmp(&one.level()))
            .then(one.rule.id.cmp(other.rule.id))
            .then(one.place.cmp(&other.place))
            .then(one.hit.what.cmp(&other.hit.what))
    });
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let told = findings.into_iter().map(|finding| {
        let plain = fingerprint(&finding, files, 0);
        let earlier = seen.entry(plain.clone()).or_default();
        *earlier += 1;
        let print = match *earlier {
            1 => plain,
            more => fingerprint(&finding, files, more - 1),
        };
        (finding, print)
    });
    told.collect()
}
