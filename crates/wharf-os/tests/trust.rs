//! A real database of NSS, made and read by certutil itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_os::trust::{Anchor, Kind, Places, Presence, Store, StoreError};

struct Home {
    dir: tempfile::TempDir,
    store: Store,
}

fn certutil(args: &[&str]) -> String {
    let output = Command::new("certutil").args(args).env("LC_ALL", "C").output();
    let output = output.expect("certutil is there: `script/parts system` installs it");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{args:?}: {text}");
    text
}

/// A home with a database, and a certificate beside.
fn home(password: &str) -> Home {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join(".pki/nssdb");
    std::fs::create_dir_all(&place).unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, password).unwrap();
    let database = format!("sql:{}", place.display());
    match password {
        "" => certutil(&["-N", "-d", &database, "--empty-password"]),
        _ => certutil(&["-N", "-d", &database, "-f", file.to_str().unwrap()]),
    };
    Home { dir, store: Store { kind: Kind::Nss, place } }
}

impl Home {
    fn places(&self) -> Places {
        let folders = ["/usr/bin", "/bin"].map(PathBuf::from);
        Places::new(self.dir.path(), Some(self.dir.path().into()), folders, false)
    }

    /// A certificate of this name, signed by itself.
    fn anchor(&self, file: &str) -> Anchor {
        let file = self.dir.path().join(file);
        let key = file.with_extension("key");
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-subj", "/O=test/CN=test"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&file)
            .output();
        assert!(output.expect("openssl is there").status.success());
        Anchor { name: "local-anna".into(), file }
    }

    fn listed(&self) -> String {
        certutil(&["-L", "-d", &format!("sql:{}", self.store.place.display())])
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_certificate_goes_in_once_and_out_without_a_trace() {
    let home = home("");
    let (places, store, anchor) = (home.places(), &home.store, home.anchor("a.pem"));
    assert_eq!(places.stores(), std::slice::from_ref(store));
    let (empty, before) = (home.listed(), files(&store.place));
    places.remove(store, &anchor).unwrap();
    assert_eq!(places.presence(store, &anchor).unwrap(), Presence::Absent);
    places.install(store, &anchor).unwrap();
    places.install(store, &anchor).unwrap();
    assert_eq!(places.presence(store, &anchor).unwrap(), Presence::Whole);
    assert_eq!(home.listed().matches("local-anna").count(), 1, "{}", home.listed());
    assert!(home.listed().contains("C,,"), "for servers alone");
    places.remove(store, &anchor).unwrap();
    assert_eq!(home.listed(), empty);
    assert_eq!(files(&store.place), before);
}

#[test]
fn an_older_certificate_of_the_name_is_exchanged() {
    let home = home("");
    let (places, store) = (home.places(), &home.store);
    let (old, new) = (home.anchor("old.pem"), home.anchor("new.pem"));
    places.install(store, &old).unwrap();
    assert_eq!(places.presence(store, &new).unwrap(), Presence::Part);
    places.install(store, &new).unwrap();
    assert_eq!(places.presence(store, &new).unwrap(), Presence::Whole);
    assert_eq!(places.presence(store, &old).unwrap(), Presence::Part);
    assert_eq!(home.listed().matches("local-anna").count(), 1);
    // Two of one name, as two programs could have left them, go together; the file may be gone.
    let database = format!("sql:{}", store.place.display());
    certutil(&[
        "-A",
        "-d",
        &database,
        "-n",
        "local-anna",
        "-t",
        ",,",
        "-i",
        old.file.to_str().unwrap(),
    ]);
    std::fs::remove_file(&new.file).unwrap();
    places.remove(store, &new).unwrap();
    assert_eq!(places.presence(store, &new).unwrap(), Presence::Absent);
}

#[test]
fn trust_that_was_taken_away_is_given_again() {
    let home = home("");
    let (places, store, anchor) = (home.places(), &home.store, home.anchor("a.pem"));
    places.install(store, &anchor).unwrap();
    let database = format!("sql:{}", store.place.display());
    certutil(&["-M", "-d", &database, "-n", "local-anna", "-t", ",,"]);
    assert_eq!(places.presence(store, &anchor).unwrap(), Presence::Part);
    places.install(store, &anchor).unwrap();
    assert_eq!(places.presence(store, &anchor).unwrap(), Presence::Whole);
}

#[test]
fn a_database_with_a_password_is_told_and_nobody_is_asked() {
    let home = home("secret-password");
    let (places, store, anchor) = (home.places(), &home.store, home.anchor("a.pem"));
    let before = home.listed();
    let refused = places.install(store, &anchor).unwrap_err();
    assert!(matches!(refused, StoreError::Tool { .. }), "{refused}");
    assert_eq!(home.listed(), before, "nor is anything left");
}

#[test]
fn a_damaged_database_is_told() {
    let home = home("");
    let anchor = home.anchor("a.pem");
    std::fs::write(home.store.place.join("cert9.db"), "no database at all, but some text").unwrap();
    let refused = home.places().presence(&home.store, &anchor);
    assert!(matches!(refused, Err(StoreError::Tool { .. })), "{refused:?}");
}
