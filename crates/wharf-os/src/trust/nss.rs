//! Databases of NSS: Firefox has one for each profile, Chromium and its kin one for each user.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::tool::{self, Tools};
use super::{Anchor, Command, Presence, StoreError, bodies};

const TOOL: &str = "certutil";
/// Its package, for apt-get, dnf, pacman, zypper, apk.
const PACKAGES: [&str; 5] = ["libnss3-tools", "nss-tools", "nss", "mozilla-nss-tools", "nss-tools"];
/// The file that makes a folder a database.
const DATABASE: &str = "cert9.db";
/// Trusted to sign certificates of servers, and nothing else.
const SERVERS_ONLY: &str = "C,,";
/// More certificates of one name than anybody has.
const SAME_NAME_MAX: usize = 16;

/// Where they lie below the home folder; `*` is any one folder.
const PLACES: [&str; 18] = [
    // Chromium, Chrome, Brave, Edge, Vivaldi, Opera; the second in new installations.
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/*/current/.pki/nssdb",
    "snap/*/current/.local/share/pki/nssdb",
    ".var/app/*/.pki/nssdb",
    ".var/app/*/data/pki/nssdb",
    // Firefox; the second since it keeps to the XDG folders.
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    "snap/firefox/common/.config/mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox/*",
    // Its kin.
    ".librewolf/*",
    ".var/app/io.gitlab.librewolf-community/.librewolf/*",
    ".waterfox/*",
    ".floorp/*",
    ".zen/*",
    ".var/app/app.zen_browser.zen/.zen/*",
];

/// Every database below the home folder, each once.
pub(super) fn find(home: &Path) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for place in PLACES {
        let mut folders = vec![home.to_owned()];
        for part in place.split('/') {
            folders = folders.iter().flat_map(|folder| below(folder, part)).collect();
        }
        for folder in folders.into_iter().filter(|folder| folder.join(DATABASE).is_file()) {
            // A folder that is linked from another place is the same database.
            let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            if seen.insert(real) {
                found.push(folder);
            }
        }
    }
    found
}

fn below(folder: &Path, part: &str) -> Vec<PathBuf> {
    if part != "*" {
        return vec![folder.join(part)];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// `certutil ACTION -d sql:PLACE`
fn certutil(action: &str, place: &Path) -> Command {
    let mut database = OsString::from("sql:");
    database.push(place);
    vec![TOOL.into(), action.into(), "-d".into(), database]
}

fn named(action: &str, place: &Path, anchor: &Anchor) -> Command {
    let mut command = certutil(action, place);
    command.extend(["-n".into(), anchor.name.clone().into()]);
    command
}

/// Puts it in.
pub(super) fn add(place: &Path, anchor: &Anchor) -> Command {
    let mut command = named("-A", place, anchor);
    command.extend(["-t".into(), SERVERS_ONLY.into(), "-i".into(), anchor.file.clone().into()]);
    command
}

/// Takes one of that name out.
pub(super) fn delete(place: &Path, anchor: &Anchor) -> Command {
    named("-D", place, anchor)
}

pub(super) fn presence(
    tools: &Tools,
    place: &Path,
    anchor: &Anchor,
) -> Result<Presence, StoreError> {
    if !tools.has(TOOL) {
        return Err(tools.missing(TOOL, PACKAGES));
    }
    let list = tools.must(&certutil("-L", place))?;
    let Some(flags) = flags(&list.out, &anchor.name) else {
        return Ok(Presence::Absent);
    };
    let mut show = named("-L", place, anchor);
    show.push("-a".into());
    let shown = bodies(&tools.must(&show)?.out);
    let is_trusted = flags.split(',').next().is_some_and(|servers| servers.contains('C'));
    match anchor.body() {
        Some(own) if is_trusted && shown.as_slice() == std::slice::from_ref(&own) => {
            Ok(Presence::Whole)
        }
        _ => Ok(Presence::Part),
    }
}

/// The trust of a name in the list that certutil prints: a name, spaces, the flags.
fn flags<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let entries = list.lines().filter_map(|line| line.trim_end().rsplit_once(char::is_whitespace));
    entries.filter(|(entry, _)| entry.trim_end() == name).map(|(_, flags)| flags).next()
}

pub(super) fn install(tools: &Tools, place: &Path, anchor: &Anchor) -> Result<(), StoreError> {
    if presence(tools, place, anchor)? == Presence::Part {
        remove(tools, place, anchor)?;
    }
    tools.must(&add(place, anchor)).map(drop).inspect_err(|_| {
        // Behind a password certutil puts it in, fails to trust it, and leaves it there.
        let _ = tools.run(&delete(place, anchor));
    })
}

/// Takes out every certificate of that name.
pub(super) fn remove(tools: &Tools, place: &Path, anchor: &Anchor) -> Result<(), StoreError> {
    for _ in 0..SAME_NAME_MAX {
        if presence(tools, place, anchor)? == Presence::Absent {
            return Ok(());
        }
        tools.must(&delete(place, anchor))?;
    }
    let command = delete(place, anchor);
    Err(tool::failure(&command, &tools.run(&command)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(home: &Path, place: &str) -> PathBuf {
        let folder = home.join(place);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(DATABASE), "").unwrap();
        folder
    }

    #[test]
    fn databases_are_found_wherever_browsers_keep_them() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let places = [
            ".pki/nssdb",
            ".local/share/pki/nssdb",
            "snap/chromium/2890/.pki/nssdb",
            ".var/app/org.chromium.Chromium/data/pki/nssdb",
            ".mozilla/firefox/ab12.default-release",
            ".mozilla/firefox/cd34.second profile",
            "snap/firefox/common/.mozilla/firefox/ef56.default",
            ".var/app/org.mozilla.firefox/.mozilla/firefox/gh78.default",
        ];
        for place in places {
            database(home, place);
        }
        std::os::unix::fs::symlink("2890", home.join("snap/chromium/current")).unwrap();
        std::os::unix::fs::symlink("ab12.default-release", home.join(".mozilla/firefox/link"))
            .unwrap();
        std::fs::create_dir_all(home.join(".mozilla/firefox/Crash Reports")).unwrap();
        database(home, ".thunderbird/mail");
        let mut wanted: Vec<PathBuf> = places.iter().map(|place| home.join(place)).collect();
        wanted[2] = home.join("snap/chromium/current/.pki/nssdb");
        wanted.sort();
        let mut found = find(home);
        found.sort();
        assert_eq!(found, wanted);
        assert!(find(&home.join("nobody")).is_empty());
    }

    #[test]
    fn flags_are_those_of_the_very_name() {
        let list = "\nCertificate Nickname      Trust Attributes\n   SSL,S/MIME,JAR/XPI\n\n\
            local-anna-2       ,,\nlocal-anna                C,,  \nwith a space  CT,C,C\n";
        assert_eq!(flags(list, "local-anna"), Some("C,,"));
        assert_eq!(flags(list, "local-anna-2"), Some(",,"));
        assert_eq!(flags(list, "with a space"), Some("CT,C,C"));
        assert_eq!(flags(list, "local"), None);
    }

    #[test]
    fn a_missing_certutil_is_named_with_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let tools = Tools::new([dir.path().to_owned()]);
        let anchor = Anchor { name: "a".into(), file: "/a.pem".into() };
        let missing = presence(&tools, dir.path(), &anchor).unwrap_err();
        assert_eq!(missing.to_string(), "`certutil` is not installed");
    }
}
