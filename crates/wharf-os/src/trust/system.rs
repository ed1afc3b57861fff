//! The store of the whole system: a folder of the administrator's own certificates, and a tool that
//! makes of it, and of the distribution's, what programs read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::tool::Tools;
use super::{Anchor, Command, Presence, StoreError, bodies};

/// How one family of distributions keeps it. Paths are below the root.
struct Family {
    /// The administrator's folder.
    folder: &'static str,
    /// How a file there must end.
    extension: &'static str,
    tool: &'static str,
    /// What the tool is told beside, after a file has gone: without it, links stay that lead nowhere.
    after_removal: &'static [&'static str],
    /// The package of the tool, for apt-get, dnf, pacman, zypper, apk.
    packages: [&'static str; 5],
}

const PACKAGES: [&str; 5] = ["ca-certificates"; 5];

/// Fedora before Debian: a Fedora with Debian's folder is more likely than the reverse.
const FAMILIES: [Family; 4] = [
    // Fedora, RHEL and what stems from them.
    Family {
        folder: "etc/pki/ca-trust/source/anchors",
        extension: "pem",
        tool: "update-ca-trust",
        after_removal: &[],
        packages: PACKAGES,
    },
    // Debian, Ubuntu, Alpine.
    Family {
        folder: "usr/local/share/ca-certificates",
        extension: "crt",
        tool: "update-ca-certificates",
        after_removal: &["--fresh"],
        packages: PACKAGES,
    },
    // Arch. `trust anchor` would do as well, but takes out only what it is shown the file of.
    Family {
        folder: "etc/ca-certificates/trust-source/anchors",
        extension: "crt",
        tool: "update-ca-trust",
        after_removal: &[],
        packages: PACKAGES,
    },
    // openSUSE.
    Family {
        folder: "etc/pki/trust/anchors",
        extension: "pem",
        tool: "update-ca-certificates",
        after_removal: &["--fresh"],
        packages: PACKAGES,
    },
];

/// Java's own copy on Debian. It is filled by the tool, which forgets to take out of it again.
const JAVA_COPY: &str = "etc/ssl/certs/java/cacerts";
const JAVA_TOOL: &str = "keytool";
/// The password of every such copy, which guards nothing.
const JAVA_PASSWORD: &str = "changeit";

/// Where distributions keep all roots in one file.
const BUNDLES: [&str; 4] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

/// The administrator's folder, if there is one that we know.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    FAMILIES.iter().map(|family| root.join(family.folder)).find(|folder| folder.is_dir())
}

pub(super) fn bundle(root: &Path) -> Option<PathBuf> {
    BUNDLES.iter().map(|file| root.join(file)).find(|file| file.is_file())
}

fn family(root: &Path, place: &Path) -> &'static Family {
    let of = |family: &&Family| root.join(family.folder) == place;
    FAMILIES.iter().find(of).unwrap_or(&FAMILIES[1])
}

fn file(root: &Path, place: &Path, anchor: &Anchor) -> PathBuf {
    place.join(format!("{}.{}", anchor.name, family(root, place).extension))
}

/// Whether its tool is installed.
pub(super) fn tool(root: &Path, place: &Path, tools: &Tools) -> Result<(), StoreError> {
    let family = family(root, place);
    match tools.has(family.tool) {
        true => Ok(()),
        false => Err(tools.missing(family.tool, family.packages)),
    }
}

/// The file alone is half of it: programs read what the tool makes.
pub(super) fn presence(root: &Path, place: &Path, tools: &Tools, anchor: &Anchor) -> Presence {
    let own = anchor.body();
    let there = std::fs::read_to_string(file(root, place, anchor)).ok();
    let made = bundle(root).and_then(|bundle| std::fs::read_to_string(bundle).ok());
    let in_bundle = made.map(|text| own.as_ref().is_some_and(|own| bodies(&text).contains(own)));
    match there {
        None if in_bundle == Some(true) || in_java(root, tools, anchor) => Presence::Part,
        None => Presence::Absent,
        Some(text) if own.is_some() && bodies(&text).first() == own.as_ref() => {
            if in_bundle == Some(false) { Presence::Part } else { Presence::Whole }
        }
        Some(_) => Presence::Part,
    }
}

pub(super) fn install_commands(root: &Path, place: &Path, anchor: &Anchor) -> Vec<Command> {
    let mut copy: Command = ["install", "-m", "0644", "--"].map(OsString::from).into();
    copy.extend([anchor.file.clone().into(), file(root, place, anchor).into()]);
    vec![copy, vec![family(root, place).tool.into()]]
}

pub(super) fn remove_commands(
    root: &Path,
    place: &Path,
    tools: &Tools,
    anchor: &Anchor,
) -> Vec<Command> {
    let mut delete: Command = ["rm", "-f", "--"].map(OsString::from).into();
    delete.push(file(root, place, anchor).into());
    let family = family(root, place);
    let update = std::iter::once(&family.tool).chain(family.after_removal);
    let mut commands = vec![delete, update.map(OsString::from).collect()];
    if in_java(root, tools, anchor) {
        commands.push(java("-delete", root, anchor));
    }
    commands
}

/// Anybody may look.
fn in_java(root: &Path, tools: &Tools, anchor: &Anchor) -> bool {
    root.join(JAVA_COPY).is_file()
        && tools.has(JAVA_TOOL)
        && tools.run(&java("-list", root, anchor)).is_ok_and(|ended| ended.status.success())
}

fn java(action: &str, root: &Path, anchor: &Anchor) -> Command {
    let alias = format!("debian:{}.pem", anchor.name);
    let mut command: Command = [JAVA_TOOL, action, "-alias", &alias].map(OsString::from).into();
    command.extend(["-storepass", JAVA_PASSWORD, "-keystore"].map(OsString::from));
    command.push(root.join(JAVA_COPY).into());
    command
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Places, Store};
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    const OTHER: &str = "-----BEGIN CERTIFICATE-----\nWFla\n-----END CERTIFICATE-----\n";

    /// A system in a folder, whose tool makes a bundle of what lies in the administrator's folder.
    struct System {
        dir: tempfile::TempDir,
        folder: &'static str,
    }

    /// Written by another process: a file that is open for writing here, and in what another thread has
    /// just forked, cannot be executed.
    fn executable(path: &Path, script: &str) {
        let text = path.with_extension("text");
        std::fs::write(&text, script).unwrap();
        let status =
            std::process::Command::new("install").arg("-m0755").args([&text, path]).status();
        assert!(status.unwrap().success());
        std::fs::remove_file(text).unwrap();
    }

    impl System {
        fn new(family: &Family, bundle: &str) -> System {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("root");
            for folder in [root.join(family.folder), root.join("bin"), root.join(bundle)] {
                let folder =
                    if folder.ends_with(bundle) { folder.parent().unwrap() } else { &folder };
                std::fs::create_dir_all(folder).unwrap();
            }
            let script = format!(
                "#!/bin/sh\necho \"$*\" >> {0}/told\ncat {0}/{1}/* > {0}/{2} 2>/dev/null; true\n",
                root.display(),
                family.folder,
                bundle
            );
            executable(&root.join("bin").join(family.tool), &script);
            std::fs::write(dir.path().join("own.pem"), CERTIFICATE).unwrap();
            System { dir, folder: family.folder }
        }

        fn root(&self) -> PathBuf {
            self.dir.path().join("root")
        }

        fn places(&self, is_root: bool) -> Places {
            let folders = [self.root().join("bin"), "/usr/bin".into(), "/bin".into()];
            Places::new(&self.root(), None, folders, is_root)
        }

        fn store(&self) -> Store {
            Store { kind: Kind::System, place: self.root().join(self.folder) }
        }

        fn anchor(&self) -> Anchor {
            Anchor { name: "local-anna".into(), file: self.dir.path().join("own.pem") }
        }
    }

    fn each(test: impl Fn(&System)) {
        for (family, bundle) in [
            (&FAMILIES[0], "etc/pki/tls/certs/ca-bundle.crt"),
            (&FAMILIES[1], "etc/ssl/certs/ca-certificates.crt"),
            (&FAMILIES[2], "etc/ssl/certs/ca-certificates.crt"),
            (&FAMILIES[3], "etc/ssl/ca-bundle.pem"),
        ] {
            test(&System::new(family, bundle));
        }
    }

    #[test]
    fn every_family_is_found_and_takes_a_certificate_in_and_out() {
        each(|system| {
            let (places, store, anchor) = (system.places(true), system.store(), system.anchor());
            assert_eq!(places.stores(), std::slice::from_ref(&store));
            let is = || places.presence(&store, &anchor).unwrap();
            assert_eq!(is(), Presence::Absent);
            places.install(&store, &anchor).unwrap();
            assert_eq!(is(), Presence::Whole);
            let bundle = std::fs::read_to_string(places.system_bundle().unwrap()).unwrap();
            assert_eq!(bundle, CERTIFICATE);
            places.install(&store, &anchor).unwrap();
            places.remove(&store, &anchor).unwrap();
            assert_eq!(is(), Presence::Absent);
            places.remove(&store, &anchor).unwrap();
            let left = std::fs::read_dir(&store.place).unwrap().count();
            assert_eq!(left, 0);
        });
    }

    #[test]
    fn without_root_nothing_is_touched_and_the_commands_are_those_that_root_runs() {
        each(|system| {
            let (places, store, anchor) = (system.places(false), system.store(), system.anchor());
            let refused = places.install(&store, &anchor);
            assert!(matches!(refused, Err(StoreError::NeedsRoot { .. })));
            assert_eq!(places.presence(&store, &anchor).unwrap(), Presence::Absent);
            assert!(!system.root().join("told").exists());
            let commands = places.install_commands(&store, &anchor);
            let names: Vec<_> = commands.iter().map(|words| words[0].to_str().unwrap()).collect();
            assert_eq!(names[0], "install");
            assert!(names[1].starts_with("update-ca-"));
        });
    }

    #[test]
    fn what_is_half_there_is_told_apart() {
        let system = System::new(&FAMILIES[1], BUNDLES[0]);
        let (places, store, anchor) = (system.places(true), system.store(), system.anchor());
        let own = store.place.join("local-anna.crt");
        let bundle = system.root().join(BUNDLES[0]);
        let is = || places.presence(&store, &anchor).unwrap();
        std::fs::write(&own, CERTIFICATE).unwrap();
        assert_eq!(is(), Presence::Whole, "there is no bundle to look into");
        std::fs::write(&bundle, OTHER).unwrap();
        assert_eq!(is(), Presence::Part, "the tool was not run");
        std::fs::write(&own, OTHER).unwrap();
        assert_eq!(is(), Presence::Part, "another certificate");
        std::fs::remove_file(&own).unwrap();
        assert_eq!(is(), Presence::Absent);
        std::fs::write(&bundle, format!("{OTHER}{CERTIFICATE}")).unwrap();
        assert_eq!(is(), Presence::Part, "deleted by hand, and the tool was not run");
        places.remove(&store, &anchor).unwrap();
        let told = std::fs::read_to_string(system.root().join("told")).unwrap();
        assert_eq!(told, "--fresh\n");
    }

    #[test]
    fn javas_copy_is_emptied_as_well() {
        let system = System::new(&FAMILIES[1], BUNDLES[0]);
        let (places, store, anchor) = (system.places(true), system.store(), system.anchor());
        let copy = system.root().join(JAVA_COPY);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        // A keystore of lines, and a keytool for it: action, `-alias`, alias, …, file.
        std::fs::write(&copy, "debian:other.pem\ndebian:local-anna.pem\n").unwrap();
        let keytool = "#!/bin/sh\nfor file; do :; done\ncase $1 in -list) grep -qx \"$3\" \"$file\";;\n\
            -delete) grep -vx \"$3\" \"$file\" > \"$file.new\"; mv \"$file.new\" \"$file\";; esac\n";
        executable(&system.root().join("bin/keytool"), keytool);
        assert_eq!(places.presence(&store, &anchor).unwrap(), Presence::Part);
        places.remove(&store, &anchor).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "debian:other.pem\n");
        assert_eq!(places.presence(&store, &anchor).unwrap(), Presence::Absent);
        assert_eq!(places.remove_commands(&store, &anchor).len(), 2);
    }

    #[test]
    fn a_missing_tool_and_a_failing_one_are_told() {
        let system = System::new(&FAMILIES[1], BUNDLES[0]);
        let (places, store, anchor) = (system.places(true), system.store(), system.anchor());
        let tool = system.root().join("bin/update-ca-certificates");
        executable(&tool, "#!/bin/sh\necho no room >&2; exit 1\n");
        let failed = places.install(&store, &anchor).unwrap_err();
        assert_eq!(failed.to_string(), "`update-ca-certificates` failed: no room");
        std::fs::remove_file(&tool).unwrap();
        let empty = Places::new(&system.root(), None, [system.root().join("bin")], true);
        let missing = empty.install(&store, &anchor).unwrap_err();
        assert_eq!(missing.to_string(), "`update-ca-certificates` is not installed");
    }

    #[test]
    fn a_system_without_a_known_store_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path(), None, [], true);
        assert!(places.stores().is_empty() && places.system_bundle().is_none());
    }
}
