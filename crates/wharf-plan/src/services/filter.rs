//! Which packages of a workspace a command names (`--filter`, `-w`, `--scope`).

use std::path::Path;

use crate::folder;
use crate::package::Package;

/// Names, globs and folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    included: Vec<String>,
    excluded: Vec<String>,
}

impl Filter {
    /// Adds what stands behind a flag. `None` if it cannot be told without git or the packages' dependents.
    pub(crate) fn add(&mut self, text: &str) -> Option<()> {
        if text.contains('[') || text.trim_start_matches('!').starts_with("...") {
            return None;
        }
        match text.strip_prefix('!') {
            Some(text) => self.excluded.push(text.to_owned()),
            None => self.included.push(text.to_owned()),
        }
        Some(())
    }

    pub(crate) fn exclude(&mut self, text: &str) {
        self.excluded.push(text.to_owned());
    }

    /// The packages that it lets pass, in their order.
    pub(crate) fn select<'a>(&self, packages: &'a [Package], root: &Path) -> Vec<&'a Package> {
        let mut selected: Vec<&Package> = Vec::new();
        for text in &self.included {
            // `NAME...`: the package and what it depends on.
            let (text, closure) = match text.strip_suffix("...") {
                Some(text) => (text.trim_end_matches('^'), true),
                None => (text.as_str(), false),
            };
            let mut more: Vec<&Package> =
                packages.iter().filter(|package| names(text, package, root)).collect();
            while let Some(package) = more.pop() {
                if selected.iter().any(|known| known.dir == package.dir) {
                    continue;
                }
                selected.push(package);
                if closure {
                    let is_below = |other: &&Package| package.depends_on(&other.name);
                    more.extend(packages.iter().filter(is_below));
                }
            }
        }
        let is_in = |package: &&Package| {
            let included = self.included.is_empty()
                || selected.iter().any(|selected| selected.dir == package.dir);
            included && !self.excluded.iter().any(|text| names(text, package, root))
        };
        packages.iter().filter(is_in).collect()
    }
}

/// Whether a name, a glob or a folder means a package.
fn names(text: &str, package: &Package, root: &Path) -> bool {
    let text = text.trim_start_matches('{').trim_end_matches('}');
    let path = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    let below = package.dir.strip_prefix(root).unwrap_or(&package.dir).to_string_lossy();
    let bare = package.name.rsplit('/').next().unwrap_or_default();
    folder::matches(&package.name, text)
        || !text.contains('/') && folder::matches(bare, text)
        || folder::matches(&below, &path.replace("**", "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_globs_and_folders() {
        let package = |dir: &str, name: &str, dependency: &str| Package {
            dir: dir.into(),
            name: name.into(),
            dependencies: vec![dependency.into()],
            ..Package::default()
        };
        let packages = [
            package("/r/apps/web", "@x/web", "@x/ui"),
            package("/r/apps/docs", "docs", ""),
            package("/r/packages/ui", "@x/ui", ""),
        ];
        for (texts, expected) in [
            (&[][..], "@x/web docs @x/ui"),
            (&["web"], "@x/web"),
            (&["@x/*"], "@x/web @x/ui"),
            (&["!docs"], "@x/web @x/ui"),
            (&["./apps/*"], "@x/web docs"),
            (&["{./apps/web}"], "@x/web"),
            (&["apps/docs"], "docs"),
            (&["web..."], "@x/web @x/ui"),
            (&["@x/*", "!./packages/**"], "@x/web"),
            (&["nothing"], ""),
        ] {
            let mut filter = Filter::default();
            texts.iter().for_each(|text| filter.add(text).unwrap());
            let selected = filter.select(&packages, Path::new("/r"));
            let names: Vec<&str> = selected.iter().map(|package| package.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{texts:?}");
        }
        assert_eq!(Filter::default().add("[main]"), None);
        assert_eq!(Filter::default().add("...web"), None);
    }
}
