//! A Procfile: a name and a shell text a line (<https://devcenter.heroku.com/articles/procfile>).

use wharf_model::service::Run;

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server};

/// A line for each server, and a comment for each step. A Procfile knows no ports but `$PORT`, which who runs it sets: the commands stand there
/// as the project declares them, and with their port where it declares none.
pub(crate) fn procfile(handover: &Handover) -> Result<Document, ExportError> {
    let first = handover.servers.iter().filter(|server| server.key.instance == 1);
    let mut text: String =
        handover.preamble("a Procfile").iter().map(|line| format!("# {line}\n")).collect();
    let mut lines = 0;
    for server in first {
        let mut line = format!("{}: {}\n", server.label(), command(handover, server)?);
        if server.is_step {
            text.push_str(
                "# To be run before: who runs a Procfile ends all of it when one ends.\n",
            );
            line.insert_str(0, "# ");
        }
        text.push_str(&line);
        lines += usize::from(!server.is_step);
    }
    if lines == 0 {
        return Err(ExportError::Nothing { format: "a Procfile", why: "it is about servers" });
    }
    Ok(Document::private("Procfile", text))
}

fn command(handover: &Handover, server: &Server) -> Result<String, ExportError> {
    let run = match &server.declared {
        Some(Run::Shell(text)) => text.clone(),
        Some(Run::Words(words)) => join(words)?,
        None => join(&server.here.argv)?,
    };
    let mut text = String::new();
    let dir = server.below(&handover.root);
    let in_root = dir.as_os_str() == ".";
    if !in_root {
        text.push_str(&format!(
            "cd {} && ",
            quote::shell(quote::text("a Procfile", dir.as_os_str())?)?
        ));
    }
    for (name, value) in &server.declared_env {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(quote::no_form(
                "a Procfile",
                name,
                "no shell can export a variable of that name",
            ));
        }
        if in_root && matches!(server.declared, Some(Run::Shell(_))) {
            text.push_str(&format!("export {name}={}; ", quote::shell(value)?));
        } else {
            text.push_str(&format!("export {name}={} && ", quote::shell(value)?));
        }
    }
    text.push_str(&run);
    match text.contains(['\n', '\r']) {
        false => Ok(text),
        true => Err(ExportError::NoForm {
            format: "a Procfile",
            what: format!("the command of `{}`", server.called()),
            why: "it has several lines, and each is one line there",
        }),
    }
}

fn join(words: &[std::ffi::OsString]) -> Result<String, ExportError> {
    let word = |word: &std::ffi::OsString| quote::shell(quote::text("a Procfile", word)?);
    Ok(words.iter().map(word).collect::<Result<Vec<_>, _>>()?.join(" "))
}
