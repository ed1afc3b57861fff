//! Docker's engine over TCP without TLS.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "docker-api-open",
    level: Level::High,
    title: "Docker's engine listens on TCP without TLS",
    why: "who speaks to the engine starts a container with the machine's disk in it: that is root on this \
          machine. Over TCP without client certificates whoever reaches the port does, and a page of the \
          browser with DNS rebinding",
    fix: "take `-H tcp://…` out of the engine's options: DOCKER_HOST=ssh://user@host reaches it from \
          elsewhere; else --tlsverify",
    sources: &["https://docs.docker.com/engine/security/protect-access/"],
    page: include_str!("../../../../../docs/audit/docker-api-open.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let version = listener.answers.to(Question::DockerVersion)?;
    if !version.is_good() || !version.body.contains("\"ApiVersion\"") {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("Docker's engine answers on {} without a certificate", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!("GET {} got its version", Question::DockerVersion.path())))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_engines_version_is_the_evidence() {
        let level = |address, body| {
            let mut listener = made::running(address, 2375, "dockerd -H tcp://0.0.0.0:2375");
            made::answer(&mut listener, Question::DockerVersion, 200, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        let body = "{\"ApiVersion\":\"1.47\",\"Os\":\"linux\"}";
        assert_eq!(level("0.0.0.0", body), Some(Level::Critical));
        assert_eq!(level("127.0.0.1", body), Some(Level::High));
        assert_eq!(level("127.0.0.1", "a page"), None);
    }
}
