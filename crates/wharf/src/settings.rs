//! What a user has set for all projects (`settings.toml`), and what a project has set for itself
//! (`wharf.toml` at its root). Neither is needed.

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::link;
use crate::remap::Wish;
use crate::report::{Code, Report};

/// Where servers are to listen when nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Bind {
    /// Frameworks that take an address are handed 127.0.0.1; what binds more all the same is told.
    #[default]
    #[serde(rename = "ask the framework")]
    AskTheFramework,
    /// Wildcard binds become loopback ones, as with `--loopback`.
    #[serde(rename = "loopback")]
    Loopback,
    /// Servers bind what they would without wharf.
    #[serde(rename = "as is")]
    AsIs,
}

/// Every setting, where it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) remap: Option<Wish>,
    pub(crate) bind: Option<Bind>,
}

impl Settings {
    /// Reads both files. What the project says is stronger than what the user says of all.
    ///
    /// # Errors
    /// A file cannot be read, or says what no setting is.
    pub(crate) fn load(root: &Path) -> Result<Settings, Report> {
        let of_user = match link::paths() {
            Ok(paths) => read(&paths.config.join("settings.toml"))?,
            // Without a home there are no settings.
            Err(_) => Settings::default(),
        };
        let of_project = read(&root.join("wharf.toml"))?;
        Ok(Settings {
            remap: of_project.remap.or(of_user.remap),
            bind: of_project.bind.or(of_user.bind),
        })
    }

    pub(crate) fn bind(self) -> Bind {
        self.bind.unwrap_or_default()
    }
}

fn read(file: &Path) -> Result<Settings, Report> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Settings::default());
        }
        Err(error) => {
            let what = format!("cannot read {}", file.display());
            return Err(Report::new(Code::Failed, what).because(&error));
        }
    };
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        let what = format!("{} line {line} is not understood", file.display());
        Report::new(Code::Usage, what)
            .why(error.message().to_owned())
            .help("the settings are `remap` and `bind`; docs/remapping.md tells their values")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Settings, Report> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wharf.toml"), text).unwrap();
        read(&folder.path().join("wharf.toml"))
    }

    #[test]
    fn settings_are_read_and_may_be_missing() {
        let settings = of("remap = \"off\"\nbind = \"as is\"\n").unwrap();
        assert_eq!((settings.remap, settings.bind()), (Some(Wish::Off), Bind::AsIs));
        assert_eq!(of("").unwrap(), Settings::default());
        assert_eq!(read(Path::new("/no/such/wharf.toml")).unwrap(), Settings::default());
    }

    #[test]
    fn what_no_setting_is_is_an_error_with_its_line_and_the_alternatives() {
        let error = of("bind = \"loopback\"\nremop = \"off\"\n").unwrap_err();
        assert!(error.what.ends_with("line 2 is not understood"), "{error:?}");
        assert!(error.why[0].contains("remop") && error.why[0].contains("remap"), "{error:?}");
        let error = of("remap = \"magic\"\n").unwrap_err();
        assert!(error.why[0].contains("auto"), "{error:?}");
        assert_eq!(error.code, Code::Usage);
    }
}
