//! Files whose changes start a server again (`--watch`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::narrate;
use crate::report::{Code, Report};

/// What comes within this time counts as one change: editors write a file in several steps.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// How many changes may lie unread; more are one change all the same.
const CHANGES_MAX: usize = 64;

/// The changes of the files that were asked for.
pub(super) struct Changes {
    folder: PathBuf,
    globs: Override,
    paths: mpsc::Receiver<PathBuf>,
    watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches every folder below `folder` that git would not ignore; nothing where there is no glob.
    ///
    /// # Errors
    /// A glob is none, or the system lets no more folders be watched.
    pub(super) fn watch(folder: &Path, globs: &[String]) -> Result<Changes, Report> {
        let mut builder = OverrideBuilder::new(folder);
        for glob in globs {
            builder.add(glob).map_err(|error| bad_glob(glob, &error))?;
        }
        let whole = builder.build().map_err(|error| bad_glob(&globs.join(" "), &error))?;
        let (found, paths) = mpsc::channel(CHANGES_MAX);
        let mut changes = Changes { folder: folder.to_owned(), globs: whole, paths, watcher: None };
        if globs.is_empty() {
            return Ok(changes);
        }
        let tell = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            let changed = !matches!(event.kind, EventKind::Access(_) | EventKind::Any);
            for path in event.paths.into_iter().filter(|_| changed) {
                // A full queue says already that something has changed.
                let _ = found.try_send(path);
            }
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(|error| unwatched(&error))?;
        for folder in folders(folder) {
            watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .map_err(|error| unwatched(&error))?;
        }
        changes.watcher = Some(watcher);
        Ok(changes)
    }

    /// The next file that fits and has changed, once things have settled.
    pub(super) async fn next(&mut self) -> PathBuf {
        loop {
            let Some(path) = self.paths.recv().await else {
                return std::future::pending().await;
            };
            if path.is_dir() {
                self.watch_new(&path);
            } else if self.fits(&path) {
                self.settle().await;
                return path;
            }
        }
    }

    fn fits(&self, path: &Path) -> bool {
        self.globs.matched(path, false).is_whitelist()
    }

    async fn settle(&mut self) {
        while let Ok(Some(path)) = tokio::time::timeout(SETTLED_AFTER, self.paths.recv()).await {
            if path.is_dir() {
                self.watch_new(&path);
            }
        }
    }

    /// A folder that was made just now.
    fn watch_new(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if !folder.starts_with(&self.folder) {
            return;
        }
        for folder in folders(folder) {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                narrate::warning(&format!("{} is not watched: {error}", folder.display()));
            }
        }
    }
}

/// The folder and those below it, without what git ignores, and hidden ones.
fn folders(root: &Path) -> impl Iterator<Item = PathBuf> {
    let heavy = ["node_modules", "target", "__pycache__"];
    let walk = WalkBuilder::new(root)
        .require_git(false)
        .filter_entry(move |entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            is_folder && !heavy.iter().any(|name| entry.file_name() == *name)
        })
        .build();
    walk.flatten().map(ignore::DirEntry::into_path)
}

fn bad_glob(glob: &str, error: &ignore::Error) -> Report {
    Report::new(Code::Usage, format!("`{glob}` is no pattern of paths"))
        .because(error)
        .help("patterns are those of .gitignore: `*.py`, `src/**/*.ts`, `!*.test.ts`")
}

fn unwatched(error: &notify::Error) -> Report {
    Report::new(Code::Failed, "files cannot be watched")
        .because(error)
        .help("`sysctl fs.inotify.max_user_watches` is how many folders one user may watch")
}
