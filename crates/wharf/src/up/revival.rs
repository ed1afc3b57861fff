//! A pilot that is killed takes its server with it. Where the server is to be launched again when it fails, the
//! daemon, which sees every pilot end, has it made again: by what the pilot has put down for that.
//!
//! What is put down lies in the runtime folder, private: it has the environment in it. It goes with the pilot's
//! own end, or when a `wharf up` or `wharf down` calls it off, and counts for nothing after a reboot.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wharf_model::{Instance, PathText, ProcessId, Restart};
use wharf_os::{detached, process};

use super::crew::{self, Ground, Unit};
use super::order::{Order, Siblings};
use super::session::Key;
use super::turn;
use crate::facts;
use crate::link::{self, Link, NOT_FOR_OTHERS};
use crate::report::{Code, Report};

/// How often in a row a pilot is made again that is killed soon after its launch.
const DEATHS_MAX: u32 = 10;

/// A pilot that lived for this long begins the count anew.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// The pauses before it is made again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the daemon may take to hear of a pilot, and how often it is asked.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// What is kept of a pilot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Document {
    /// Whose it is.
    pilot: ProcessId,
    /// When it was put down, since boot: no clock that is set changes it.
    kept_at: Duration,
    env: Vec<(OsString, OsString)>,
    order: Order,
    siblings: Siblings,
}

/// What is kept, for as long as the pilot has not ended by itself.
#[derive(Debug)]
pub(crate) struct Kept {
    file: PathBuf,
}

impl Kept {
    /// Puts down what it takes to make this pilot again; nothing where it is not to be.
    pub(crate) fn keep(order: &Order, siblings: &Siblings) -> Option<Kept> {
        if order.service.restart == Restart::No {
            return None;
        }
        let root = PathText::new(&order.root);
        let file = file(&root, &order.service.name, order.instance).ok()?;
        let document = Document {
            pilot: facts::own_process(),
            kept_at: process::since_boot(),
            env: std::env::vars_os().collect(),
            order: order.clone(),
            siblings: siblings.clone(),
        };
        // Without it the pilot runs all the same, and is not made again.
        write(&file, &document).ok()?;
        Some(Kept { file })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn file(root: &PathText, service: &str, instance: u32) -> Result<PathBuf, Report> {
    Ok(turn::folder()?.join(format!("{}.{service}.{instance}.json", turn::label(root))))
}

fn write(file: &Path, document: &Document) -> std::io::Result<()> {
    let text = serde_json::to_vec(document)?;
    let fresh = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&fresh)?.write_all(&text)?;
    std::fs::rename(&fresh, file)
}

fn read(file: &Path) -> std::io::Result<Document> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

/// These are not made again, whatever becomes of their pilots: somebody starts them anew, or ends them. To be
/// called in the turn of a revival.
pub(crate) fn call_off<'a>(root: &PathText, keys: impl Iterator<Item = &'a Key>) {
    for (service, instance) in keys {
        if let Ok(file) = file(root, service, *instance) {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// As [`call_off`], for every instance of a checkout that `is_meant`.
pub(crate) fn call_off_where(
    root: &PathText,
    is_meant: impl Fn(&str, u32) -> bool,
) -> Vec<(String, u32)> {
    let Ok(folder) = turn::folder() else { return Vec::new() };
    let mut called_off = Vec::new();
    let label = format!("{}.", turn::label(root));
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(&label)?.strip_suffix(".json"));
        let Some((service, instance)) = name.and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let instance = instance.parse().ok().filter(|instance| is_meant(service, *instance));
        if let Some(instance) = instance
            && std::fs::remove_file(file.path()).is_ok()
        {
            called_off.push((service.to_owned(), instance));
        }
    }
    called_off
}

/// Has the pilot of an instance made again, by a process that is nobody's child. Called by the daemon, which
/// waits for nothing.
pub(crate) fn order(instance: &Instance) {
    let Ok(file) = file(&instance.root, &instance.key.service, instance.key.instance) else {
        return;
    };
    let Ok(program) = link::own_program() else { return };
    if file.exists() {
        let words = ["pilot".into(), "--revive".into(), file.into_os_string()];
        // Without a process to be had there is none for a server either.
        let _ = detached::spawn(&program, &words, &NOT_FOR_OTHERS);
    }
}

/// Makes a pilot again.
///
/// # Errors
/// There is nothing to make it of, or it cannot be started.
pub(crate) fn revive(file: &Path) -> Result<ExitCode, Report> {
    let document = match read(file) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("{} tells of no pilot", file.display());
            return Err(Report::new(Code::Usage, what).because(&error));
        }
    };
    if process::is_alive(&facts::identity(&document.pilot)) {
        return Ok(ExitCode::SUCCESS);
    }
    let is_of_this_boot = document.pilot.boot_id == process::boot_id();
    let known = document.order.deaths;
    let deaths = deaths_so_far(known, document.kept_at, process::since_boot());
    if is_of_this_boot && deaths < DEATHS_MAX {
        crate::cli::block_on(insist(file, &document, deaths))??;
    } else {
        let _ = std::fs::remove_file(file);
    }
    Ok(ExitCode::SUCCESS)
}

/// How often in a row it has been killed soon.
fn deaths_so_far(known: u32, kept_at: Duration, now: Duration) -> u32 {
    match now.saturating_sub(kept_at) >= STEADY_AFTER {
        true => 0,
        false => known,
    }
}

/// Tries until it is there, or somebody has called it off.
async fn insist(file: &Path, document: &Document, mut deaths: u32) -> Result<(), Report> {
    let root = PathText::new(&document.order.root);
    loop {
        let over = Instant::now() + (FIRST_PAUSE * 2_u32.pow(deaths)).min(LONGEST_PAUSE);
        while Instant::now() < over && is_still_of(file, &document.pilot) {
            tokio::time::sleep(FIRST_PAUSE).await;
        }
        deaths += 1;
        let _turn = turn::of_revival(&root).await?;
        if !is_still_of(file, &document.pilot) {
            return Ok(());
        }
        match again(document.clone(), deaths).await {
            Ok(()) => return Ok(()),
            Err(report) if deaths >= DEATHS_MAX => {
                let _ = std::fs::remove_file(file);
                return Err(report);
            }
            Err(_) => {}
        }
    }
}

/// Whether nobody has called it off, or was quicker.
fn is_still_of(file: &Path, pilot: &ProcessId) -> bool {
    read(file).is_ok_and(|document| document.pilot == *pilot)
}

/// Makes it again. Who runs it puts down anew what it takes.
async fn again(document: Document, deaths: u32) -> Result<(), Report> {
    let Document { env, order, mut siblings, .. } = document;
    let link = Link::open().await?;
    let ground = Ground {
        root: order.root,
        worktree: order.worktree,
        primary: order.primary.then(|| order.service.name.clone()),
        attached: order.attached,
        env: Some(env),
        published: order.published,
        agent: order.agent,
    };
    let unit = Unit { service: order.service, instance: order.instance, deaths };
    let members = crew::muster(&link, vec![unit], &ground, async |_| {}).await?;
    let (words, _) = crew::words();
    for member in members {
        siblings.0.retain(|old| {
            (&old.service, old.instance) != (&member.own.service, member.own.instance)
        });
        siblings.0.push(member.own.clone());
        let pilot = member.pilot.clone();
        member.launch(&siblings, &words).await?;
        known(&link, &pilot).await?;
    }
    Ok(())
}

/// Until the daemon knows of it: who looks then finds it.
async fn known(link: &Link, pilot: &ProcessId) -> Result<(), Report> {
    let deadline = Instant::now() + KNOWN_WITHIN;
    loop {
        let instances = link.snapshot().await?.instances;
        if instances.iter().any(|instance| instance.pilot == *pilot) {
            return Ok(());
        }
        if !process::is_alive(&facts::identity(pilot)) || Instant::now() > deadline {
            return Err(Report::new(Code::Failed, "the pilot has not told of itself"));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pilot_that_lived_long_begins_the_count_anew() {
        let kept_at = Duration::from_secs(1000);
        let after = |seconds| deaths_so_far(3, kept_at, kept_at + Duration::from_secs(seconds));
        assert_eq!((after(0), after(59), after(60), after(86_400)), (3, 3, 0, 0));
        assert_eq!(deaths_so_far(3, kept_at, Duration::ZERO), 3);
    }
}
