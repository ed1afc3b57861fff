//! What a user has set for all projects (`settings.toml`), and what a project has set for itself
//! (`wharf.toml` at its root). Neither is needed.

mod alias;
pub(crate) mod compose;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod schema;
mod service;
mod value;

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use wharf_control::api::ProxyWish;
use wharf_model::Access;

pub(crate) use alias::Aliases;
pub(crate) use compose::Compose;
pub(crate) use service::Tables;
use service::{Table, line_at};
pub(crate) use value::INSTANCES_MAX;
use value::Origin;

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

/// Which ports the proxy is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Proxy {
    /// `"auto"` or `"off"`.
    Word(ProxyWord),
    /// The port of `http`.
    Port(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProxyWord {
    Auto,
    Off,
}

/// Whether requests that another site's page makes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Guard {
    On,
    Off,
}

/// Every setting, where it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) remap: Option<Wish>,
    bind: Option<Bind>,
    proxy: Option<Proxy>,
    origins: Option<Vec<Origin>>,
    guard: Option<Guard>,
    #[serde(default)]
    pub(crate) compose: Compose,
    #[serde(default)]
    pub(crate) alias: Aliases,
    #[serde(default)]
    pub(crate) service: Tables,
}

impl Settings {
    /// Reads both files. What the project says is stronger than what the user says of all.
    ///
    /// # Errors
    /// A file cannot be read, or says what no setting is.
    pub(crate) fn load(root: &Path) -> Result<Settings, Report> {
        let of_user = Settings::of_user()?;
        let file = root.join("wharf.toml");
        let of_project = read(&file)?;
        if of_project.proxy.is_some() {
            let what = format!("{} sets `proxy`", file.display());
            return Err(Report::new(Code::Usage, what)
                .why("there is one proxy for all projects")
                .help("set it in settings.toml, in wharf's folder of settings"));
        }
        Ok(Settings {
            remap: of_project.remap.or(of_user.remap),
            bind: of_project.bind.or(of_user.bind),
            proxy: of_user.proxy,
            origins: of_project.origins.or(of_user.origins),
            guard: of_project.guard.or(of_user.guard),
            compose: of_project.compose.below(root),
            alias: of_project.alias,
            service: of_project.service,
        })
    }

    /// What the user says of all projects.
    pub(crate) fn of_user() -> Result<Settings, Report> {
        match link::paths() {
            Ok(paths) => read(&paths.config.join("settings.toml")),
            // Without a home there are no settings.
            Err(_) => Ok(Settings::default()),
        }
    }

    pub(crate) fn bind(&self) -> Bind {
        self.bind.unwrap_or_default()
    }

    pub(crate) fn proxy(&self) -> ProxyWish {
        match self.proxy {
            None | Some(Proxy::Word(ProxyWord::Auto)) => ProxyWish::Auto,
            Some(Proxy::Word(ProxyWord::Off) | Proxy::Port(0)) => ProxyWish::Off,
            Some(Proxy::Port(port)) => ProxyWish::Port(port),
        }
    }

    /// Who may ask a service by its name.
    pub(crate) fn access(&self, service: &str) -> Access {
        let own = self.service.get(service).cloned().unwrap_or_default();
        let guarded = own.guard.or(self.guard) != Some(Guard::Off);
        let lan = own.is_on_the_lan();
        let Table { paths, wildcard, h2c, origins, .. } = own;
        let origins = origins.or_else(|| self.origins.clone()).unwrap_or_default();
        let origins = origins.into_iter().map(|origin| origin.0).collect();
        let paths = paths.into_iter().map(|path| path.0).collect();
        Access { guarded, origins, paths, wildcard, h2c, lan, ..Access::default() }
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
    let mut settings: Settings = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(&text, span.start));
        let what = format!("{} line {line} is not understood", file.display());
        let report = Report::new(Code::Usage, what).why(error.message().to_owned());
        match meant(error.message()) {
            Some(known) => report.help(format!("did you mean `{known}`?")),
            None => report,
        }
        .help("docs/settings.md tells the settings and their values")
    })?;
    settings.service.locate(file, &text);
    Ok(settings)
}

/// The known key that is nearest to an unknown one, where the message of the reader tells both.
fn meant(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown ").then(|| quoted.next()).flatten()?;
    let distance = |known: &&str| strsim::damerau_levenshtein(unknown, known);
    let nearest = quoted.min_by_key(distance)?;
    (distance(&nearest) <= unknown.len().max(nearest.len()) / 3).then_some(nearest)
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
    fn a_service_says_who_may_ask_it() {
        let settings = of("origins = [\"https://a.example\"]\n[service.api]\nguard = \"off\"\n\
             paths = [\"/api\"]\nwildcard = true\n")
        .unwrap();
        let web = settings.access("web");
        assert_eq!(
            (web.guarded, web.origins.as_slice()),
            (true, &["https://a.example".into()][..])
        );
        let api = settings.access("api");
        assert_eq!((api.guarded, api.paths.as_slice()), (false, &["/api".into()][..]));
        assert!(api.wildcard && !web.wildcard);
        for bad in ["origins = [\"a.example\"]", "origins = [\"https://a/x\"]"] {
            assert_eq!(of(bad).unwrap_err().code, Code::Usage, "{bad}");
        }
        let bad = of("[service.web]\npaths = [\"api\"]").unwrap_err();
        assert!(bad.what.ends_with("wharf.toml line 2 is not understood"), "{bad:?}");
        assert!(of("[service.web]\npath = [\"/api\"]").is_err());
        let open = of("[service.web]\nlan = true").unwrap();
        assert!(open.access("web").lan && !open.access("api").lan);
        assert!(of("lan = true").is_err(), "each service for itself");
    }

    #[test]
    fn the_proxys_port_is_a_number_or_a_word() {
        assert_eq!(of("proxy = 8080").unwrap().proxy(), ProxyWish::Port(8080));
        assert_eq!(of("proxy = \"off\"").unwrap().proxy(), ProxyWish::Off);
        assert_eq!(of("").unwrap().proxy(), ProxyWish::Auto);
        assert!(of("proxy = \"on\"").is_err());
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
