//! The socket, the locks and the folders: what may lie there, and what is never followed.

mod harness;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{DEADLINE, Home, block_on, eventually, lease, request, root_with};
use wharf_control::{Client, Environment, Paths};
use wharf_model::LeaseKind;

#[test]
fn as_a_daemon() {
    harness::be_daemon_if_asked();
}

fn mode(path: &std::path::Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn everything_is_private() {
    let home = Home::new();
    let _daemon = home.start();
    lease(&home, &request("a", None, LeaseKind::Ttl(60)));
    for folder in [&home.paths.runtime_dir, &home.paths.state_dir, &home.paths.logs] {
        assert_eq!(mode(folder), 0o700, "{folder:?}");
    }
    for file in [
        &home.paths.socket,
        &home.paths.lock,
        &home.paths.database,
        &home.paths.database_lock,
        &home.paths.logs.join("daemon.log"),
        &home.paths.database.with_extension("db-wal"),
    ] {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
}

#[test]
fn a_stale_socket_and_a_stale_lock_are_no_obstacle() {
    let home = Home::new();
    home.start().kill();
    assert!(home.paths.socket.exists() && home.paths.lock.exists());
    let _daemon = home.start();
}

#[test]
fn what_is_not_a_socket_is_neither_followed_nor_removed() {
    let home = Home::new();
    home.start().kill();
    let socket = &home.paths.socket;
    let clear = || {
        let _ = fs::remove_file(socket);
        let _ = fs::remove_dir(socket);
    };
    clear();
    fs::create_dir(socket).unwrap();
    assert!(home.refusal().ends_with("control.sock is a folder, not a socket"));
    clear();
    fs::write(socket, "precious").unwrap();
    assert!(home.refusal().ends_with("control.sock is a file, not a socket"));
    assert_eq!(fs::read_to_string(socket).unwrap(), "precious");
    clear();
    // Even to a socket.
    let elsewhere = home.folder.path().join("elsewhere.sock");
    let _listener = UnixListener::bind(&elsewhere).unwrap();
    symlink(&elsewhere, socket).unwrap();
    assert!(home.refusal().ends_with("control.sock is a symbolic link, not a socket"));
    assert!(elsewhere.exists());
    clear();
    let _daemon = home.start();
}

#[test]
fn unsafe_folders_are_refused() {
    let home = Home::new();
    let runtime = &home.paths.runtime_dir;
    let elsewhere = home.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(runtime.parent().unwrap()).unwrap();
    symlink(&elsewhere, runtime).unwrap();
    assert!(home.refusal().contains("is a symbolic link"), "{}", home.refusal());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(runtime).unwrap();
    fs::create_dir(runtime).unwrap();
    fs::set_permissions(runtime, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(home.refusal().contains("is open to others"), "{}", home.refusal());
    fs::set_permissions(runtime, fs::Permissions::from_mode(0o700)).unwrap();
    if wharf_os::user::current_uid() == 0 {
        std::os::unix::fs::chown(runtime, Some(65534), None).unwrap();
        assert!(home.refusal().contains("belongs to uid 65534"), "{}", home.refusal());
        std::os::unix::fs::chown(runtime, Some(0), None).unwrap();
    }
    let _daemon = home.start();
}

#[test]
fn there_is_one_daemon() {
    let home = Home::new();
    let daemon = home.start();
    assert!(home.refusal().starts_with("a daemon already runs, on "));
    // Another runtime folder, the same database: the answer names the first one's socket.
    let other = Home::new();
    symlink(home.folder.path().join("state"), other.folder.path().join("state")).unwrap();
    let said = other.refusal();
    assert!(said.ends_with(&format!("on {}", home.paths.socket.display())), "{said}");
    drop(daemon);
}

#[test]
fn many_at_once_become_one() {
    let home = Home::new();
    let mut all: Vec<_> = (0..16).map(|_| home.command().spawn().unwrap()).collect();
    eventually("one answers", || block_on(home.client().status()).is_ok());
    let daemon = block_on(home.client().status()).unwrap().pid;
    let deadline = Instant::now() + DEADLINE;
    eventually("the others have given up", || {
        assert!(Instant::now() < deadline);
        let waits = all.iter_mut().map(|child| child.try_wait().unwrap());
        waits.filter(Option::is_none).count() == 1
    });
    assert_eq!(block_on(home.client().status()).unwrap().pid, daemon);
    for child in &mut all {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn a_runtime_folder_that_is_cleaned_up_does_not_cut_it_off() {
    let home = Home::new();
    let daemon = home.start();
    let held = lease(&home, &request("a", None, LeaseKind::Ttl(600)));
    let begun = Instant::now();
    fs::remove_dir_all(&home.paths.runtime_dir).unwrap();
    // In the meantime nobody else becomes the daemon: the database is guarded as well.
    assert!(home.refusal().starts_with("a daemon already runs"));
    eventually("it is back", || block_on(home.client().status()).is_ok());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(block_on(home.client().status()).unwrap().pid, daemon.pid());
    assert_eq!(home.snapshot().leases, [held]);
    assert_eq!((mode(&home.paths.runtime_dir), mode(&home.paths.socket)), (0o700, 0o600));
    // And the lock is its own again.
    assert!(home.refusal().starts_with("a daemon already runs"));
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let home = Home::new();
    let mut daemon = home.start();
    daemon.signal("-TERM");
    daemon.wait();
    let mut bytes = fs::read(&home.paths.database).unwrap();
    bytes[60..64].copy_from_slice(&77u32.to_be_bytes());
    fs::write(&home.paths.database, &bytes).unwrap();
    assert!(home.refusal().ends_with("has schema version 77, this wharf knows 5"));
    assert_eq!(fs::read(&home.paths.database).unwrap(), bytes);
}

#[test]
fn a_damaged_database_is_put_aside_and_said_everywhere() {
    let home = Home::new();
    let mut daemon = home.start();
    daemon.signal("-TERM");
    daemon.wait();
    fs::write(&home.paths.database, "this is no database at all, not even a small one").unwrap();
    let _daemon = home.start();
    let warnings = block_on(home.client().status()).unwrap().store.warnings;
    assert!(warnings[0].contains("was damaged") && warnings[0].contains("wharf.db.corrupt-"));
    let asked = request("a", None, LeaseKind::Ttl(60));
    assert_eq!(block_on(home.client().lease(&asked)).unwrap().warnings, warnings);
    assert!(home.log().contains("was damaged"));
}

#[test]
fn another_user_gets_nothing() {
    if !root_with("setpriv") {
        return;
    }
    let home = Home::new();
    let _daemon = home.start();
    // As if somebody had opened the folders: the daemon itself looks who comes.
    for path in [
        home.folder.path(),
        &home.folder.path().join("run"),
        &home.paths.runtime_dir,
        &home.paths.socket,
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_stranger", "--nocapture"])
        .env("WHARF_TEST_STRANGER", &home.paths.socket)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("this daemon is another user's"), "{said}");
}

#[test]
fn as_a_stranger() {
    let Some(socket) = std::env::var_os("WHARF_TEST_STRANGER") else { return };
    match block_on(Client::new(socket).status()) {
        Ok(_) => eprintln!("the daemon answered"),
        Err(error) => eprintln!("{error}"),
    }
}

#[test]
fn two_users_have_folders_of_their_own() {
    let of = |home: &str| {
        let environment = Environment { home: Some(home.into()), ..Environment::default() };
        Paths::new(&environment).unwrap()
    };
    assert_ne!(of("/home/anna").socket, of("/home/ben").socket);
    assert_ne!(of("/home/anna").database, of("/home/ben").database);
}
