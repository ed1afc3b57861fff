//! wharf's own `wharf.toml`: what was found in a project's files, written down.

use std::path::Path;
use std::time::Duration;

use wharf_model::placeholder;
use wharf_model::request::PortArgument;
use wharf_model::service::{
    Expose, External, ProjectServices, Ready, Restart, Run, STOP_GRACE, Service,
};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::one_line;

const FORMAT: &str = "wharf.toml";

/// A table for each service; what is as it is without a word is left out.
///
/// # Errors
/// A word or a path is not UTF-8.
pub fn wharf_toml(found: &ProjectServices, root: &Path) -> Result<Document, ExportError> {
    let mut text = String::from(
        "# What this project runs, by `wharf import`: yours to change from here on.\n",
    );
    for external in &found.external {
        text.push_str(&left(external));
    }
    for service in &found.services {
        text.push_str(&table(service, root)?);
    }
    Ok(Document::private("wharf.toml", text))
}

fn left(external: &External) -> String {
    let ports: Vec<String> = external.ports().iter().map(u16::to_string).collect();
    let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(" ") };
    format!(
        "# {} is left to {} ({}), which is read each time: ports {ports}.\n",
        one_line(&external.name),
        one_line(&external.by),
        one_line(&external.source)
    )
}

fn table(service: &Service, root: &Path) -> Result<String, ExportError> {
    let mut text = format!("\n# {}\n[service.{}]\n", one_line(&service.source), service.name);
    let mut put = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
    match &service.run {
        None => {}
        Some(Run::Shell(command)) => put("run", said(command, service.verbatim.run)?),
        Some(Run::Words(words)) => {
            let word =
                |word: &std::ffi::OsString| said(quote::text(FORMAT, word)?, service.verbatim.run);
            let words = words.iter().map(word).collect::<Result<Vec<_>, _>>()?;
            put("run", format!("[{}]", words.join(", ")));
        }
    }
    let dir = service.dir.strip_prefix(root).unwrap_or(&service.dir);
    if !dir.as_os_str().is_empty() || service.run.is_none() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        put("dir", quote::toml(quote::text(FORMAT, dir.as_os_str())?));
    }
    match service.port {
        None => {}
        Some(PortArgument::Exactly(port)) => put("port", port.to_string()),
        Some(other) => put("port", quote::toml(&other.to_string())),
    }
    if service.instances != 1 {
        put("instances", service.instances.to_string());
    }
    if !service.depends_on.is_empty() {
        put("depends_on", list(&service.depends_on));
    }
    if let Some(ready) = ready(&service.ready) {
        put("ready", ready);
    }
    if !service.env.is_empty() {
        let pair = |(name, value): (&String, &String)| {
            Ok(format!("{} = {}", quote::toml(name), said(value, !service.fills(name))?))
        };
        let pairs: Vec<String> =
            service.env.iter().map(pair).collect::<Result<_, ExportError>>()?;
        put("env", format!("{{ {} }}", pairs.join(", ")));
    }
    if !service.watch.is_empty() {
        put("watch", list(&service.watch));
    }
    rest(service, &mut put);
    Ok(text)
}

/// A text in which wharf.toml would fill placeholders in.
fn said(text: &str, is_verbatim: bool) -> Result<String, ExportError> {
    if is_verbatim && placeholder::has_any(text.as_bytes()) {
        let why = "`{port}` and such are filled in there, and cannot be escaped";
        return Err(quote::no_form(FORMAT, text, why));
    }
    Ok(quote::toml(text))
}

fn rest(service: &Service, put: &mut impl FnMut(&str, String)) {
    match service.restart {
        Restart::No => {}
        Restart::OnFailure => put("restart", quote::toml("on-failure")),
        Restart::Always => put("restart", quote::toml("always")),
    }
    if let Some(idle) = service.on_demand {
        put("on_demand", seconds(idle));
    }
    if service.socket {
        put("socket", "true".to_owned());
    }
    if service.stop_signal != "TERM" {
        put("stop_signal", quote::toml(&service.stop_signal));
    }
    if service.stop_grace != STOP_GRACE {
        put("stop_grace", seconds(service.stop_grace));
    }
    match service.expose {
        Expose::Default => {}
        Expose::Loopback => put("expose", quote::toml("loopback")),
        Expose::Lan => put("expose", quote::toml("lan")),
    }
    if let Some(bytes) = service.memory_max {
        put("memory_max", bytes.to_string());
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote::toml(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn ready(ready: &Ready) -> Option<String> {
    let keyed = |key: &str, value: &str| Some(format!("{{ {key} = {} }}", quote::toml(value)));
    match ready {
        Ready::Auto => None,
        Ready::Listen => Some(quote::toml("listen")),
        Ready::Http(None) => Some(quote::toml("http")),
        Ready::Http(Some(path)) => keyed("http", path),
        Ready::Log(pattern) => keyed("log", pattern),
        Ready::Command(text) => keyed("command", text),
        Ready::Notify => Some(quote::toml("notify")),
        Ready::Exit => Some(quote::toml("exit")),
    }
}

fn seconds(time: Duration) -> String {
    quote::toml(&format!("{}s", time.as_secs()))
}
