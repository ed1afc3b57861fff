//! A JVM's debugger port.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "jdwp-open",
    level: Level::Low,
    title: "a JVM waits for a debugger",
    why: "JDWP has no login: who connects runs any code in the JVM, as this user. Every program and every \
          user of this machine can; on every interface everybody",
    fix: "address=127.0.0.1:5005, and no debugger where nobody debugs; up to Java 8 a bare address=5005 \
          means every interface",
    sources: &["https://docs.oracle.com/en/java/javase/21/docs/specs/jpda/conninv.html"],
    page: include_str!("../../../../../docs/audit/jdwp-open.md"),
    check: Check::Listener(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    if !listener.is_debugger() {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("a JVM waits for a debugger on {}", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(match listener.jdwp_option() {
        Some(option) => format!("its command line has {option}"),
        None => "it is a JVM on 5005, where debuggers are expected; its command line does not say so".to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_option_and_the_port_tell() {
        let level =
            |address, port, words| check(&made::running(address, port, words)).map(|hit| hit.level);
        let words =
            "/usr/bin/java -agentlib:jdwp=transport=dt_socket,server=y,address=*:5006 -jar a.jar";
        assert_eq!(level("0.0.0.0", 5006, words), Some(Level::Critical));
        assert_eq!(level("127.0.0.1", 5006, words), Some(Level::Low));
        assert_eq!(level("0.0.0.0", 8080, words), None, "the port of the program itself");
        assert_eq!(level("0.0.0.0", 5005, "java -jar a.jar"), Some(Level::Critical));
        assert_eq!(level("0.0.0.0", 5005, "python app.py"), None);
    }
}
