//! The environment of an instance: what its server finds, and what `wharf env` and `wharf exec` give to others.

use std::ffi::OsString;
use std::path::Path;

use wharf_model::{Service, ServiceKey};

use crate::up::order::{Sibling, Siblings};
use crate::up::template;
use wharf_facts::agent;

/// Names the execution in its own environment, by which its processes are told from others'.
pub(crate) const ID_VARIABLE: &str = "WHARF_ID";

/// Names and values.
pub(crate) type Variables = Vec<(OsString, OsString)>;

/// What an instance is told of itself and of the others of its checkout.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) key: &'a ServiceKey,
    /// The root of its checkout.
    pub(crate) root: &'a Path,
    pub(crate) own: &'a Sibling,
    pub(crate) siblings: &'a Siblings,
    /// What its framework reads, such as `PORT`.
    pub(crate) hints: Variables,
    /// What the project says of it.
    pub(crate) declared: Option<&'a Service>,
}

impl Told<'_> {
    /// Every variable. What the project says is stronger than what wharf says; what wharf says of the instance
    /// is stronger than what it says of a sibling that happens to be called `direct`.
    pub(crate) fn variables(&self) -> Variables {
        let mut env = self.hints.clone();
        for (name, value) in template::variables(self.own, self.siblings) {
            set(&mut env, name.into(), value.into());
        }
        let own = [
            ("WHARF_PORT", self.own.port.to_string()),
            ("WHARF_URL", self.own.url.clone()),
            ("WHARF_DIRECT_URL", self.own.direct_url.clone()),
            ("WHARF_SERVICE", self.key.service.clone()),
            ("WHARF_PROJECT", self.key.project_name()),
            ("WHARF_WORKTREE", self.key.worktree.clone()),
            ("WHARF_INSTANCE", self.key.instance.to_string()),
        ];
        for (name, value) in own {
            set(&mut env, name.into(), value.into());
        }
        set(&mut env, "WHARF_ROOT".into(), self.root.as_os_str().to_owned());
        if let Some(service) = self.declared {
            for (name, value) in &service.env {
                let value = template::variable(service, (name, value), self.own, self.siblings);
                set(&mut env, name.into(), value);
            }
        }
        env
    }

    /// The caller's environment with every variable on top, and the certificates of the local CA.
    pub(crate) fn over_callers(&self) -> Variables {
        let told = self.variables();
        // For whom it works stays true within.
        let is_told = |name: &OsString| name == agent::AGENT || name == agent::SESSION;
        let is_wharfs =
            |name: &OsString| name.to_string_lossy().starts_with("WHARF_") && !is_told(name);
        // Under another wharf, PORT and HOST are that instance's, not this one's.
        let nested = std::env::var_os("WHARF_ROOT").is_some();
        let is_stale = |name: &OsString| nested && (name == "PORT" || name == "HOST");
        let is_managers = |name: &OsString| MANAGERS.iter().any(|one| name == one);
        let mut env: Variables = std::env::vars_os()
            .filter(|(name, _)| !is_wharfs(name) && !is_stale(name) && !is_managers(name))
            .filter(|(name, _)| !told.iter().any(|(set, _)| name == set))
            .collect();
        env.extend(told);
        add_missing(&mut env, crate::authority::variables_of_user());
        env
    }
}

/// What a service manager says to wharf alone: no server of its may say that it is ready, or take its sockets.
const MANAGERS: [&str; 6] = [
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Gives a variable its value, whatever it was.
fn set(env: &mut Variables, name: OsString, value: OsString) {
    env.retain(|(known, _)| *known != name);
    env.push((name, value));
}

/// What some programs read where the first of each pair is not set; set, it would hide the second.
const HIDDEN: [(&str, &str); 2] =
    [("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), ("SSL_CERT_FILE", "SSL_CERT_DIR")];

/// Variables that nobody has set: who names another set of certificates means it.
fn add_missing(env: &mut Variables, more: Vec<(&'static str, OsString)>) {
    for (name, value) in more {
        let is_set = |wanted: &str| env.iter().any(|(set, _)| set == wanted);
        let hides = HIDDEN.iter().any(|(first, second)| *first == name && is_set(second));
        if !is_set(name) && !hides {
            env.push((name.into(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_stronger_than_wharf_and_wharf_than_a_siblings_name() {
        let sibling = |service: &str, port: u16| Sibling {
            service: service.into(),
            instance: 1,
            host: "127.0.0.1".into(),
            port,
            url: format!("http://{service}.shop.localhost"),
            direct_url: format!("http://127.0.0.1:{port}"),
        };
        let own = sibling("web", 8000);
        let mut service = Service::new("web", "/src/shop".into(), "test");
        service.env = [("A", "{direct.port}"), ("WHARF_PROJECT", "mine"), ("B", "{direct.port}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        service.verbatim.env.insert("B".into());
        let told = Told {
            key: &ServiceKey {
                project: wharf_model::PathText::from_text("/src/shop".into()),
                worktree: String::new(),
                service: "web".into(),
                instance: 1,
            },
            root: Path::new("/src/shop"),
            own: &own,
            siblings: &Siblings(vec![own.clone(), sibling("direct", 9000)]),
            hints: vec![("PORT".into(), "8000".into()), ("A".into(), "hint".into())],
            declared: Some(&service),
        };
        let env = told.variables();
        let of = |name: &str| {
            let found: Vec<_> = env.iter().filter(|(known, _)| known == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].1.to_str().unwrap().to_owned()
        };
        assert_eq!(of("WHARF_DIRECT_URL"), "http://127.0.0.1:8000");
        assert_eq!((of("WHARF_DIRECT_PORT"), of("A")), ("9000".into(), "9000".into()));
        assert_eq!(of("B"), "{direct.port}", "another tool's file says that");
        assert_eq!((of("PORT"), of("WHARF_PROJECT")), ("8000".into(), "mine".into()));
    }

    #[test]
    fn what_the_user_has_set_stays() {
        let mut env = vec![("SSL_CERT_FILE".into(), "/mine.pem".into()), ("A".into(), "".into())];
        let more = vec![("SSL_CERT_FILE", "/bundle.pem".into()), ("A", "b".into())];
        let mut wanted = env.clone();
        add_missing(&mut env, more);
        assert_eq!(env, wanted, "an empty value is one too");
        add_missing(&mut env, vec![("NODE_EXTRA_CA_CERTS", "/ca.pem".into())]);
        wanted.push(("NODE_EXTRA_CA_CERTS".into(), "/ca.pem".into()));
        assert_eq!(env, wanted);
        let mut env = vec![("CURL_CA_BUNDLE".into(), "/mine.pem".into())];
        let more = ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].map(|name| (name, "/b.pem".into()));
        add_missing(&mut env, more.into());
        let names: Vec<_> = env.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CURL_CA_BUNDLE", "SSL_CERT_FILE"], "requests reads the first");
    }
}
