//! Which project and which of its checkouts a folder belongs to. git's and jj's own files are read;
//! neither program is started.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_model::Step;

use crate::folder;

/// How far up a project's root is looked for.
const LEVELS_MAX: usize = 64;

/// Files that make a folder a project where there is no version control.
pub(crate) const MANIFESTS: &[&str] = &[
    "wharf.toml",
    "package.json",
    "deno.json",
    "deno.jsonc",
    "manage.py",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "build.sbt",
    "Cargo.toml",
    "go.mod",
    "Gemfile",
    "config.ru",
    "composer.json",
    "artisan",
    "mix.exs",
];

/// A checkout of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The root of the main checkout, which stands for the project.
    pub path: PathBuf,
    /// The linked worktree's name; empty for the main checkout.
    pub worktree: String,
    /// The root of this checkout.
    pub root: PathBuf,
    /// Whether version control or a manifest makes it a project; else the folder stands for itself.
    pub marked: bool,
    /// How it was found.
    pub step: Step,
}

impl Project {
    /// Whether anything says that this is a project, beyond its being a folder.
    pub fn is_marked(&self) -> bool {
        let root = &self.root;
        [".git", ".jj"].iter().chain(MANIFESTS).any(|name| root.join(name).exists())
    }

    /// The project of a folder, which must be absolute and without symbolic links.
    pub fn of(dir: &Path, home: Option<&Path>) -> Project {
        for root in dir.ancestors().take(LEVELS_MAX) {
            // A home folder under version control (dotfiles) is no project of what lies in it.
            if home == Some(root) && root != dir {
                break;
            }
            if let Some(found) = git(root).or_else(|| jj(root)) {
                return found;
            }
        }
        let manifest = |root: &&Path| MANIFESTS.iter().any(|name| root.join(name).is_file());
        let below_home = |root: &&Path| home != Some(*root) || *root == dir;
        let mut folders = dir.ancestors().take(LEVELS_MAX).take_while(below_home);
        match folders.find(manifest) {
            Some(root) => main_checkout(root, "the nearest folder with a manifest"),
            None => {
                let why = "neither version control nor a manifest: the folder itself";
                Project { marked: false, ..main_checkout(dir, why) }
            }
        }
    }
}

/// Whether a checkout is there no more: its project's folder, or what the project's repository says of the
/// linked worktree. What cannot be looked at counts as there.
pub fn is_gone(path: &Path, worktree: &str) -> bool {
    let missing = |path: &Path| {
        fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    if missing(path) {
        // A disk that is not there takes the folders around it along.
        return path.parent().is_some_and(Path::is_dir);
    }
    if worktree.is_empty() {
        return false;
    }
    for git in [path.join(".git"), path.join(".bare"), path.to_path_buf()] {
        let known = git.join("worktrees").join(worktree).join("gitdir");
        if let Some(text) = folder::evidence(&known) {
            return missing(&known.parent().unwrap_or(&git).join(text.trim()));
        }
    }
    // git has forgotten it. Of jj's workspaces only the main one knows names, and no folders.
    path.join(".git").is_dir() && !path.join(".jj").is_dir()
}

fn main_checkout(root: &Path, why: &str) -> Project {
    Project {
        path: root.to_path_buf(),
        worktree: String::new(),
        root: root.to_path_buf(),
        marked: true,
        step: Step::new("project", format!("{}: {why}", root.display())),
    }
}

/// The checkout whose `.git` lies in a folder.
fn git(root: &Path) -> Option<Project> {
    let dot_git = root.join(".git");
    let about = fs::metadata(&dot_git).ok()?;
    if about.is_dir() {
        // An empty `.git` folder is none of git's.
        return dot_git.join("HEAD").exists().then(|| main_checkout(root, "a git work tree"));
    }
    let text = folder::evidence(&dot_git)?;
    let git_dir = root.join(text.trim().strip_prefix("gitdir:")?.trim());
    let git_dir = fs::canonicalize(&git_dir).unwrap_or(git_dir);
    let Some(common) = common_dir(&git_dir) else {
        // A submodule, or a repository that is kept elsewhere: a project of its own.
        return Some(main_checkout(root, "a git work tree whose repository lies elsewhere"));
    };
    let name = git_dir.file_name()?.to_string_lossy().into_owned();
    let path = main_root(&common);
    let step = Step::new("project", format!("{}: its git worktree `{name}`", path.display()));
    Some(Project { path, worktree: name, root: root.to_path_buf(), marked: true, step })
}

/// The repository of a linked worktree; `None` if it is not one.
fn common_dir(git_dir: &Path) -> Option<PathBuf> {
    if git_dir.parent()?.file_name()? != "worktrees" {
        return None;
    }
    let common = match folder::evidence(&git_dir.join("commondir")) {
        Some(text) => git_dir.join(text.trim()),
        None => git_dir.parent()?.parent()?.to_path_buf(),
    };
    Some(fs::canonicalize(&common).unwrap_or(common))
}

/// The main checkout of a repository. A bare one has none: then its folder stands for the project,
/// or the folder around it where it is hidden in one (`shop/.bare`).
fn main_root(common: &Path) -> PathBuf {
    let parent = common.parent().unwrap_or(common);
    let config = folder::evidence(&common.join("config")).unwrap_or_default();
    if let Some(work_tree) = core_setting(&config, "worktree") {
        let work_tree = common.join(work_tree);
        return fs::canonicalize(&work_tree).unwrap_or(work_tree);
    }
    let hidden = common.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    if hidden { parent.to_path_buf() } else { common.to_path_buf() }
}

/// A key of the `[core]` section of a git configuration.
fn core_setting(config: &str, key: &str) -> Option<String> {
    let mut in_core = false;
    for line in config.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            in_core = line.eq_ignore_ascii_case("[core]");
        } else if in_core
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            return Some(value.trim().trim_matches('"').to_owned());
        }
    }
    None
}

/// The jj workspace in a folder: its `.jj/repo` is a folder in the main one and names it in others.
fn jj(root: &Path) -> Option<Project> {
    let repo = root.join(".jj").join("repo");
    let about = fs::metadata(&repo).ok()?;
    if about.is_dir() {
        return Some(main_checkout(root, "a jj workspace"));
    }
    let text = folder::evidence(&repo)?;
    let main_repo = root.join(".jj").join(text.trim());
    let main_repo = fs::canonicalize(&main_repo).unwrap_or(main_repo);
    let path = main_repo.parent()?.parent()?.to_path_buf();
    let name = root.file_name()?.to_string_lossy().into_owned();
    let step = Step::new("project", format!("{}: its jj workspace `{name}`", path.display()));
    Some(Project { path, worktree: name, root: root.to_path_buf(), marked: true, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn folders() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(dir.path()).unwrap();
        (dir, path)
    }

    /// What identifies a checkout: its project, its worktree and its root.
    fn found(dir: &Path) -> (PathBuf, String, PathBuf) {
        let project = Project::of(dir, None);
        (project.path, project.worktree, project.root)
    }

    #[test]
    fn a_linked_worktree_is_of_the_main_checkouts_project() {
        let (_guard, top) = folders();
        let (shop, fix) = (top.join("shop"), top.join("elsewhere/fix"));
        write(&shop.join(".git/HEAD"), "ref: refs/heads/main");
        write(&shop.join(".git/worktrees/fix-login/commondir"), "../..\n");
        let git_dir = shop.join(".git/worktrees/fix-login");
        write(&fix.join(".git"), &format!("gitdir: {}\n", git_dir.display()));
        fs::create_dir_all(fix.join("web/src")).unwrap();
        assert_eq!(found(&fix.join("web/src")), (shop.clone(), "fix-login".into(), fix));
        assert_eq!(found(&shop), (shop.clone(), String::new(), shop));
    }

    #[test]
    fn a_checkout_is_gone_when_its_folder_is() {
        let (_guard, top) = folders();
        let (shop, fix) = (top.join("shop"), top.join("fix"));
        write(&shop.join(".git/HEAD"), "");
        write(&fix.join(".git"), "");
        let known = shop.join(".git/worktrees/fix/gitdir");
        write(&known, &format!("{}\n", fix.join(".git").display()));
        assert!(!is_gone(&shop, "") && !is_gone(&shop, "fix"));
        assert!(is_gone(&shop, "other"), "git does not know it");
        fs::remove_dir_all(&fix).unwrap();
        assert!(is_gone(&shop, "fix"), "its folder was deleted");
        fs::remove_dir_all(&shop).unwrap();
        assert!(is_gone(&shop, "") && is_gone(&shop, "fix"));
        assert!(!is_gone(&top.join("no-disk/shop"), ""), "a disk may come back");
    }

    #[test]
    fn relative_worktrees_of_a_bare_repository() {
        let (_guard, top) = folders();
        let shop = top.join("shop");
        write(&shop.join(".bare/config"), "[core]\n\tbare = true\n");
        write(&shop.join(".bare/worktrees/main/commondir"), "../..\n");
        write(&shop.join("main/.git"), "gitdir: ../.bare/worktrees/main\n");
        assert_eq!(found(&shop.join("main")), (shop.clone(), "main".into(), shop.join("main")));
        let bare = top.join("lib.git");
        write(&bare.join("worktrees/w/commondir"), "../..");
        write(&top.join("w/.git"), "gitdir: ../lib.git/worktrees/w");
        assert_eq!(found(&top.join("w")), (bare, "w".into(), top.join("w")));
    }

    #[test]
    fn a_submodule_is_a_project_of_its_own_and_so_are_its_worktrees() {
        let (_guard, top) = folders();
        let module = top.join("shop/lib");
        write(&top.join("shop/.git/HEAD"), "");
        write(&top.join("shop/.git/modules/lib/config"), "[core]\n\tworktree = ../../../lib\n");
        write(&top.join("shop/.git/modules/lib/worktrees/w/commondir"), "../..\n");
        write(&module.join(".git"), "gitdir: ../.git/modules/lib\n");
        assert_eq!(found(&module), (module.clone(), String::new(), module.clone()));
        write(&top.join("w/.git"), "gitdir: ../shop/.git/modules/lib/worktrees/w\n");
        assert_eq!(found(&top.join("w")), (module, "w".into(), top.join("w")));
    }

    #[test]
    fn jj_workspaces() {
        let (_guard, top) = folders();
        write(&top.join("shop/.jj/repo/store/type"), "git");
        write(&top.join("second/.jj/repo"), "../../shop/.jj/repo");
        assert_eq!(
            found(&top.join("second")),
            (top.join("shop"), "second".into(), top.join("second"))
        );
        assert_eq!(found(&top.join("shop")).1, "");
    }

    #[test]
    fn without_version_control_the_nearest_manifest_counts() {
        let (_guard, top) = folders();
        write(&top.join("shop/web/package.json"), "{}");
        fs::create_dir_all(top.join("shop/web/src")).unwrap();
        fs::create_dir_all(top.join("shop/other")).unwrap();
        assert_eq!(found(&top.join("shop/web/src")).0, top.join("shop/web"));
        assert_eq!(found(&top.join("shop/other")).0, top.join("shop/other"));
    }

    #[test]
    fn a_home_folder_under_git_is_no_project_of_what_lies_in_it() {
        let (_guard, home) = folders();
        write(&home.join(".git/HEAD"), "");
        write(&home.join("package.json"), "{}");
        fs::create_dir_all(home.join("code/x")).unwrap();
        let project = Project::of(&home.join("code/x"), Some(&home));
        assert_eq!(project.path, home.join("code/x"));
        assert_eq!(Project::of(&home, Some(&home)).path, home);
    }

    #[test]
    fn what_only_looks_like_git_is_not() {
        let (_guard, top) = folders();
        fs::create_dir_all(top.join("a/.git")).unwrap();
        write(&top.join("b/.git"), "nonsense");
        for name in ["a", "b"] {
            let project = Project::of(&top.join(name), None);
            assert_eq!((project.path, project.worktree), (top.join(name), String::new()));
        }
    }
}
