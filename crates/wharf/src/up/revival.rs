//! A pilot that is killed takes its server with it. Where the server is to be launched again when it fails, the
//! daemon, which sees every pilot end, has it made again: by what the pilot has put down for that.
//!
//! What is put down lies in the runtime folder, private: it has the environment in it. It goes with the pilot's
//! own end, and counts for nothing after a reboot.

use std::ffi::OsString;
use std::fs::{DirEntry, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use wharf_model::{Instance, PathText, Restart, name};
use wharf_os::{detached, private_dir, process};

use super::crew::{self, Ground, Unit};
use super::order::{Order, Siblings};
use crate::link::{self, Link, NOT_FOR_OTHERS};
use crate::report::{Code, Report};

/// How often in a row a pilot is made again that is killed soon after its launch.
const DEATHS_MAX: u32 = 10;

/// A pilot that lived for this long begins the count anew.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// The pauses before it is made again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The digits that tell checkouts of one name apart.
const DIGITS: usize = 16;

/// What is kept of a pilot.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    boot_id: String,
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
            boot_id: process::boot_id(),
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
    let folder = link::paths()?.runtime_dir.join("pilots");
    private_dir::ensure(&folder).map_err(|error| {
        Report::new(Code::Failed, "what a pilot is to run cannot be kept").because(&error)
    })?;
    let checkout = name::project_label(root, DIGITS);
    Ok(folder.join(format!("{checkout}.{service}.{instance}.json")))
}

fn write(file: &Path, document: &Document) -> std::io::Result<()> {
    let text = serde_json::to_vec(document)?;
    let fresh = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&fresh)?.write_all(&text)?;
    std::fs::rename(&fresh, file)
}

/// Has the pilot of an instance made again, by a process that is nobody's child. Called by the daemon, which
/// waits for nothing.
pub(crate) fn order(instance: &Instance) {
    let Ok(file) = file(&instance.root, &instance.key.service, instance.key.instance) else {
        return;
    };
    let Ok(program) = crew::program() else { return };
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
    let nothing = || Report::new(Code::Usage, format!("{} tells of no pilot", file.display()));
    let text = std::fs::read(file).map_err(|error| nothing().because(&error))?;
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| nothing().because(&error))?;
    let about = std::fs::metadata(file).map_err(|error| nothing().because(&error))?;
    let age = about.modified().ok();
    let age = age.and_then(|then| SystemTime::now().duration_since(then).ok());
    let deaths = match age {
        Some(age) if age >= STEADY_AFTER => 0,
        _ => document.order.deaths,
    };
    let is_given_up = document.boot_id != process::boot_id() || deaths >= DEATHS_MAX;
    if !is_given_up {
        std::thread::sleep((FIRST_PAUSE * 2_u32.pow(deaths)).min(LONGEST_PAUSE));
    }
    // It lies there during the pause, so that `wharf down` can take it away.
    if claim(file, &about) && !is_given_up {
        crate::cli::block_on(again(document, deaths))??;
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the file away: whoever runs the instance from here on puts it down anew. Not if it has gone, or is
/// that of a later pilot.
fn claim(file: &Path, about: &Metadata) -> bool {
    let is_same = std::fs::metadata(file).is_ok_and(|now| now.ino() == about.ino());
    is_same && std::fs::remove_file(file).is_ok()
}

/// Has nothing of a checkout made again whose pilot has been killed; says whether there was something. Called
/// once its living pilots have ended.
pub(crate) fn give_up(root: &PathText) -> bool {
    let Ok(paths) = link::paths() else { return false };
    let Ok(files) = std::fs::read_dir(paths.runtime_dir.join("pilots")) else { return false };
    let checkout = format!("{}.", name::project_label(root, DIGITS));
    let is_of_it = |file: &DirEntry| file.file_name().as_bytes().starts_with(checkout.as_bytes());
    let removed =
        files.flatten().filter(is_of_it).filter(|file| std::fs::remove_file(file.path()).is_ok());
    removed.count() > 0
}

async fn again(document: Document, deaths: u32) -> Result<(), Report> {
    let Document { env, order, mut siblings, .. } = document;
    let link = Link::open().await?;
    let ground = Ground {
        root: order.root,
        worktree: order.worktree,
        primary: order.primary.then(|| order.service.name.clone()),
        attached: order.attached,
        env: Some(env),
    };
    let unit = Unit { service: order.service, instance: order.instance, deaths: deaths + 1 };
    let members = crew::muster(&link, vec![unit], &ground, async |_| {}).await?;
    let (words, _) = crew::words();
    for member in members {
        siblings.0.retain(|old| {
            (&old.service, old.instance) != (&member.own.service, member.own.instance)
        });
        siblings.0.push(member.own.clone());
        member.launch(&siblings, &words).await?;
    }
    Ok(())
}
