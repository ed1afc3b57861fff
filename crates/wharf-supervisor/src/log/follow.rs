//! The lines of many logs at once: those that are kept, by time, and those that come, as they come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use wharf_os::folder_watch::{Change, FolderWatch, Watched};

use super::line::Line;
use super::place::{Entry, entry};
use super::tail::{Start, Tail};

/// How much of one log is read before the next one's turn, in bytes.
const TURN_BYTES: usize = 16 * 1024;
/// How often files are looked at where the system lets no more folders be watched.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Gives a log that has come to be its tag, if it is wanted.
type Admit<T> = Box<dyn Fn(&Entry) -> Option<T>>;

/// Logs that are read together, each with a tag that its lines are given with.
pub struct Follow<T> {
    sources: Vec<Source<T>>,
    by_path: BTreeMap<PathBuf, usize>,
    admitted: Option<(PathBuf, Admit<T>)>,
    /// Lines that have been read and not yet given.
    ready: VecDeque<(T, Line)>,
    /// The logs that may have more.
    due: BTreeSet<usize>,
    waiting: Option<Waiting>,
}

struct Source<T> {
    tag: T,
    tail: Tail,
    /// The next line, where it has been looked at and not given.
    head: Option<Line>,
}

/// How it is learnt that there is more.
enum Waiting {
    Events { watch: AsyncFd<FolderWatch>, folders: BTreeMap<Watched, PathBuf> },
    Clock,
}

impl<T: Clone> Follow<T> {
    /// These logs, each by the path of its newer file, which need not be there yet.
    ///
    /// # Errors
    /// One is there and cannot be read.
    pub fn new(files: Vec<(T, PathBuf)>, start: Start) -> io::Result<Follow<T>> {
        let mut follow = Follow {
            sources: Vec::new(),
            by_path: BTreeMap::new(),
            admitted: None,
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            waiting: None,
        };
        for (tag, path) in files {
            follow.add(tag, path, start)?;
        }
        Ok(follow)
    }

    /// One log more. Nothing happens where it is read already.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn add(&mut self, tag: T, path: PathBuf, start: Start) -> io::Result<()> {
        if !self.by_path.contains_key(&path) {
            let tail = Tail::new(path.clone(), start)?;
            self.due.insert(self.sources.len());
            self.by_path.insert(path, self.sources.len());
            self.sources.push(Source { tag, tail, head: None });
            self.watch_more();
        }
        Ok(())
    }

    /// Also the logs that come to be in a folder while it is followed: those for which `admit` has a tag.
    pub fn admit(&mut self, folder: PathBuf, admit: impl Fn(&Entry) -> Option<T> + 'static) {
        self.admitted = Some((folder, Box::new(admit)));
        self.watch_more();
    }

    /// The next line that is kept, of all logs the one with the smallest time; `None` once what is left
    /// is younger than `until_ms` or is still to come.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn past(&mut self, until_ms: u64) -> io::Result<Option<(T, Line)>> {
        let mut first: Option<(usize, u64)> = None;
        for (at, source) in self.sources.iter_mut().enumerate() {
            if source.head.is_none() {
                source.head = source.tail.next_line()?;
            }
            let Some(head) = &source.head else { continue };
            if first.is_none_or(|(_, time_ms)| head.time_ms < time_ms) {
                first = Some((at, head.time_ms));
            }
        }
        let Some((at, _)) = first.filter(|(_, time_ms)| *time_ms <= until_ms) else {
            return Ok(None);
        };
        let source = &mut self.sources[at];
        Ok(source.head.take().map(|line| (source.tag.clone(), line)))
    }

    /// The tags of all logs.
    pub fn tags(&self) -> impl Iterator<Item = &T> {
        self.sources.iter().map(|source| &source.tag)
    }

    /// A line that has been read already and needs no waiting for.
    pub fn ready(&mut self) -> Option<(T, Line)> {
        self.ready.pop_front()
    }

    /// The next line of any log: waits until there is one. May be dropped and called again, without a
    /// line being lost. To be called within a runtime.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn next(&mut self) -> io::Result<(T, Line)> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Ok(next);
            }
            if self.waiting.is_none() {
                self.waiting = Some(Waiting::new());
                self.watch_more();
                self.due.extend(0..self.sources.len());
            }
            self.turn()?;
            if self.ready.is_empty() && self.due.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Reads some of every log that may have more.
    fn turn(&mut self) -> io::Result<()> {
        let mut lines = Vec::new();
        for at in std::mem::take(&mut self.due) {
            let source = &mut self.sources[at];
            let mut length = 0;
            while length < TURN_BYTES {
                let next = match source.head.take() {
                    Some(head) => Some(head),
                    None => source.tail.next_line()?,
                };
                let Some(line) = next else { break };
                length += line.bytes.len() + 1;
                lines.push((source.tag.clone(), line));
            }
            if length >= TURN_BYTES {
                self.due.insert(at);
            }
        }
        lines.sort_by_key(|(_, line)| line.time_ms);
        self.ready.extend(lines);
        Ok(())
    }

    async fn wait(&mut self) -> io::Result<()> {
        let changes = match &self.waiting {
            Some(Waiting::Events { watch, .. }) => {
                let mut guard = watch.readable().await?;
                let changes = guard.get_inner().changes()?;
                if changes.is_empty() {
                    guard.clear_ready();
                }
                changes
            }
            _ => {
                tokio::time::sleep(LOOK_EVERY).await;
                vec![Change::Missed]
            }
        };
        for change in changes {
            match change {
                Change::File(folder, name) => self.changed(folder, &name)?,
                Change::Gone(folder) => self.lost(folder)?,
                Change::Missed => self.look_everywhere()?,
            }
        }
        Ok(())
    }

    /// A file of this name has changed.
    fn changed(&mut self, folder: Watched, name: &OsStr) -> io::Result<()> {
        let Some(Waiting::Events { folders, .. }) = &self.waiting else { return Ok(()) };
        let Some(folder) = folders.get(&folder) else { return Ok(()) };
        let path = folder.join(name);
        if let Some(at) = self.by_path.get(&path) {
            self.due.insert(*at);
            return Ok(());
        }
        if let Some((admitted, admit)) = &self.admitted
            && admitted == folder
            && let Some(entry) = entry(&path)
            && let Some(tag) = admit(&entry)
        {
            return self.add(tag, entry.path, Start::Beginning);
        }
        // A folder above one that is still missing.
        let is_above = |file: &PathBuf| file.starts_with(&path);
        let is_awaited = self.by_path.keys().any(is_above)
            || self.admitted.as_ref().is_some_and(|(folder, _)| is_above(folder));
        if is_awaited { self.look_everywhere() } else { Ok(()) }
    }

    fn lost(&mut self, folder: Watched) -> io::Result<()> {
        if let Some(Waiting::Events { folders, .. }) = &mut self.waiting {
            folders.remove(&folder);
        }
        self.look_everywhere()
    }

    /// Anything may have changed.
    fn look_everywhere(&mut self) -> io::Result<()> {
        self.watch_more();
        self.due.extend(0..self.sources.len());
        let Some((folder, admit)) = &self.admitted else { return Ok(()) };
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let new: Vec<(T, PathBuf)> = files
            .filter_map(|file| entry(&file.path()))
            .filter(|entry| !self.by_path.contains_key(&entry.path))
            .filter_map(|entry| admit(&entry).map(|tag| (tag, entry.path)))
            .collect();
        new.into_iter().try_for_each(|(tag, path)| self.add(tag, path, Start::Beginning))
    }

    /// Watches the folders of all logs, or what there is above them.
    fn watch_more(&mut self) {
        let Some(Waiting::Events { watch, folders }) = &mut self.waiting else { return };
        let of_files = self.by_path.keys().filter_map(|path| path.parent());
        let admitted = self.admitted.iter().map(|(folder, _)| folder.as_path());
        let wanted: BTreeSet<&Path> = of_files.chain(admitted).collect();
        if wanted.into_iter().any(|folder| watch_folder(watch.get_ref(), folders, folder).is_err())
        {
            self.waiting = Some(Waiting::Clock);
        }
    }
}

/// Watches a folder, or the nearest one above it that is there.
fn watch_folder(
    watch: &FolderWatch,
    folders: &mut BTreeMap<Watched, PathBuf>,
    wanted: &Path,
) -> io::Result<()> {
    let mut below: Option<&Path> = None;
    let mut folder = wanted;
    loop {
        match watch.add(folder) {
            Ok(id) => {
                folders.insert(id, folder.to_owned());
                match below.take() {
                    // It was made before the one above it was watched.
                    Some(made) if made.exists() => folder = made,
                    _ => return Ok(()),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(above) = folder.parent() else { return Ok(()) };
                below = Some(folder);
                folder = above;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Waiting {
    fn new() -> Waiting {
        match FolderWatch::new().and_then(registered) {
            Ok(watch) => Waiting::Events { watch, folders: BTreeMap::new() },
            Err(_) => Waiting::Clock,
        }
    }
}

#[allow(deprecated, reason = "a watch keeps one descriptor for life; to say so is unsafe code")]
fn registered(watch: FolderWatch) -> io::Result<AsyncFd<FolderWatch>> {
    AsyncFd::new(watch)
}

impl<T> std::fmt::Debug for Follow<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("files", &self.by_path.keys()).finish_non_exhaustive()
    }
}
