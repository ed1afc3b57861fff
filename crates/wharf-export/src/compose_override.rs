//! An override file for a project's own compose files
//! (<https://github.com/compose-spec/compose-spec/blob/main/13-merge.md>): the ports that are leased for a checkout, and a
//! project of its own.

use std::path::PathBuf;

use crate::document::Document;
use crate::error::ExportError;
use crate::site::one_line;
use crate::yaml::{Yaml, comments, map};

/// What is laid over a project's compose files.
#[derive(Clone, Debug)]
pub struct Override {
    /// What docker compose is to call the project of this checkout.
    pub name: String,
    /// Where the file is looked for, from the project's root.
    pub file: PathBuf,
    /// What stands at its top: how it comes to be read, a line each.
    pub notes: Vec<String>,
    /// The services that publish something, or have a fixed name.
    pub services: Vec<Overridden>,
}

/// A service of it.
#[derive(Clone, Debug)]
pub struct Overridden {
    /// Its name in the compose files.
    pub service: String,
    /// What its container is called here, where it has a fixed name.
    pub container: Option<String>,
    /// Its ports in the short form, instead of all that it has there.
    pub ports: Vec<String>,
}

/// The file.
///
/// # Errors
/// No service publishes anything, nor has any a fixed name.
pub fn compose_override(over: &Override) -> Result<Document, ExportError> {
    if over.services.is_empty() {
        return Err(ExportError::Nothing {
            format: "Docker Compose",
            why: "no service of the compose files publishes a port",
        });
    }
    let mut lines = vec![format!(
        "{} for Docker Compose, by `wharf export compose-override`: of this checkout alone, not to be committed.",
        one_line(&over.name)
    )];
    lines.extend(over.notes.iter().map(|note| one_line(note)));
    let mut services = Vec::new();
    for one in &over.services {
        let mut body = map([]);
        if let Some(container) = &one.container {
            body = body.with("container_name", container.replace('$', "$$").into());
        }
        if !one.ports.is_empty() {
            let ports = one.ports.iter().cloned().map(Yaml::from).collect();
            body = body.with("ports", Yaml::Tagged("override", Box::new(Yaml::List(ports))));
        }
        services.push((one.service.clone(), body));
    }
    let document = map([
        ("name", over.name.clone().into()),
        // By this key wharf knows what it has written.
        ("x-wharf", map([("by", "export compose-override".into())])),
        ("services", Yaml::Map(services)),
    ]);
    Ok(Document::new(over.file.clone(), comments(&lines) + &document.document()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_replace_those_that_are_there() {
        let mut over = Override {
            name: "shop-feature".into(),
            file: "compose.override.yaml".into(),
            notes: vec!["a\nb".into()],
            services: vec![Overridden {
                service: "db".into(),
                container: Some("shop-db$".into()),
                ports: vec!["127.0.0.1:5433:5432".into()],
            }],
        };
        let text = compose_override(&over).unwrap().text;
        let expected = "# a b\nname: shop-feature\nx-wharf:\n  by: \"export compose-override\"\nservices:\n  db:\n    \
                        container_name: \"shop-db$$\"\n    ports: !override\n      - \"127.0.0.1:5433:5432\"\n";
        assert!(text.ends_with(expected), "{text}");
        over.services.clear();
        assert!(compose_override(&over).is_err());
    }
}
