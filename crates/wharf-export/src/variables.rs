//! Where everything is, as variables: a `.env` file, direnv's `.envrc`, mise's `mise.toml`.

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server};

/// A line each. Every value is an address or a number, which all readers of such files take as they are.
pub(crate) fn dotenv(handover: &Handover) -> Result<Document, ExportError> {
    let mut text = preamble(handover, "a .env file");
    for (name, value) in variables(handover)? {
        text.push_str(&format!("{name}={value}\n"));
    }
    Ok(Document::new(".env", text))
}

/// A line each.
pub(crate) fn direnv(handover: &Handover) -> Result<Document, ExportError> {
    let mut text = preamble(handover, "direnv");
    text.push_str(
        "# `direnv allow` takes it. `eval \"$(wharf env --direnv)\"` asks anew each time.\n",
    );
    for (name, value) in variables(handover)? {
        text.push_str(&format!("export {name}={}\n", quote::shell(&value)?));
    }
    Ok(Document::new(".envrc", text))
}

/// A table.
pub(crate) fn mise(handover: &Handover) -> Result<Document, ExportError> {
    let mut text = preamble(handover, "mise");
    text.push_str("[env]\n");
    for (name, value) in variables(handover)? {
        text.push_str(&format!("{name} = {}\n", quote::toml(&value)));
    }
    Ok(Document::new("mise.toml", text))
}

fn preamble(handover: &Handover, format: &str) -> String {
    handover.preamble(format).iter().map(|line| format!("# {line}\n")).collect()
}

/// What an instance is told of its siblings, for all of them: `WHARF_WEB_URL`, `_HOST`, `_PORT`. `_NAMED_URL` is for
/// browsers.
fn variables(handover: &Handover) -> Result<Vec<(String, String)>, ExportError> {
    let mut variables = Vec::new();
    for server in handover.listening() {
        let name = server.label().to_ascii_uppercase().replace('-', "_");
        let scheme = scheme(server);
        variables.push((format!("WHARF_{name}_HOST"), server.address.to_string()));
        variables.push((format!("WHARF_{name}_PORT"), server.port.to_string()));
        variables.push((format!("WHARF_{name}_URL"), format!("{scheme}://{}", server.socket())));
    }
    match variables.is_empty() {
        false => Ok(variables),
        true => Err(ExportError::Nothing { format: "variables", why: "they are about servers" }),
    }
}

fn scheme(server: &Server) -> &'static str {
    match (server.is_web(), server.protocol) {
        (false, _) => "tcp",
        (true, wharf_model::Protocol::Tls) => "https",
        (true, _) => "http",
    }
}
