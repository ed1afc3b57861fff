//! What each crate's Cargo.toml may say: which other crates it may use, and the lints of the house.

use toml::{Table, Value};

use super::{Breach, Tree};

const RULE: &str = "imports";

/// Which crates of the workspace each one may depend on. The arrows all point one way: a crate that
/// is not named on the right cannot be reached, and `ls crates/` stays the architecture.
const TABLE: &[(&str, &[&str])] = &[
    (
        "wharf",
        &[
            "wharf-control",
            "wharf-daemon",
            "wharf-export",
            "wharf-facts",
            "wharf-model",
            "wharf-os",
            "wharf-plan",
            "wharf-proxy",
            "wharf-supervisor",
        ],
    ),
    ("wharf-model", &[]),
    ("wharf-plan", &["wharf-model"]),
    ("wharf-lease", &["wharf-model"]),
    ("wharf-os", &[]),
    ("wharf-facts", &["wharf-model", "wharf-os"]),
    ("wharf-supervisor", &["wharf-model", "wharf-os"]),
    ("wharf-proxy", &["wharf-model"]),
    ("wharf-control", &["wharf-model"]),
    (
        "wharf-daemon",
        &["wharf-control", "wharf-facts", "wharf-lease", "wharf-model", "wharf-os", "wharf-proxy"],
    ),
    ("wharf-export", &["wharf-model"]),
    ("wharf-ports", &["wharf-control", "wharf-facts", "wharf-model", "wharf-os"]),
    ("bench", &["wharf-control", "wharf-model", "wharf-os", "wharf-proxy", "wharf-supervisor"]),
    ("xtask", &[]),
];

/// Checks every manifest of the workspace.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let folders = ["bench/", "crates/", "xtask/"];
    let all = folders.into_iter().flat_map(|folder| tree.repo.below(folder, "Cargo.toml"));
    let own = all.filter(|(path, _)| path.ends_with("/Cargo.toml") && !path.contains("/fixtures/"));
    own.flat_map(|(path, text)| manifest(path, text)).collect()
}

fn manifest(path: &str, text: &str) -> Vec<Breach> {
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![Breach::new(path, 1, RULE, "this is not TOML")];
    };
    let name = path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    let mut breaches = Vec::new();
    match TABLE.iter().find(|(known, _)| *known == name) {
        None => {
            let what = format!("say in xtask/src/tidy/manifests.rs what `{name}` may depend on");
            breaches.push(Breach::new(path, 1, RULE, what));
        }
        Some((_, allowed)) => {
            for used in own_dependencies(&manifest) {
                if !allowed.contains(&used.as_str()) {
                    let what = format!("`{name}` may not depend on `{used}`: {}", way_out(allowed));
                    breaches.push(Breach::new(path, line_of(text, &used), RULE, what));
                }
            }
        }
    }
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if name != "xtask" && lints != Some(&Value::Boolean(true)) {
        breaches.push(Breach::new(path, 1, "lints", "add `[lints]` with `workspace = true`"));
    }
    breaches
}

fn way_out(allowed: &[&str]) -> String {
    match allowed {
        [] => "it uses no other crate of the workspace".to_owned(),
        allowed => format!("it may use {}", allowed.join(", ")),
    }
}

/// The workspace crates that a manifest depends on for more than its tests, on any system.
fn own_dependencies(manifest: &Table) -> Vec<String> {
    let of = |table: &Table| {
        let mut found = Vec::new();
        for section in ["dependencies", "build-dependencies"] {
            let section = table.get(section).and_then(Value::as_table);
            for (name, value) in section.into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str);
                found.push(package.unwrap_or(name).to_owned());
            }
        }
        found
    };
    let mut found = of(manifest);
    let targets = manifest.get("target").and_then(Value::as_table);
    for (_, target) in targets.into_iter().flatten() {
        found.extend(target.as_table().map(of).unwrap_or_default());
    }
    found.retain(|name| name == "wharf" || name == "xtask" || name.starts_with("wharf-"));
    found
}

fn line_of(text: &str, name: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(name)).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"x\"\n{rest}\n[lints]\nworkspace = true\n");
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, &text)])).iter().map(Breach::to_string).collect()
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_a_breach() {
        let lease = "[dependencies]\nserde.workspace = true\nwharf-lease.workspace = true\n";
        assert_eq!(
            breaches("wharf", lease),
            [
                "crates/wharf/Cargo.toml:5: imports: `wharf` may not depend on `wharf-lease`: it may \
              use wharf-control, wharf-daemon, wharf-export, wharf-facts, wharf-model, wharf-os, \
              wharf-plan, wharf-proxy, wharf-supervisor"
            ]
        );
        assert_eq!(breaches("wharf-daemon", lease), [""; 0]);
    }

    #[test]
    fn only_tests_may_go_around_the_table() {
        assert_eq!(
            breaches("wharf-os", "[dev-dependencies]\nwharf-model.workspace = true"),
            [""; 0]
        );
        assert_eq!(breaches("wharf-os", "[build-dependencies]\nwharf-model.path = \"x\"").len(), 1);
        let target = "[target.'cfg(unix)'.dependencies]\nm = { package = \"wharf-model\" }";
        assert_eq!(breaches("wharf-os", target).len(), 1);
    }

    #[test]
    fn a_new_crate_has_to_be_named() {
        assert!(breaches("wharf-new", "")[0].contains("what `wharf-new` may depend on"));
    }

    #[test]
    fn the_lints_of_the_house_hold_everywhere() {
        let found =
            check(&Tree::of(&[("crates/wharf-os/Cargo.toml", "[package]\nname = \"x\"\n")]));
        assert_eq!(found[0].rule, "lints");
    }
}
