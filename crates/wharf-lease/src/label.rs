//! The host label of a project: its folder's name, and more where another project has that name already.

use wharf_model::{Instance, PathText, name};

use crate::change::Change;
use crate::home::HOME_KEPT_S;
use crate::table::{MAX_HOMES, Table};

/// A label that is renewed more often is not written again.
const RENEWED_AFTER_S: u64 = 3600;

/// How many digits of the path's hash go with the name, in this order.
const DIGITS: [usize; 4] = [0, 4, 8, 16];

/// A remembered label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The root of the project's main checkout.
    pub project: PathText,
    /// The label, which no other project has.
    pub text: String,
    /// When it was last in use: seconds since the Unix epoch, by a clock that may jump.
    pub last_use: u64,
}

impl Label {
    /// Whether it still counts at `wall_s`, as a home does.
    pub(crate) fn is_remembered(&self, wall_s: u64) -> bool {
        wall_s.saturating_sub(self.last_use) <= HOME_KEPT_S
    }
}

/// What changes so that the project has a label: the one that it had, else the first that is nobody's.
pub(crate) fn claim(table: &Table, project: &PathText, wall_s: u64) -> Vec<Change> {
    let Some(own) = table.label_of(project) else {
        let free = |text: &String| !table.is_label_taken(text, wall_s);
        let labels = DIGITS.map(|digits| name::project_label(project, digits));
        // The longest is as good as unique; if not, the last one to have come shares it with nobody.
        let text = labels.iter().find(|text| free(text)).unwrap_or(&labels[DIGITS.len() - 1]);
        return take(
            table,
            Label { project: project.clone(), text: text.clone(), last_use: wall_s },
        );
    };
    match wall_s.abs_diff(own.last_use) > RENEWED_AFTER_S {
        true => vec![Change::Name(Label { last_use: wall_s, ..own.clone() })],
        false => Vec::new(),
    }
}

/// What changes when a pilot tells of an instance whose project has no label: a database was lost, and
/// the name under which it is known goes on.
pub(crate) fn claim_again(table: &Table, instance: &Instance, wall_s: u64) -> Vec<Change> {
    let project = &instance.key.project;
    let told = name::label_in(&instance.url).filter(|text| !table.is_label_taken(text, wall_s));
    match told {
        Some(text) if instance.state.is_live() && table.label_of(project).is_none() => {
            let text = text.to_owned();
            take(table, Label { project: project.clone(), text, last_use: wall_s })
        }
        _ => Vec::new(),
    }
}

/// Whoever had the label no longer counts; when there are too many, the oldest makes room.
fn take(table: &Table, label: Label) -> Vec<Change> {
    let former = table.labelled(&label.text).cloned();
    let surplus = table.labels().min_by_key(|old| old.last_use).map(|old| old.project.clone());
    let surplus = surplus.filter(|_| table.labels().count() >= MAX_HOMES);
    let unnamed: Vec<Change> = former.into_iter().chain(surplus).map(Change::Unname).collect();
    unnamed.into_iter().chain([Change::Name(label)]).collect()
}
