//! Names: labels for hosts, and the URL of an instance.

use crate::key::ServiceKey;

/// The longest label that DNS allows (RFC 1035, section 2.3.4), in bytes.
const LABEL_MAX: usize = 63;

/// The top-level name that browsers resolve to loopback by themselves (RFC 6761, section 6.3).
pub const TLD: &str = "localhost";

/// A text as one LDH label: lower-case letters, digits, inner hyphens. Underscores become hyphens,
/// since Django and Rails refuse a Host with one. A text without any such character gives `x`.
pub fn slug(text: &str) -> String {
    let mut label = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            label.push(character.to_ascii_lowercase());
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(LABEL_MAX);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "x".to_owned() } else { label.to_owned() }
}

/// The host name `[N.][service.][worktree.]project.localhost`. The primary service of a worktree has
/// no label of its own.
pub fn host(key: &ServiceKey, primary: bool) -> String {
    let mut labels = Vec::new();
    if key.instance > 1 {
        labels.push(key.instance.to_string());
    }
    // "2.project" would read as a service named 2, so a numbered instance always names its service.
    if !primary || key.instance > 1 {
        labels.push(slug(&key.service));
    }
    if !key.worktree.is_empty() {
        labels.push(slug(&key.worktree));
    }
    labels.push(slug(&key.project_name()));
    labels.push(TLD.to_owned());
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path_text::PathText;
    use std::path::Path;

    fn key(worktree: &str, instance: u32) -> ServiceKey {
        ServiceKey {
            project: PathText::new(Path::new("/code/My_Shop")),
            worktree: worktree.into(),
            service: "web".into(),
            instance,
        }
    }

    #[test]
    fn hosts_read_from_the_inside_out() {
        assert_eq!(host(&key("", 1), true), "my-shop.localhost");
        assert_eq!(host(&key("", 1), false), "web.my-shop.localhost");
        assert_eq!(host(&key("fix login", 1), true), "fix-login.my-shop.localhost");
        assert_eq!(host(&key("", 2), true), "2.web.my-shop.localhost");
    }

    #[test]
    fn labels_are_always_ldh() {
        assert_eq!(slug("--Ä!!"), "x");
        assert_eq!(slug("a__b--c "), "a-b-c");
        assert_eq!(slug(&"y".repeat(80)).len(), LABEL_MAX);
    }
}
