//! Whether programs that name their own port can be given another.

use wharf_os::remap::Mode;

use super::Finding;
use crate::remap::{self, Findings};

const AREA: &str = "remapping";

/// Tried anew, as `wharf doctor remap` does.
pub(super) fn examine() -> Vec<Finding> {
    let mut found = Findings::none();
    let results = Mode::ALL.map(|mode| (remap::name(mode), found.of(mode)));
    let works = |result: &&(&str, remap::Finding)| result.1 == remap::Finding::Works;
    let refusals = results.iter().filter_map(|(name, finding)| match finding {
        remap::Finding::Works => None,
        remap::Finding::Refused { why } => Some(format!("{name}: {why}")),
    });
    vec![match results.iter().find(works) {
        Some((name, _)) if *name == results[0].0 => {
            Finding::good(AREA, format!("works, by `{name}`"))
        }
        Some((name, _)) => {
            let mut finding =
                Finding::note(AREA, format!("works, by `{name}`, which is not the best way"));
            finding.why.extend(refusals);
            finding.mended_by("wharf doctor remap")
        }
        None => {
            let what = "does not work: a program that names its own port can collide";
            let mut finding = Finding::trouble(AREA, what);
            finding.why.extend(refusals);
            finding.mended_by("wharf doctor remap")
        }
    }]
}
