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
struct File<'a> {
    name: String,
    text: &'a str,
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
    let file = |document: &'_ Document| document.name.display().to_string();
    let files = documents.iter().map(|one| File { name: file(one), text: &one.text }).collect();
    super::json(&Export { schema: SCHEMA, files })
}
