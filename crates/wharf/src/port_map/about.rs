//! What the files of a process's project and the catalog tell of it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use wharf_facts::map::Process;
use wharf_os::user;
use wharf_plan::catalog::Framework;
use wharf_plan::project::Project;

use super::origin::{self, Origin};
use crate::narrate;

/// How long project folders are read in all. One on a disk that does not answer must not hold up the rest.
const PATIENCE: Duration = Duration::from_secs(3);
/// One word at the end: a reader who is woken for each process costs more than many of them.
const DONE_MAX: usize = 1;
/// How far up a framework is looked for: `npm run dev` stands above a shell and `node`.
const GENERATIONS: usize = 3;

/// A process, as its project and the catalog know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) framework: Option<&'static Framework>,
    /// Where it works is a project's; folders that are none have no entry.
    pub(crate) project: Option<Project>,
    pub(crate) origin: Option<Origin>,
}

/// What is read of one process.
struct Work {
    pid: u32,
    folder: Option<PathBuf>,
    /// Its own words, then those of its ancestors that work in the same project.
    commands: Vec<(Vec<OsString>, PathBuf)>,
    process: Process,
}

/// Reads it for all of them; what is not read in time is missing, and said to be.
pub(super) fn of<'a>(processes: impl Iterator<Item = &'a Process>) -> HashMap<u32, About> {
    let works: Vec<Work> = processes.map(work).collect();
    if works.is_empty() {
        return HashMap::new();
    }
    let found = Arc::new(Mutex::new(HashMap::with_capacity(works.len())));
    let (done, is_done) = mpsc::sync_channel(DONE_MAX);
    let filled = found.clone();
    let reading = move || {
        let mut memory = Memory { home: user::home(), ..Memory::default() };
        for work in works {
            let about = memory.about(&work);
            locked(&filled).insert(work.pid, about);
        }
        let _ = done.send(());
    };
    // A thread that hangs in a dead file system is left behind, and ends with the program.
    if std::thread::Builder::new().name("projects".to_owned()).spawn(reading).is_err() {
        narrate::warning("projects are not told: the system refuses a thread");
        return HashMap::new();
    }
    if is_done.recv_timeout(PATIENCE).is_err() {
        narrate::warning("a folder does not answer: projects and frameworks are not complete");
    }
    std::mem::take(&mut *locked(&found))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left whole entries behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(process: &Process) -> Work {
    let own = process.folder.clone().map(|folder| (process.argv.clone(), folder));
    let above = process.ancestry.iter().take(GENERATIONS);
    let above = above.filter_map(|one| Some((one.argv.clone(), one.folder.clone()?)));
    Work {
        pid: process.id.pid,
        folder: process.folder.clone(),
        commands: own.into_iter().chain(above).collect(),
        process: process.clone(),
    }
}

/// Workers of one server have the same words and folder, and everything below a root one project.
#[derive(Default)]
struct Memory {
    home: Option<PathBuf>,
    frameworks: HashMap<(Vec<OsString>, PathBuf), Option<&'static Framework>>,
    projects: HashMap<PathBuf, Option<Project>>,
}

impl Memory {
    fn about(&mut self, work: &Work) -> About {
        let project = work.folder.as_deref().and_then(|folder| self.project(folder));
        let framework = self.framework(work, project.as_ref());
        let origin = origin::of(&work.process, &mut |folder| self.project(folder));
        About { framework, project, origin }
    }

    fn framework(&mut self, work: &Work, project: Option<&Project>) -> Option<&'static Framework> {
        let mut commands = work.commands.iter();
        let own = commands.next().and_then(|command| self.recognised(command));
        // Above a server only its own project's commands speak of it: not the shell, the editor, the agent.
        let project = project?;
        own.or_else(|| {
            let above = commands.filter(|(_, folder)| folder.starts_with(&project.root));
            above.into_iter().find_map(|command| self.recognised(command))
        })
    }

    fn recognised(&mut self, command: &(Vec<OsString>, PathBuf)) -> Option<&'static Framework> {
        let recognise = || wharf_plan::running(&command.0, &command.1);
        *self.frameworks.entry(command.clone()).or_insert_with(recognise)
    }

    fn project(&mut self, folder: &Path) -> Option<Project> {
        if let Some(known) = self.projects.get(folder) {
            return known.clone();
        }
        let project = Project::of(folder, self.home.as_deref());
        // A folder that nothing marks as a project is none: `/`, a home, a data folder.
        let project = project.marked.then_some(project);
        self.projects.insert(folder.to_owned(), project.clone());
        project
    }
}
