//! `host: true` and its like in the configuration of a dev server.

use regex_lite::Regex;

use super::super::files::{Files, Kind, SourceFile};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "config-binds-all",
    level: Level::Medium,
    title: "the configuration of a dev server opens it to every interface",
    why: "`host: true` is written once for a phone or a container and stays: from then on the dev server of \
          everybody in the team is open to the network that they are in",
    fix: "take it out, or write host: '127.0.0.1'; with `wharf run --lan` a phone reaches the server for as \
          long as it is wanted",
    sources: &[
        "https://vite.dev/config/server-options.html#server-host",
        "https://webpack.js.org/configuration/dev-server/#devserverhost",
    ],
    page: include_str!("../../../../../docs/audit/config-binds-all.md"),
    check: Check::Files(check),
};

/// The names of configurations of dev servers, before `.config.` or as the whole.
const CONFIGS: [&str; 9] =
    ["vite", "vitest", "webpack", "astro", "nuxt", "svelte", "vue", "rsbuild", "farm"];

fn check(files: &Files) -> Vec<Hit> {
    let Ok(pattern) = Regex::new(r#"(\bhost\s*:\s*)(true|['"](?:0\.0\.0\.0|::|\[::\])['"])"#)
    else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    for file in files.of(&[Kind::Script]).filter(|file| is_config(file)) {
        for (number, line) in file.lines().filter(|(_, line)| line.contains("host")) {
            let Some(found) = pattern.captures(line) else { continue };
            let (Some(key), Some(value)) = (found.get(1), found.get(2)) else { continue };
            let mended = format!(
                "{}{}'127.0.0.1'{}",
                &line[..key.start()],
                key.as_str(),
                &line[value.end()..]
            );
            let what = format!("`{}` opens the dev server to every interface", found[0].trim());
            let fix = format!("write `{}`, or take the line out", mended.trim());
            let hit = Hit::new(RULE.level, what, fix).seen(line.trim()).at(&file.path, number);
            hits.push(hit.changed(file.change(number, vec![mended])));
        }
    }
    hits
}

fn is_config(file: &SourceFile) -> bool {
    let name = file.name();
    CONFIGS.iter().any(|tool| {
        name.strip_prefix(tool)
            .is_some_and(|rest| rest.starts_with(".config.") || rest.starts_with(".dev"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_and_every_address_are_told() {
        let of = |name: &str, text: &str| {
            let new = |hit: Hit| hit.change.unwrap().new.concat();
            check(&Files::made(&[(name, text)])).into_iter().map(new).collect::<Vec<_>>()
        };
        assert_eq!(
            of("vite.config.ts", "server: { host: true, port: 5173 }"),
            ["server: { host: '127.0.0.1', port: 5173 }"]
        );
        assert_eq!(of("webpack.config.js", "  host: \"0.0.0.0\",\n"), ["  host: '127.0.0.1',"]);
        assert_eq!(of("vite.config.ts", "  // host: true\n  host: 'localhost',\n"), [""; 0]);
        assert_eq!(of("server.ts", "host: true"), [""; 0]);
    }
}
