//! A listener that others than this machine can reach.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "exposed-listener",
    level: Level::Medium,
    title: "a listener is reachable beyond this machine",
    why: "a dev server is written for one person: it has no login, shows its source when it fails, and is not \
          updated for attacks from outside. On every interface it is open to whoever shares the office's, the \
          hotel's or the train's network",
    fix: "bind 127.0.0.1: `wharf run --loopback -- …` does that for any program; phones and team-mates reach a \
          server by `wharf run --lan` for as long as it is wanted",
    sources: &["https://owasp.org/www-project-top-ten/ (A05:2021, security misconfiguration)"],
    page: include_str!("../../../../../docs/audit/exposed-listener.md"),
    check: Check::Listener(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    if !listener.is_open() || listener.container.is_some() {
        return None;
    }
    let name = listener.name();
    let (level, what) = match (listener.is_own, &listener.project) {
        (true, Some((_, project))) => {
            (Level::High, format!("`{name}` of {project} is reachable beyond this machine"))
        }
        (true, None) => (Level::Medium, format!("`{name}` is reachable beyond this machine")),
        // It is not this user's to change, and often meant so.
        (false, _) => (
            Level::Info,
            format!("`{name}` of user {} is reachable beyond this machine", listener.user),
        ),
    };
    let fix = match (listener.is_wharf, listener.is_own) {
        (true, _) => "`wharf ls` shows which service has `--lan`; it ends with that service",
        (_, true) => RULE.fix,
        (_, false) => "ask whoever runs it whether it has to be; it is not yours to change",
    };
    // What `--lan` opens was asked for.
    let level = if listener.is_wharf { Level::Low } else { level };
    Some(Hit::new(level, what, fix).all_seen(listener.facts()).seen(listener.firewall.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn only_what_is_open_is_told_and_ones_own_is_worse() {
        assert_eq!(check(&made::listener("127.0.0.1", 8000)), None);
        assert_eq!(check(&made::listener("::1", 8000)), None);
        let mut listener = made::listener("0.0.0.0", 8000);
        assert_eq!(check(&listener).unwrap().level, Level::Medium);
        listener.project = Some(("/p".into(), "shop".into()));
        assert_eq!(check(&listener).unwrap().level, Level::High);
        listener.is_own = false;
        assert_eq!(check(&listener).unwrap().level, Level::Info);
        listener.container = Some("docker 1".into());
        assert_eq!(check(&listener), None, "another rule tells of it");
    }
}
