//! wharf's own `wharf.toml` for what a web server's configuration says: names and paths, and what leads to them.

use crate::document::Document;
use crate::quote;
use crate::site::one_line;

/// What a web server in front of a project says, in wharf's words.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    /// The file that was read, for people.
    pub file: String,
    /// Servers that wharf does not start, by name.
    pub aliases: Vec<Named>,
    /// Services of the project, and what leads to them.
    pub services: Vec<Lent>,
    /// What is to be known besides, and what was not taken over.
    pub notes: Vec<String>,
}

/// A name for a server that wharf does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The host without `.localhost`.
    pub name: String,
    /// A port, or a URL with one.
    pub target: String,
    /// Where the file says so.
    pub source: String,
}

/// What leads to a service of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// The service.
    pub service: String,
    /// Paths of the project's own host.
    pub paths: Vec<String>,
    /// Whether all names below its own lead to it.
    pub wildcard: bool,
    /// Where the file says so.
    pub sources: Vec<String>,
}

/// The file. Services are said in the project's own files, and here only what comes to them.
pub fn front_toml(behind: &Behind) -> Document {
    let mut text = format!(
        "# What {} says of names and paths, by `wharf import`: yours to change from here on.\n",
        one_line(&behind.file)
    );
    for note in &behind.notes {
        text.push_str(&format!("# {}\n", one_line(note)));
    }
    if !behind.aliases.is_empty() {
        text.push_str("\n# Servers that wharf does not start.\n[alias]\n");
    }
    for alias in &behind.aliases {
        let is_number = alias.target.bytes().all(|byte| byte.is_ascii_digit());
        let target = if is_number { alias.target.clone() } else { quote::toml(&alias.target) };
        let name = quote::toml(&alias.name);
        text.push_str(&format!("{name} = {target} # {}\n", one_line(&alias.source)));
    }
    for lent in &behind.services {
        text.push_str(&format!(
            "\n# {}\n[service.{}]\n",
            one_line(&lent.sources.join(", ")),
            lent.service
        ));
        if !lent.paths.is_empty() {
            let paths: Vec<String> = lent.paths.iter().map(|path| quote::toml(path)).collect();
            text.push_str(&format!("paths = [{}]\n", paths.join(", ")));
        }
        if lent.wildcard {
            text.push_str("wildcard = true\n");
        }
    }
    Document::new("wharf.toml", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_and_notes_stay_comments() {
        let named = |target: &str| Named {
            name: "api.shop".to_owned(),
            target: target.to_owned(),
            source: "a\nb".to_owned(),
        };
        let lent = Lent { service: "web".into(), paths: vec!["/a\"b".into()], ..Lent::default() };
        let behind = Behind {
            file: "nginx.conf".into(),
            aliases: vec![named("9000"), named("https://localhost:1")],
            services: vec![lent],
            notes: vec!["left\n[alias]".into()],
        };
        let text = front_toml(&behind).text;
        for line in [
            "\"api.shop\" = 9000 # a b",
            "\"api.shop\" = \"https://localhost:1\" # a b",
            "paths = [\"/a\\\"b\"]",
            "# left [alias]",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
