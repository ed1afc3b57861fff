//! `wharf trust` and `wharf untrust`, with real stores that are copies: the machine's own are covered by
//! mounts that only wharf sees.

mod sandbox;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use sandbox::{Answer, Sandbox, answer, mode};
use wharf_proxy::Ca;

/// A user that every system has, and that is nobody.
const NOBODY: &str = "65534";

/// Covers the system's store, and the hooks that would take its changes elsewhere.
const COVER: &str = "set -e
mount --bind \"$0/ssl\" /etc/ssl
mount --bind \"$0/local\" /usr/local/share/ca-certificates
mount --bind \"$0/hooks\" /etc/ca-certificates/update.d
mount --bind \"$0/conf\" /etc/ca-certificates.conf
exec \"$@\"";

/// A machine with a store of its own, and a user with a browser's database.
struct Machine {
    sandbox: Sandbox,
    store: PathBuf,
    user: Option<&'static str>,
}

impl Machine {
    fn new(user: Option<&'static str>) -> Machine {
        let sandbox = Sandbox::new();
        let store = sandbox.dir().join("store");
        for folder in ["store/hooks", "home/.local/share", "home/.pki/nssdb"] {
            std::fs::create_dir_all(sandbox.dir().join(folder)).unwrap();
        }
        for (from, to) in [("/etc/ssl", "ssl"), ("/usr/local/share/ca-certificates", "local")] {
            let copied = Command::new("cp").arg("-a").arg(from).arg(store.join(to)).status();
            assert!(copied.unwrap().success(), "{from}: `script/parts system` installs it");
        }
        // A few roots are enough, and Java's copy is another matter.
        let conf = std::fs::read_to_string("/etc/ca-certificates.conf").unwrap();
        let some: Vec<&str> = conf.lines().filter(|line| line.ends_with(".crt")).take(3).collect();
        std::fs::write(store.join("conf"), some.join("\n") + "\n").unwrap();
        let _ = std::fs::remove_dir_all(store.join("ssl/certs/java"));
        let machine = Machine { sandbox, store, user };
        let database = machine.database();
        machine.must(machine.root("certutil", ["-N", "--empty-password", "-d", &database]));
        machine.must(machine.root("update-ca-certificates", ["--fresh"]));
        if let Some(user) = user {
            let folders = ["home", "run"].map(|folder| machine.sandbox.dir().join(folder));
            let owned = Command::new("chown").arg("-R").arg(user).args(folders).status();
            assert!(owned.unwrap().success());
        }
        machine
    }

    fn home(&self) -> PathBuf {
        self.sandbox.dir().join("home")
    }

    fn ca(&self) -> PathBuf {
        self.home().join(".local/share/wharf/ca")
    }

    fn database(&self) -> String {
        format!("sql:{}", self.home().join(".pki/nssdb").display())
    }

    /// A program as root in this machine.
    fn root(&self, program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = self.sandbox.program("unshare");
        command.args(["--mount", "sh", "-c", COVER]).arg(&self.store).arg(program).args(args);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
    }

    /// wharf as the user of this machine.
    fn wharf(&self, args: &[&str]) -> Command {
        let wharf = env!("CARGO_BIN_EXE_wharf");
        match self.user {
            None => self.root(wharf, args),
            Some(user) => {
                let as_user = ["--reuid", user, "--regid", user, "--clear-groups", wharf];
                self.root("setpriv", as_user.iter().chain(args))
            }
        }
    }

    fn output(&self, args: &[&str]) -> Answer {
        answer(self.wharf(args))
    }

    fn must(&self, command: Command) -> Answer {
        let answer = answer(command);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer
    }

    /// Types a command that wharf printed, as root, who needs no sudo.
    fn typed(&self, command: &str) {
        assert!(command.starts_with("sudo "), "{command}");
        self.must(self.root("sh", ["-c", &command.replace("sudo ", "")]));
    }

    /// Everything that is trusted or lies in the home: names, links, contents; of a database what is in it.
    fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        walk(&self.store, &mut listing);
        walk(&self.home(), &mut listing);
        listing.retain(|path, _| !path.starts_with(self.home().join(".pki/nssdb")));
        let certificates = self.must(self.root("certutil", ["-L", "-d", &self.database()])).out;
        listing.insert("certificates".into(), certificates);
        let files = std::fs::read_dir(self.home().join(".pki/nssdb")).unwrap().count();
        listing.insert("files of the database".into(), files.to_string());
        listing
    }
}

fn walk(folder: &Path, listing: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let facts = path.symlink_metadata().unwrap();
        let what = if facts.is_symlink() {
            format!("link to {}", std::fs::read_link(&path).unwrap().display())
        } else if facts.is_dir() {
            walk(&path, listing);
            "folder".to_owned()
        } else {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        };
        listing.insert(path, what);
    }
}

fn states(document: &serde_json::Value) -> Vec<(&str, &str)> {
    let lines = document["stores"].as_array().unwrap().iter();
    lines.map(|line| (line["kind"].as_str().unwrap(), line["state"].as_str().unwrap())).collect()
}

fn bundle(machine: &Machine) -> String {
    std::fs::read_to_string(machine.store.join("ssl/certs/ca-certificates.crt")).unwrap()
}

#[test]
fn root_has_it_done_in_every_store_and_undone_without_a_trace() {
    let machine = Machine::new(None);
    let before = machine.listing();
    let trusted = machine.output(&["trust", "--json"]);
    assert_eq!((trusted.code, trusted.err.as_str()), (0, ""), "{trusted:?}");
    let document = trusted.json();
    assert_eq!(states(&document), [("system", "installed"), ("nss", "installed")]);
    assert_eq!((&document["schema"], &document["ca"]["created"]), (&1.into(), &true.into()));
    let pem = machine.ca().join("ca.pem");
    assert_eq!(document["ca"]["certificate"], pem.to_str().unwrap());
    assert!(bundle(&machine).contains(std::fs::read_to_string(&pem).unwrap().trim()));
    let verified = machine.must(machine.root("openssl", [OsStr::new("verify"), pem.as_os_str()]));
    assert!(verified.out.contains("OK"), "by the system's own store: {verified:?}");
    let listed = machine.must(machine.root("certutil", ["-L", "-d", &machine.database()]));
    assert!(listed.out.contains("wharf-root"), "{listed:?}");

    let with = machine.listing();
    let again = machine.output(&["trust", "--json"]).json();
    assert_eq!(states(&again), [("system", "unchanged"), ("nss", "unchanged")]);
    assert_eq!(again["ca"]["created"], false);
    assert_eq!(machine.listing(), with, "nothing was changed");

    let undone = machine.output(&["untrust", "--json"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    let document = undone.json();
    assert_eq!(states(&document), [("system", "removed"), ("nss", "removed")]);
    assert_eq!((&document["schema"], &document["deleted"]), (&1.into(), &true.into()));
    assert_eq!(machine.listing(), before);
    let twice = machine.output(&["untrust"]);
    assert_eq!(twice.code, 0, "{twice:?}");
    assert_eq!(twice.out, "there is no local CA, and no store has it\n");
    assert_eq!(machine.listing(), before);
}

#[test]
fn without_root_the_one_command_is_printed_and_it_is_enough() {
    let machine = Machine::new(Some(NOBODY));
    let before = machine.listing();
    let trusted = machine.output(&["trust", "--json"]);
    assert_eq!(trusted.code, 5, "something needs root: {trusted:?}");
    let document = trusted.json();
    assert_eq!(states(&document), [("system", "needs_root"), ("nss", "installed")]);
    let store = before.keys().filter(|path| path.starts_with(&machine.store));
    let now = machine.listing();
    assert!(store.into_iter().all(|path| now[path] == before[path]), "the store is untouched");
    let command = document["stores"][0]["command"].as_str().unwrap().to_owned();
    let text = machine.output(&["trust"]);
    assert_eq!(text.code, 5);
    assert!(text.out.contains(&format!("type: {command}\n")), "{text:?}");
    assert!(text.out.contains("export NODE_EXTRA_CA_CERTS=/"), "{text:?}");
    machine.typed(&command);
    let done = machine.output(&["trust", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(states(&done.json()), [("system", "unchanged"), ("nss", "unchanged")]);

    let undone = machine.output(&["untrust", "--json"]);
    assert_eq!(undone.code, 5, "{undone:?}");
    let document = undone.json();
    assert_eq!(states(&document), [("system", "needs_root"), ("nss", "removed")]);
    assert_eq!(document["deleted"], false);
    assert!(!machine.ca().join("ca-key.pem").exists(), "nothing can be signed any more");
    machine.typed(document["stores"][0]["command"].as_str().unwrap());
    let rest = machine.output(&["untrust", "--json"]);
    assert_eq!(rest.code, 0, "{rest:?}");
    assert_eq!(states(&rest.json()), [("system", "absent")]);
    assert_eq!(machine.listing(), before);
}

#[test]
fn one_kind_of_store_is_enough_for_whoever_says_so() {
    let machine = Machine::new(Some(NOBODY));
    let trusted = machine.output(&["trust", "--json", "--store", "nss"]);
    assert_eq!(trusted.code, 0, "{trusted:?}");
    assert_eq!(states(&trusted.json()), [("nss", "installed")]);
    std::fs::remove_dir_all(machine.home().join(".pki")).unwrap();
    let none = machine.output(&["trust", "--store", "nss"]);
    assert_eq!((none.code, none.out.as_str()), (3, ""), "{none:?}");
    assert_eq!(machine.output(&["trust", "--store", "floppy"]).code, 2);
    let undone = machine.output(&["untrust"]);
    assert_eq!(undone.code, 0, "a store that has gone is no hindrance: {undone:?}");
    assert!(!machine.ca().exists());
}

#[test]
fn a_store_is_emptied_even_where_nobody_would_look_again() {
    let machine = Machine::new(None);
    assert_eq!(machine.output(&["trust"]).code, 0);
    // The database is no longer where browsers have theirs, but the record knows it by its folder.
    let moved = machine.home().join("elsewhere");
    let record = machine.ca().join("stores");
    std::fs::rename(machine.home().join(".pki/nssdb"), &moved).unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    let old = machine.home().join(".pki/nssdb");
    let text = text.replace(old.to_str().unwrap(), moved.to_str().unwrap());
    std::fs::write(&record, text).unwrap();
    let undone = machine.output(&["untrust", "--json"]).json();
    assert_eq!(states(&undone), [("system", "removed"), ("nss", "removed")]);
    let database = format!("sql:{}", moved.display());
    let listed = machine.must(machine.root("certutil", ["-L", "-d", &database]));
    assert!(!listed.out.contains("wharf"), "{listed:?}");
}

#[test]
fn a_ca_about_to_expire_is_exchanged_in_every_store() {
    let machine = Machine::new(None);
    let old = SystemTime::now() - Duration::from_secs(340 * 24 * 60 * 60);
    mode(&machine.home(), 0o700);
    Ca::create(&machine.ca(), "anna@laptop", old).unwrap();
    let pem = || std::fs::read_to_string(machine.ca().join("ca.pem")).unwrap();
    let first = pem();
    let trusted = machine.output(&["trust", "--json"]).json();
    assert_eq!(trusted["ca"]["created"], true, "25 days are left");
    assert_ne!(pem(), first);
    // As if it had been in the stores: another certificate of the same name.
    std::fs::write(machine.store.join("local/wharf-root.crt"), &first).unwrap();
    let database = machine.database();
    machine.must(machine.root("certutil", ["-D", "-n", "wharf-root", "-d", &database]));
    let file = machine.sandbox.dir().join("first.pem");
    std::fs::write(&file, &first).unwrap();
    let add = ["-A", "-n", "wharf-root", "-t", "C,,", "-d", &database, "-i"];
    machine.must(machine.root("certutil", add.iter().copied().chain([file.to_str().unwrap()])));
    let trusted = machine.output(&["trust", "--json"]).json();
    assert_eq!(states(&trusted), [("system", "installed"), ("nss", "installed")]);
    assert_eq!(trusted["ca"]["created"], false);
    assert!(bundle(&machine).contains(pem().trim()) && !bundle(&machine).contains(first.trim()));
}

#[test]
fn what_is_missing_is_told_with_the_command_that_installs_it() {
    let machine = Machine::new(None);
    let tools = machine.sandbox.dir().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/usr/bin/true", tools.join("apt-get")).unwrap();
    let mut command = machine.root("env", [format!("PATH={}", tools.display())]);
    command.args([env!("CARGO_BIN_EXE_wharf"), "trust", "--json", "--store", "nss"]);
    let refused = answer(command);
    assert_eq!(refused.code, 1, "{refused:?}");
    let line = &refused.json()["stores"][0];
    assert_eq!(line["why"], "`certutil` is not installed");
    assert_eq!(line["command"], "sudo apt-get install libnss3-tools");
    assert_eq!(line["state"], "impossible");
}

#[test]
fn root_by_sudo_is_told_that_it_is_somebody_else() {
    let machine = Machine::new(None);
    let before = machine.listing();
    for command in ["trust", "untrust"] {
        let mut command = machine.wharf(&[command]);
        command.env("SUDO_UID", "1000");
        let refused = answer(command);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{refused:?}");
        assert!(refused.err.contains("run it as yourself"), "{refused:?}");
    }
    assert_eq!(machine.listing(), before);
}

#[test]
fn of_many_at_once_one_makes_it_and_the_others_find_it() {
    let machine = Machine::new(None);
    let wharf = |args: &[&str]| {
        let mut command = machine.wharf(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let all: Vec<_> = (0..6).map(|_| wharf(&["trust", "--json", "--store", "nss"])).collect();
    let answers: Vec<_> = all.into_iter().map(|one| one.wait_with_output().unwrap()).collect();
    let made = |output: &Output| {
        assert!(output.status.success(), "{output:?}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        document["ca"]["created"] == true
    };
    assert_eq!(answers.iter().filter(|output| made(output)).count(), 1);
    assert!(Ca::load(&machine.ca(), SystemTime::now()).is_ok());
    assert_eq!(machine.output(&["untrust"]).code, 0);
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let machine = Machine::new(None);
    assert_eq!(machine.output(&["trust"]).code, 0);
    mode(&machine.ca().join("ca-key.pem"), 0o644);
    let refused = machine.output(&["trust"]);
    assert_eq!((refused.code, refused.out.as_str()), (5, ""), "{refused:?}");
    assert!(refused.err.contains("is open to others (mode 0644"), "{refused:?}");
    let undone = machine.output(&["untrust"]);
    assert_eq!(undone.code, 0, "{undone:?}");
}

#[test]
fn an_instance_finds_the_ca_in_its_environment_and_what_the_user_set_stays() {
    let machine = Machine::new(None);
    let script = "echo \"$NODE_EXTRA_CA_CERTS|$REQUESTS_CA_BUNDLE|$SSL_CERT_FILE\"";
    let run = |set: &[(&str, &str)]| {
        let mut command = machine.wharf(&["run", "--no-daemon", "--", "sh", "-c", script]);
        command.envs(set.iter().copied());
        let answer = answer(command);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.out.trim().to_owned()
    };
    assert_eq!(run(&[]), "||");
    assert_eq!(machine.output(&["trust"]).code, 0);
    let (pem, roots) = (machine.ca().join("ca.pem"), machine.ca().join("bundle.pem"));
    let (pem, roots) = (pem.display(), roots.display());
    assert_eq!(run(&[]), format!("{pem}|{roots}|{roots}"));
    let own = [("SSL_CERT_FILE", "/mine"), ("NODE_EXTRA_CA_CERTS", "")];
    assert_eq!(run(&own), format!("|{roots}|/mine"));
    let text = std::fs::read_to_string(machine.ca().join("bundle.pem")).unwrap();
    assert!(text.matches("BEGIN CERTIFICATE").count() > 1, "the system's roots are in it");
    assert_eq!(machine.output(&["untrust"]).code, 0);
    assert_eq!(run(&[]), "||");
}
