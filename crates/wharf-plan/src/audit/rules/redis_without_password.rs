//! Redis without a password.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "redis-without-password",
    level: Level::Low,
    title: "Redis lets anybody in",
    why: "who speaks to Redis reads and changes all of it, and with CONFIG SET writes files as this user: a \
          known way to a shell. Protected mode keeps clients of elsewhere out of a server without a \
          password; programs and users of this machine it lets in",
    fix: "bind 127.0.0.1, leave protected-mode on, and set a password (`requirepass`, or an ACL) where \
          others use the machine",
    sources: &["https://redis.io/docs/latest/operate/oss_and_stack/management/security/"],
    page: include_str!("../../../../../docs/audit/redis-without-password.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let said = listener.answers.redis.as_ref()?;
    if !said.ping.starts_with("+PONG") {
        return None;
    }
    let (level, mode) = match (listener.is_open(), said.is_protected) {
        (true, Some(true)) => {
            (Level::Medium, "protected-mode is on: clients of elsewhere are refused")
        }
        (true, Some(false)) => {
            (Level::Critical, "protected-mode is off: clients of elsewhere are let in")
        }
        (true, None) => (Level::High, "whether protected-mode is on is not told"),
        (false, _) => (RULE.level, "it listens on this machine only"),
    };
    let what = format!("Redis on {} asks for no password", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen("PING without a password got +PONG").seen(mode))
}

#[cfg(test)]
mod tests {
    use super::super::super::answers::Redis;
    use super::super::made;
    use super::*;

    #[test]
    fn protected_mode_and_the_address_decide() {
        let level = |address, ping: &str, is_protected| {
            let mut listener = made::running(address, 6379, "redis-server");
            listener.answers.redis = Some(Redis { ping: ping.to_owned(), is_protected });
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(level("127.0.0.1", "+PONG", Some(false)), Some(Level::Low));
        assert_eq!(level("0.0.0.0", "+PONG", Some(true)), Some(Level::Medium));
        assert_eq!(level("0.0.0.0", "+PONG", Some(false)), Some(Level::Critical));
        assert_eq!(level("0.0.0.0", "-NOAUTH Authentication required.", None), None);
    }
}
