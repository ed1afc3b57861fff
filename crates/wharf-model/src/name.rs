//! Names: labels for hosts, and the URL of an instance.

use crate::key::ServiceKey;
use crate::path_text::PathText;
use crate::punycode;

/// The longest label that DNS allows (RFC 1035, section 2.3.4), in bytes.
const LABEL_MAX: usize = 63;

/// How the label of an internationalised name begins (RFC 5890, section 2.3.2.1).
const FOREIGN: &str = "xn--";

/// The top-level name that browsers resolve to loopback by themselves (RFC 6761, section 6.3).
pub const TLD: &str = "localhost";

/// The top-level name that is asked for on the local network itself (RFC 6762, section 3).
pub const LAN_TLD: &str = "local";

/// A text as one LDH label: lower-case letters, digits, inner hyphens. Underscores become hyphens,
/// since Django and Rails refuse a Host with one. A text that has letters of other scripts alone is written as browsers
/// write it (`проект` gives `xn--e1akkdfp`); one without any letter or digit gives `x`.
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
    match label.is_empty() {
        true => foreign(text).unwrap_or_else(|| "x".to_owned()),
        false => label.to_owned(),
    }
}

/// The letters of other scripts, as a label of internationalised names (RFC 5890), where there are any and they fit.
fn foreign(text: &str) -> Option<String> {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let letters: Vec<char> = letters.collect();
    let label = format!("{FOREIGN}{}", punycode::of(&letters)?);
    (!letters.is_empty() && label.len() <= LABEL_MAX).then_some(label)
}

/// The label of a project: its folder's name, with so many hexadecimal digits that its path gives.
pub fn project_label(project: &PathText, digits: usize) -> String {
    let path = project.to_path();
    let name = path.file_name().map_or("root".into(), |name| name.to_string_lossy());
    let name = slug(&name);
    if digits == 0 {
        return name;
    }
    // FNV-1a: the same on every machine and in every version, and nobody is to be kept out by it.
    let hash = project.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = format!("{hash:016x}");
    let digits = digits.min(hash.len());
    // With digits behind it such a label is none, and browsers refuse it.
    let name = if name.starts_with(FOREIGN) { "x".to_owned() } else { name };
    let room = name.len().min(LABEL_MAX - 1 - digits);
    format!("{}-{}", name[..room].trim_end_matches('-'), &hash[hash.len() - digits..])
}

/// The host name `[N.][service.][worktree.]project.localhost`. The primary service of a worktree has
/// no label of its own.
pub fn host(key: &ServiceKey, label: Option<&str>, primary: bool) -> String {
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
    labels.push(label.map_or_else(|| project_label(&key.project, 0), str::to_owned));
    labels.push(TLD.to_owned());
    labels.join(".")
}

/// The host of a URL without `.localhost`; `None` where it is no name of ours.
pub fn short_host(url: &str) -> Option<&str> {
    let host = url.split("://").nth(1).unwrap_or(url);
    let host = host.split([':', '/']).next().unwrap_or(host);
    host.strip_suffix(TLD)?.strip_suffix('.')
}

/// The name of an instance on the local network: one label, since many resolvers ask the network for no
/// more (`web.shop` gives `web-shop.local`; RFC 6762, section 3).
pub fn lan_host(short: &str) -> String {
    format!("{}.{LAN_TLD}", slug(short))
}

/// `scheme://host`, with the port where it is not the scheme's own.
pub fn url(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

/// The project's label in the URL of an instance.
pub fn label_in(url: &str) -> Option<&str> {
    short_host(url)?.rsplit('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(host(&key("", 1), None, true), "my-shop.localhost");
        assert_eq!(host(&key("", 1), None, false), "web.my-shop.localhost");
        assert_eq!(host(&key("fix login", 1), None, true), "fix-login.my-shop.localhost");
        assert_eq!(host(&key("", 2), None, true), "2.web.my-shop.localhost");
    }

    #[test]
    fn a_label_tells_two_folders_of_one_name_apart() {
        let path = |text: &str| PathText::from_text(text.into());
        let one = project_label(&path("/a/shop"), 4);
        assert_eq!((one.len(), one.starts_with("shop-")), (9, true), "{one}");
        assert_eq!(one, project_label(&path("/a/shop"), 4), "it is stable");
        assert_ne!(one, project_label(&path("/b/shop"), 4));
        assert_eq!(project_label(&path("/a/shop"), 0), "shop");
        assert_eq!(project_label(&path("/a/проект"), 0), "xn--e1akkdfp");
        assert!(project_label(&path("/a/проект"), 4).starts_with("x-"));
        let long = path(&format!("/{}", "y".repeat(80)));
        assert_eq!(project_label(&long, 16).len(), LABEL_MAX);
        assert_eq!(host(&key("", 1), Some("shop-3f2a"), false), "web.shop-3f2a.localhost");
    }

    #[test]
    fn a_url_names_its_instance_and_its_project() {
        let url = "http://2.web.shop-3f2a.localhost:8000/x";
        assert_eq!((short_host(url), label_in(url)), (Some("2.web.shop-3f2a"), Some("shop-3f2a")));
        assert_eq!(label_in("http://127.0.0.1:8000"), None);
        assert_eq!(label_in("http://localhost:8000"), None);
    }

    #[test]
    fn a_name_on_the_local_network_is_one_label() {
        assert_eq!(lan_host("shop"), "shop.local");
        assert_eq!(lan_host("2.web.fix-login.shop-3f2a"), "2-web-fix-login-shop-3f2a.local");
        assert_eq!(lan_host(&"x.".repeat(90)).len(), LABEL_MAX + ".local".len());
    }

    #[test]
    fn labels_are_always_ldh() {
        assert_eq!(slug("--!!"), "x");
        assert_eq!(slug("--Ä!!"), "xn--4ca");
        assert_eq!(slug("Проект"), "xn--e1akkdfp");
        assert_eq!(slug("日本 語"), "xn--wgv71a119e");
        assert_eq!(slug(&"語".repeat(200)), slug(&"語".repeat(200)));
        assert!(slug(&(0x4e00..0x4f00).filter_map(char::from_u32).collect::<String>()) == "x");
        assert_eq!(slug("a__b--c "), "a-b-c");
        assert_eq!(slug(&"y".repeat(80)).len(), LABEL_MAX);
    }
}
