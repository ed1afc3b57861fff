//! Elasticsearch or OpenSearch without a login.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "elasticsearch-open",
    level: Level::Low,
    title: "Elasticsearch lets anybody in",
    why: "without its security features whoever reaches the port reads and deletes every index; and a page \
          of the browser reaches it as well, since it speaks HTTP",
    fix: "leave xpack.security.enabled on, and network.host on _local_ (both are defaults since 8.0)",
    sources: &["https://www.elastic.co/docs/deploy-manage/security"],
    page: include_str!("../../../../../docs/audit/elasticsearch-open.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let home = listener.answers.to(Question::Home)?;
    let is_it =
        home.body.contains("You Know, for Search") || home.body.contains("The OpenSearch Project");
    if !home.is_good() || !is_it || !home.body.contains("cluster_name") {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("Elasticsearch on {} asks for no login", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!("GET / without a login got {} and the cluster's name", home.status)))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn its_first_page_is_the_evidence() {
        let level = |status, body| {
            let mut listener = made::listener("0.0.0.0", 9200);
            made::answer(&mut listener, Question::Home, status, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        let body = "{\"cluster_name\": \"x\", \"tagline\": \"You Know, for Search\"}";
        assert_eq!(level(200, body), Some(Level::Critical));
        assert_eq!(level(401, "{\"error\": {}}"), None);
        assert_eq!(level(200, "an article: You Know, for Search"), None);
    }
}
