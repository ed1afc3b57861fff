//! The answer of `wharf export`.

use serde::Serialize;
use wharf_export::Document;
use wharf_model::event::SCHEMA;

use crate::report::Report;

#[derive(Serialize)]
struct Export<'a> {
    schema: u32,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
pub(super) struct File<'a> {
    name: String,
    text: &'a str,
}

impl File<'_> {
    pub(super) fn of(document: &Document) -> File<'_> {
        File { name: document.name.display().to_string(), text: &document.text }
    }
}

/// The file as it is; of several each with its name above it.
pub(crate) fn text(documents: &[Document]) -> Result<(), Report> {
    let [only] = documents else {
        let mut all = String::new();
        for document in documents {
            all.push_str(&format!("==> {} <==\n{}\n", document.name.display(), document.text));
        }
        return super::text(all.trim_end_matches('\n')).and_then(|()| super::text("\n"));
    };
    super::text(&only.text)
}

/// All of them.
pub(crate) fn json(documents: &[Document]) -> Result<(), Report> {
    let files = documents.iter().map(File::of).collect();
    super::json(&Export { schema: SCHEMA, files })
}
