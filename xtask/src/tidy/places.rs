//! Nothing in the repository names a place on the machine where it was written.

use super::{Breach, Tree};

const RULE: &str = "place";

/// Paths that exist on one machine only, taken apart so that this file has none.
fn needles() -> [String; 2] {
    [["/wo", "rk/"].concat(), ["/tmp/", "target"].concat()]
}

/// Checks every text file.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in tree.repo.files() {
        for needle in needles() {
            for (offset, _) in text.match_indices(&needle) {
                // `/home/anna/work/` is an example, not a place.
                let before = text[..offset].chars().next_back();
                if before.is_none_or(|c| !c.is_alphanumeric() && !"_~.-}".contains(c)) {
                    let line = text[..offset].matches('\n').count() + 1;
                    let what = format!("`{needle}` is a place on one machine: use a relative path");
                    breaches.push(Breach::new(path, line, RULE, what));
                }
            }
        }
        if path.ends_with("package-lock.json")
            && let Some(offset) = text.find("\"resolved\": \"http")
        {
            let line = text[..offset].matches('\n').count() + 1;
            let what = "a host in a lock file ties it to one registry: npm's `omit-lockfile-registry-resolved`";
            breaches.push(Breach::new(path, line, RULE, what));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_one_machine() {
        let [first, second] = needles();
        let text =
            format!("cd {first}main\n~{first} /home/anna{first}\nCARGO_TARGET_DIR={second}-x\n");
        let tree = Tree::of(&[("script/test", &text)]);
        let lines: Vec<usize> = check(&tree).iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn hosts_in_lock_files() {
        let lock = "{\n  \"resolved\": \"https://example.com/a.tgz\"\n}";
        let tree = Tree::of(&[("a/package-lock.json", lock), ("b/package-lock.json", "{}")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
