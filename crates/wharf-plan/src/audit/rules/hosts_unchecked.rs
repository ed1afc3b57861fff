//! A setting that lets a server answer by any name.

use regex_lite::Regex;

use super::super::files::{Files, Kind};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "hosts-unchecked",
    level: Level::Medium,
    title: "a setting lets the server answer by any name (DNS rebinding)",
    why: "the framework looks at Host, and this turns it off: a page of any site whose name leads to \
          127.0.0.1 then reads what the server shows",
    fix: "name the hosts that it has: ['.localhost', '127.0.0.1', '[::1]'] in Django (what DEBUG allows \
          without a setting), a list in Vite and webpack",
    sources: &[
        "https://docs.djangoproject.com/en/stable/ref/settings/#allowed-hosts",
        "https://vite.dev/config/server-options.html#server-allowedhosts",
        "https://webpack.js.org/configuration/dev-server/#devserverallowedhosts",
    ],
    page: include_str!("../../../../../docs/audit/hosts-unchecked.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    let Ok(pattern) = Regex::new(
        r#"\bALLOWED_HOSTS\s*=\s*[\[(]\s*["']\*["']|\ballowedHosts\s*:\s*(?:true|\[?\s*["'](?:all|\*)["'])|\bdisableHostCheck\s*:\s*true|\bDANGEROUSLY_DISABLE_HOST_CHECK\s*=\s*true"#,
    ) else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let kinds = [Kind::Python, Kind::Script, Kind::Package, Kind::Dotenv, Kind::Commands];
    for file in files.of(&kinds).filter(|file| !file.is_test()) {
        let may_be = |(_, line): &(usize, &str)| {
            line.contains("osts") || line.contains("ost") || line.contains("HOST")
        };
        for (number, line) in file.lines().filter(may_be) {
            if let Some(found) = pattern.find(line) {
                let what =
                    format!("`{}` lets the server answer by any name", found.as_str().trim());
                let hit = Hit::new(RULE.level, what, RULE.fix).seen(line.trim());
                hits.push(hit.at(&file.path, number));
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_allows_every_name_is_told() {
        let is_told = |name, line| !check(&Files::made(&[(name, line)])).is_empty();
        assert!(is_told("settings.py", "ALLOWED_HOSTS = ['*']"));
        assert!(is_told("vite.config.ts", "  allowedHosts: true,"));
        assert!(is_told("webpack.config.js", "allowedHosts: 'all'"));
        assert!(is_told(".env", "DANGEROUSLY_DISABLE_HOST_CHECK=true"));
        assert!(!is_told("settings.py", "ALLOWED_HOSTS = ['shop.example']"));
        assert!(!is_told("vite.config.ts", "allowedHosts: ['shop.test']"));
        assert!(!is_told("settings.py", "# ALLOWED_HOSTS = ['*']"));
    }
}
