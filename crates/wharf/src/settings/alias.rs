//! `[alias]` of `wharf.toml`: names for what wharf does not start, for as long as the project is up.

use std::collections::BTreeMap;

use serde::Deserialize;
use wharf_model::alias::parse_name;
use wharf_model::{Port, Target};

/// Every alias that a project declares, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Aliases(BTreeMap<Name, To>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
struct To(Target);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a port, or a URL such as \"https://127.0.0.1:8443\"")]
enum Raw {
    Number(i64),
    Text(String),
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Name, String> {
        parse_name(&text).map(Name).map_err(|error| format!("`{text}` in `alias`: {error}"))
    }
}

impl TryFrom<Raw> for To {
    type Error = String;

    fn try_from(raw: Raw) -> Result<To, String> {
        match raw {
            Raw::Number(number) => {
                let port = u16::try_from(number).ok().and_then(Port::new);
                let port = port.ok_or("a port in `alias` is from 1 to 65535")?;
                Ok(To(Target { tls: false, address: None, port }))
            }
            Raw::Text(text) => Target::parse(&text)
                .map(To)
                .map_err(|error| format!("`{text}` in `alias` is no target: {error}")),
        }
    }
}

impl Aliases {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names without `.localhost`, and where each leads.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Target)> {
        self.0.iter().map(|(name, to)| (name.0.as_str(), to.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_urls_of_this_machine() {
        let text = "db-admin = 5000\n\"api.shop.localhost\" = \"https://127.0.0.1:8443\"";
        let aliases: Aliases = toml::from_str(text).unwrap();
        let all: Vec<(&str, String)> =
            aliases.iter().map(|(name, to)| (name, to.to_string())).collect();
        let https = "https://127.0.0.1:8443".to_owned();
        assert_eq!(all, [("api.shop", https), ("db-admin", "http://localhost:5000".to_owned())]);
        for bad in ["a_b = 1", "a = 0", "a = 70000", "a = \"https://example.org:1\"", "a = true"] {
            assert!(toml::from_str::<Aliases>(bad).is_err(), "{bad}");
        }
    }
}
