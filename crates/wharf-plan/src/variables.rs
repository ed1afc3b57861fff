//! The variables that an instance gets.

use std::ffi::OsString;
use std::net::IpAddr;

use wharf_model::Step;

use crate::catalog::{self, Framework, Lang};
use crate::typed::{Said, Typed, TypedPort};

/// The environment of `wharf run`.
type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables that an instance gets, in the order in which they were decided.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(String, String)>);

impl Variables {
    /// The variables and their templates.
    pub(crate) fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }

    /// Sets a variable, unless it is set.
    pub(crate) fn set(&mut self, name: &str, template: &str) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), template.to_owned()));
        }
    }

    /// Sets the variables that are right however the port gets in.
    pub(crate) fn set_all(
        &mut self,
        framework: Option<&Framework>,
        typed: &Typed,
        lang: Lang,
        program: &str,
        env: Env<'_>,
        steps: &mut Vec<Step>,
    ) {
        // A command that hands the variable on itself (`-b 0.0.0.0:$PORT`) needs it, whoever reads it.
        let handed_on = matches!(typed.port, Some(TypedPort { said: Said::Variable(_), .. }));
        match framework.filter(|framework| !framework.inject.port_variable && !handed_on) {
            None => self.set("PORT", "{port}"),
            Some(framework) => {
                let found =
                    format!("is not set: {} would bind every address for it", framework.name);
                steps.push(Step::new("variable PORT", found));
            }
        }
        if let Some(framework) = framework {
            let inject = &framework.inject;
            for (name, template) in inject.env.iter().chain(inject.env_extra) {
                self.set(name, template);
            }
            for (name, template) in inject.env_default {
                if env(name).is_none() {
                    self.set(name, template);
                }
            }
            // Flags that were typed win over those in a variable, or add a second listener to them.
            let is_typed = handed_on
                || matches!(typed.port, Some(TypedPort { said: Said::Port(_) | Said::Absent, .. }));
            for (name, template) in inject.env_append {
                if !(is_typed && template.contains("{port}")) {
                    steps.extend(self.append(name, template, env));
                }
            }
            let own_host = inject.env_host.iter().any(|(name, _)| names_host(name, env));
            for (name, template) in inject.env_host {
                if !typed.host && !own_host {
                    self.set(name, template);
                }
            }
        }
        for tool in catalog::tools().iter().filter(|tool| tool.programs.contains(&program)) {
            for (name, template) in tool.env_append {
                steps.extend(self.append(name, template, env));
            }
        }
        // Without it nothing that a Python server prints reaches a pipe in time.
        if lang == Lang::Python && env("PYTHONUNBUFFERED").is_none() {
            self.set("PYTHONUNBUFFERED", "1");
        }
    }

    /// Adds flags to a variable that holds flags, behind those that the user has set.
    fn append(&mut self, name: &str, template: &str, env: Env<'_>) -> Option<Step> {
        match env(name).map(OsString::into_string) {
            None => self.set(name, template),
            Some(Ok(own)) if !own.contains('{') => {
                self.set(name, format!("{own} {template}").trim());
            }
            Some(_) => {
                let found = "cannot be added to: left as it is";
                return Some(Step::new(format!("environment {name}"), found));
            }
        }
        None
    }
}

/// Whether the user has set a variable to a host. Some shells export HOST as the machine's name,
/// which is no address to bind.
fn names_host(name: &str, env: Env<'_>) -> bool {
    let value = env(name).and_then(|value| value.into_string().ok());
    let is_address = |value: String| value == "localhost" || value.parse::<IpAddr>().is_ok();
    env("WHARF_ROOT").is_none() && value.is_some_and(is_address)
}
