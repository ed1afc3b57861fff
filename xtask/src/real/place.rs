//! Where everything is: the repository, the parts, the binary under test, and the folder of one run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::repo;

/// The places that every run has in common.
#[derive(Clone, Debug)]
pub struct Place {
    /// The repository.
    pub repo: PathBuf,
    /// What `script/parts` installed.
    pub parts: PathBuf,
    /// The binary under test.
    pub wharf: PathBuf,
    /// A fresh folder for the copies. Outside of the repository, since a project inside of it would
    /// be taken for a part of it, and short, since sockets lie in it.
    pub root: PathBuf,
    /// Whether wharf is started by a user without any capability.
    pub ordinary: bool,
}

/// The user and the group that own nothing on any machine.
const ORDINARY: &str = "65534";

impl Place {
    /// Finds the places; `with_wharf` says whether a binary is needed at all.
    pub fn find(with_wharf: bool) -> Result<Place, String> {
        let repo = repo::root()?;
        let parts = env::var_os("WHARF_PARTS").map_or(repo.join("target/parts"), PathBuf::from);
        let wharf = if with_wharf { binary()? } else { PathBuf::new() };
        let root = env::temp_dir().join(format!("wharf-real-{}", std::process::id()));
        Ok(Place { repo, parts: absolute(&parts)?, wharf, root, ordinary: false })
    }

    /// What is typed to start wharf.
    pub fn wharf_command(&self) -> Vec<String> {
        self.command(&self.wharf.to_string_lossy())
    }

    /// What is typed to start a program as the user who starts wharf.
    pub fn command(&self, program: &str) -> Vec<String> {
        if !self.ordinary {
            return vec![program.to_owned()];
        }
        let user = [format!("--reuid={ORDINARY}"), format!("--regid={ORDINARY}")];
        let nothing = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
        let mut command = vec!["setpriv".to_owned()];
        command.extend(user);
        command.extend(nothing.map(str::to_owned));
        command.push(program.to_owned());
        command
    }

    /// Makes a folder and all in it the property of whoever starts wharf.
    pub fn hand_over(&self, folder: &Path) -> Result<(), String> {
        if !self.ordinary {
            return Ok(());
        }
        let done = Command::new("chown")
            .args(["-R", &format!("{ORDINARY}:{ORDINARY}"), "--"])
            .arg(folder)
            .status()
            .map_err(|error| format!("cannot run chown: {error}"))?;
        if done.success() { Ok(()) } else { Err(format!("cannot hand over {}", folder.display())) }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("cannot use {}: {error}", path.display()))
}

/// `WHARF_BIN`, else the newer of the release and the debug binary beside this program: an old one
/// would prove nothing of the sources as they are.
fn binary() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("WHARF_BIN") {
        let path = absolute(Path::new(&path))?;
        return built(&path).map(|_| path.clone()).ok_or_else(|| {
            format!("WHARF_BIN names {}, and there is no such file", path.display())
        });
    }
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let target = own.ancestors().nth(2).unwrap_or(Path::new("/"));
    ["release", "debug"]
        .map(|profile| target.join(profile).join("wharf"))
        .into_iter()
        .filter_map(|path| Some((built(&path)?, path)))
        .max()
        .map(|(_, path)| path)
        .ok_or_else(|| {
            format!(
                "there is no wharf binary in {}: build one with `cargo build --release -p wharf`, \
                 or name one with WHARF_BIN",
                target.display()
            )
        })
}

fn built(path: &Path) -> Option<SystemTime> {
    path.metadata().ok().filter(|data| data.is_file())?.modified().ok()
}
