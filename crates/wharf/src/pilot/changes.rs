//! Files whose changes start a server again (`--watch`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use glob::{MatchOptions, Pattern};
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
    globs: Vec<Pattern>,
    paths: mpsc::Receiver<PathBuf>,
    watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches every folder below `folder` but those that tools fill; nothing where there is no glob.
    ///
    /// # Errors
    /// A glob is none, or the system lets no more folders be watched.
    pub(super) fn watch(folder: &Path, globs: &[String]) -> Result<Changes, Report> {
        let pattern = |glob: &String| Pattern::new(glob).map_err(|error| bad_glob(glob, &error));
        let patterns = globs.iter().map(pattern).collect::<Result<_, _>>()?;
        let (found, paths) = mpsc::channel(CHANGES_MAX);
        let mut changes =
            Changes { folder: folder.to_owned(), globs: patterns, paths, watcher: None };
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
        let Ok(below) = path.strip_prefix(&self.folder) else { return false };
        // As in a shell: a star stays within one folder, and hidden files are asked for by their dot.
        let options = MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..MatchOptions::default()
        };
        self.globs.iter().any(|glob| {
            let anywhere = !glob.as_str().contains('/');
            let name = below.file_name().map(Path::new).filter(|_| anywhere);
            glob.matches_path_with(name.unwrap_or(below), options)
        })
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

/// Folders that tools fill with thousands of files, none of which anybody edits.
const FILLED_BY_TOOLS: [&str; 6] =
    ["node_modules", "target", "__pycache__", "venv", "vendor", "dist"];

/// The folder and those below it, without hidden ones and what tools fill. Links are not followed.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            is_folder && !name.starts_with('.') && !FILLED_BY_TOOLS.contains(&name.as_ref())
        });
        let inner: Vec<PathBuf> = inner.map(|entry| entry.path()).collect();
        found.extend(inner);
        next += 1;
    }
    found
}

fn bad_glob(glob: &str, error: &glob::PatternError) -> Report {
    Report::new(Code::Usage, format!("`{glob}` is no pattern of paths"))
        .because(error)
        .help("such as `*.py` for any folder, or `src/**/*.ts`")
}

fn unwatched(error: &notify::Error) -> Report {
    Report::new(Code::Failed, "files cannot be watched")
        .because(error)
        .help("`sysctl fs.inotify.max_user_watches` is how many folders one user may watch")
}
