//! A container's port on every interface.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "container-published",
    level: Level::High,
    title: "a container is published on every interface",
    why: "Docker's own firewall rules come before those of ufw and firewalld: what a container publishes \
          without an address is open to whoever shares the network, though the firewall seems closed",
    fix: "publish it on 127.0.0.1: `docker run -p 127.0.0.1:8000:8000`, or the same in the compose file",
    sources: &["https://docs.docker.com/engine/network/packet-filtering-firewalls/"],
    page: include_str!("../../../../../docs/audit/container-published.md"),
    check: Check::Listener(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let container = listener.container.as_ref().filter(|_| listener.is_open())?;
    let what = format!("port {} is open for {container}", listener.port);
    let hit = Hit::new(RULE.level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(listener.firewall.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn only_what_a_container_has_open_is_told() {
        let mut listener = made::running("0.0.0.0", 5432, "docker-proxy -host-port 5432");
        assert_eq!(check(&listener), None);
        listener.container = Some("docker 1f2e".into());
        assert_eq!(check(&listener).unwrap().level, Level::High);
        listener.address = [127, 0, 0, 1].into();
        assert_eq!(check(&listener), None);
    }
}
