//! The answer of `wharf assert`.

use serde::Serialize;
use wharf_model::Instance;
use wharf_model::event::SCHEMA;

use super::printable;
use crate::report::Report;

/// Who answers at one URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// Whether it is the instance of this checkout.
    #[serde(rename = "ok")]
    pub(crate) is_own: bool,
    /// Who it is, in words.
    #[serde(rename = "found")]
    pub(crate) who: String,
}

impl Found {
    /// The instance of this checkout.
    pub(crate) fn own() -> Found {
        Found { is_own: true, who: "this checkout".to_owned() }
    }

    /// Somebody else, or nobody.
    pub(crate) fn other(who: String) -> Found {
        Found { is_own: false, who }
    }
}

/// What was found of one instance.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    pub(crate) name: String,
    pub(crate) instance: &'a Instance,
    /// By name; `None` where no proxy serves it.
    pub(crate) by_name: Option<Found>,
    /// On its port.
    pub(crate) direct: Found,
}

impl Verdict<'_> {
    /// Whether this checkout answers everywhere.
    pub(crate) fn is_good(&self) -> bool {
        self.all().all(|(_, found)| found.is_own)
    }

    /// Every URL, and who answers there.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Found)> {
        let by_name = self.by_name.iter().map(|found| (self.instance.url.as_str(), found));
        by_name.chain([(self.instance.direct_url.as_str(), &self.direct)])
    }
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    services: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    service: &'a str,
    instance: u32,
    id: &'a str,
    ok: bool,
    url: &'a str,
    by_name: &'a Option<Found>,
    direct_url: &'a str,
    direct: &'a Found,
}

/// One line for each that is as it should be; of the others the error tells.
pub(crate) fn text(verdicts: &[Verdict<'_>]) -> Result<(), Report> {
    let mut text = String::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.is_good()) {
        let urls: Vec<&str> = verdict.all().map(|(url, _)| url).collect();
        text.push_str(&format!(
            "{}: this checkout answers at {}\n",
            verdict.name,
            urls.join(" and ")
        ));
    }
    super::text(&printable_lines(&text))
}

fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line) + "\n").collect()
}

/// One JSON document.
pub(crate) fn json(verdicts: &[Verdict<'_>]) -> Result<(), Report> {
    let line = |verdict: &'_ Verdict<'_>| verdict.is_good();
    let ok = verdicts.iter().all(line);
    let services = verdicts.iter().map(|verdict| Line {
        service: &verdict.instance.key.service,
        instance: verdict.instance.key.instance,
        id: &verdict.instance.id,
        ok: verdict.is_good(),
        url: &verdict.instance.url,
        by_name: &verdict.by_name,
        direct_url: &verdict.instance.direct_url,
        direct: &verdict.direct,
    });
    super::json(&Document { schema: SCHEMA, ok, services: services.collect() })
}
