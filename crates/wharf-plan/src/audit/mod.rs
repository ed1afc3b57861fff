//! What a security team asks of a project and of a machine that runs it: rules, and what they find.
//!
//! A rule is pure: it gets the project's files, or what is known of a listener and what it has answered, and
//! says what is wrong. Who listens and what is answered is found out elsewhere. Each rule is one file in
//! `rules/`, with a page in `docs/audit/`.

mod answers;
mod command_lines;
mod compose;
mod files;
mod finding;
mod fingerprint;
mod known;
mod level;
mod listener;
mod literals;
mod patch;
mod port_use;
mod rule;
mod rules;
mod versions;

use wharf_model::PortRange;

pub use answers::{Answer, Answers, Mongo, Question, Redis};
pub use files::{Files, SourceFile};
pub use finding::{Change, Finding, Hit, Place};
pub use fingerprint::fingerprint;
pub use level::Level;
pub use listener::{Listener, Process};
pub use patch::{Edited, edited, unified};
pub use port_use::{PortUse, uses};
pub use rule::{Rule, Scope};
pub use rules::{all, by_id};

use rule::Check;

/// What the rules about files say.
pub fn of_files(files: &Files) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in all() {
        if let Check::Files(check) = rule.check {
            found.extend(check(files).into_iter().map(|hit| Finding::of_file(rule, hit)));
        }
    }
    found
}

/// What the rules about listeners and about their answers say of one.
pub fn of_listener(listener: &Listener) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in all() {
        if let Check::Listener(check) | Check::Answers(check) = rule.check {
            found.extend(check(listener).map(|hit| Finding::of_listener(rule, hit, listener)));
        }
    }
    found
}

/// What the rules about the choice of a port say of one. `ephemeral` is the kernel's range for outgoing
/// connections.
pub fn of_port(used: &PortUse, ephemeral: PortRange) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in all() {
        if let Check::Port(check) = rule.check {
            found.extend(check(used, ephemeral).map(|hit| Finding::of_port(rule, hit, used)));
        }
    }
    found
}
