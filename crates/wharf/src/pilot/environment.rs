//! The environment of the command.

use std::ffi::OsString;

use wharf_model::plan::Values;
use wharf_model::{Instance, LaunchPlan};

/// Names the execution in its own environment, by which its processes are told from others'.
pub(crate) const ID_VARIABLE: &str = "WHARF_ID";

/// The caller's environment, the plan's hints, and what an instance may know of itself.
pub(super) fn environment(
    plan: &LaunchPlan,
    values: &Values,
    instance: &Instance,
) -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| name.to_string_lossy().starts_with("WHARF_");
    // Under another wharf, PORT and HOST are that instance's, not this one's.
    let nested = std::env::var_os("WHARF_ROOT").is_some();
    let is_stale = |name: &OsString| nested && (name == "PORT" || name == "HOST");
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| !is_ours(name) && !is_stale(name))
        .filter(|(name, _)| !plan.env.iter().any(|(set, _)| name == set.as_str()))
        .collect();
    env.extend(plan.env(values));
    let own = [
        (ID_VARIABLE, instance.id.clone()),
        ("WHARF_PORT", instance.port.to_string()),
        ("WHARF_URL", instance.url.clone()),
        ("WHARF_DIRECT_URL", instance.direct_url.clone()),
        ("WHARF_SERVICE", instance.key.service.clone()),
        ("WHARF_PROJECT", instance.key.project_name()),
        ("WHARF_WORKTREE", instance.key.worktree.clone()),
        ("WHARF_INSTANCE", instance.key.instance.to_string()),
    ];
    env.extend(own.map(|(name, value)| (name.into(), value.into())));
    env.push(("WHARF_ROOT".into(), plan.root.clone().into_os_string()));
    add_missing(&mut env, crate::authority::variables_of_user());
    env
}

/// What some programs read where the first of each pair is not set; set, it would hide the second.
const HIDDEN: [(&str, &str); 2] =
    [("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), ("SSL_CERT_FILE", "SSL_CERT_DIR")];

/// Variables that nobody has set: who names another set of certificates means it.
fn add_missing(env: &mut Vec<(OsString, OsString)>, more: Vec<(&'static str, OsString)>) {
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
