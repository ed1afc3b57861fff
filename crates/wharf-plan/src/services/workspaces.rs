//! The packages of a JavaScript workspace.

use std::path::Path;

use crate::error::PlanError;
use crate::folder;
use crate::package::Package;

use super::found;
use super::yaml::Yaml;

/// How many packages a workspace may have.
const PACKAGES_MAX: usize = 500;

/// What stands for `**`: packages are not nested more deeply than this.
const DEPTHS: &str = "{*,*/*,*/*/*}";

/// Folders that hold other people's packages.
const NOT_OURS: &str = "node_modules";

/// The packages of the workspace whose root this is; none where it is no workspace.
pub(crate) fn packages(root: &Package) -> Result<Vec<Package>, PlanError> {
    let mut globs = root.workspaces.clone();
    let file = root.dir.join("pnpm-workspace.yaml");
    if let Some(text) = found::read(&file)? {
        let yaml = Yaml::parse(&text).map_err(|wrong| found::malformed(&file, wrong))?;
        let packages = yaml.root().and_then(|root| root.get("packages"));
        let items = packages.into_iter().flat_map(|packages| packages.items());
        globs.extend(items.filter_map(|item| item.text().map(str::to_owned)));
    } else if globs.is_empty() && root.dir.join("lerna.json").is_file() {
        globs.push("packages/*".to_owned());
    }
    let (excluded, included): (Vec<&str>, Vec<&str>) =
        globs.iter().map(|glob| plain(glob)).partition(|glob| glob.starts_with('!'));
    let excluded: Vec<_> =
        excluded.iter().flat_map(|glob| find(&root.dir, plain(&glob[1..]))).collect();
    let mut packages: Vec<Package> = Vec::new();
    for dir in included.iter().flat_map(|glob| find(&root.dir, glob)) {
        let is_known = packages.iter().any(|package| package.dir == dir) || dir == root.dir;
        let is_foreign = dir.components().any(|part| part.as_os_str() == NOT_OURS);
        if is_known || is_foreign || excluded.contains(&dir) || packages.len() >= PACKAGES_MAX {
            continue;
        }
        packages.extend(Package::in_folder(&dir)?);
    }
    Ok(packages)
}

fn find(dir: &Path, glob: &str) -> Vec<std::path::PathBuf> {
    folder::find(dir, &glob.replacen("**", DEPTHS, 1).replace("**", "*"))
}

fn plain(glob: &str) -> &str {
    glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/')
}

/// What a package is called: its name without its scope, else its folder's.
pub(crate) fn short_name(package: &Package) -> String {
    let name = package.name.rsplit('/').next().unwrap_or_default();
    if !name.is_empty() {
        return name.to_owned();
    }
    package.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
