//! The environment of a run: that of a person who has installed the parts, and nothing of ours.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::copy::Copy;
use super::place::Place;
use super::processes::MARK;
use super::spec::{Book, Run};

/// The variables of the caller that say where a toolchain is.
const PASSED: [&str; 2] = ["JAVA_HOME", "RUSTUP_HOME"];

/// The folders of a person's home that wharf and the frameworks look for, shared by both copies.
const HOME: [(&str, &str); 7] = [
    ("HOME", "home"),
    ("XDG_CONFIG_HOME", "home/.config"),
    ("XDG_DATA_HOME", "home/.local/share"),
    ("XDG_STATE_HOME", "home/.local/state"),
    ("XDG_CACHE_HOME", "home/.cache"),
    ("XDG_RUNTIME_DIR", "run"),
    ("TMPDIR", "tmp"),
];

/// The environment in which the copy is started.
pub type Variables = BTreeMap<String, String>;

/// Makes the folders of the home that the run is given.
pub fn make_home(place: &Place) -> Result<(), String> {
    for (_, folder) in HOME {
        let path = place.root.join(folder);
        let mode = if folder == "run" { 0o700 } else { 0o755 };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        place.hand_over(&path)?;
    }
    Ok(())
}

/// The environment without anything of a copy, for the commands that ask the daemon.
pub fn common(place: &Place) -> Variables {
    let mut variables = Variables::new();
    for (name, value) in [("LANG", "C.UTF-8"), ("TERM", "xterm-256color"), ("SHELL", "/bin/sh")] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    for name in PASSED.into_iter().chain(["PATH", "USER", "LOGNAME"]) {
        if let Ok(value) = env::var(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    for (name, folder) in HOME {
        variables.insert(name.to_owned(), text(&place.root.join(folder)));
    }
    variables
}

/// The environment of one copy.
pub fn of_copy(book: &Book, run: &Run, place: &Place, copy: &Copy) -> Variables {
    let fill = |value: &str| {
        value
            .replace("{parts}", &text(&place.parts))
            .replace("{copy}", &copy.folder_text())
            .replace("{cargo_home}", &cargo_home())
    };
    let mut variables = common(place);
    let mut path = Vec::new();
    let parts = run.needs.iter().filter_map(|name| book.part.get(name));
    let mut given: Vec<&Variables> = vec![&book.env];
    for part in parts {
        path.extend(part.path.iter().map(|folder| fill(folder)));
        given.push(&part.env);
    }
    given.push(&run.env);
    for (name, value) in given.into_iter().flatten() {
        variables.insert(name.clone(), fill(value));
    }
    path.extend(variables.get("PATH").cloned());
    variables.insert("PATH".to_owned(), path.join(":"));
    variables.insert(MARK.to_owned(), copy.mark.clone());
    variables
}

/// Where Cargo keeps the sources that `script/parts` fetched: in the caller's home, not in the run's.
fn cargo_home() -> String {
    let home = || env::var("HOME").unwrap_or_default() + "/.cargo";
    env::var("CARGO_HOME").unwrap_or_else(|_| home())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
