//! A module that Python imports at its start, for programs that name their port in their code.
//!
//! It changes nothing where the kernel remaps: there the program's own number never reaches a bind,
//! whatever the program is written in. It is what makes such a program use its lease elsewhere, and
//! it answers only for the number that the plan expects, so a second server in the same process
//! keeps its own.

use std::ffi::OsString;

use wharf_model::plan::DerivedFile;
use wharf_model::{Port, Step};

/// What it does, for the trace.
pub(crate) const EXPLAINED: &str =
    "the program names its port: a module at Python's start answers with the leased one";

const TEXT: &str = include_str!("preload.py");

/// The module for a program that names `wanted`, and the variable that makes Python find it.
pub(crate) fn python(
    wanted: Port,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(DerivedFile, (String, String)), Step> {
    let path = match env("PYTHONPATH").map(OsString::into_string) {
        None => "{files}".to_owned(),
        Some(Ok(own)) if own.is_empty() => "{files}".to_owned(),
        Some(Ok(own)) if !own.contains('{') => format!("{{files}}:{own}"),
        Some(_) => {
            let found = "cannot be added to: no module is preloaded";
            return Err(Step::new("environment PYTHONPATH", found));
        }
    };
    let contents = TEXT.replace("@@WANTED@@", &wanted.to_string());
    let file = DerivedFile { name: "sitecustomize.py".to_owned(), contents };
    Ok((file, ("PYTHONPATH".to_owned(), path)))
}
