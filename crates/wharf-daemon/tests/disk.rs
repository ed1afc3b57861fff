//! Disks that are full, or that cannot be written at all.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Daemon, Home, block_on, eventually, lease, request, root_with};
use wharf_control::api::StoreReport;
use wharf_lease::{Ledger, Moment};
use wharf_model::LeaseKind;

#[test]
fn as_a_daemon() {
    harness::be_daemon_if_asked();
}

/// A daemon in a mount namespace of its own, after these shell commands; `$S` is the state folder.
fn start_in_namespace(home: &Home, commands: &str) -> Daemon {
    let state = home.folder.path().join("state");
    fs::create_dir_all(&state).unwrap();
    let script = format!("S='{}'; {commands}; exec \"$@\"", state.display());
    let arguments = ["--mount", "--propagation", "private", "sh", "-ec", &script, "sh"];
    home.start_as(home.command_behind("unshare", &arguments))
}

/// The state folder as the daemon sees it.
fn seen(daemon: &Daemon, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", daemon.pid(), path.display()))
}

fn store(home: &Home) -> StoreReport {
    block_on(home.client().status()).unwrap().store
}

#[test]
fn a_full_disk_costs_no_lease_and_is_recovered_from() {
    if !root_with("unshare") {
        return;
    }
    let home = Home::new();
    let daemon = start_in_namespace(&home, "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$S\"");
    let state = seen(&daemon, &home.paths.state_dir);
    let mut ports = vec![lease(&home, &request("before", None, LeaseKind::Ttl(600))).port];
    assert!(store(&home).writable);
    let filler = state.join("filler");
    let _ = fs::write(&filler, vec![0u8; 2 * 1024 * 1024]);
    // The log of the database has some room of its own; then it is full.
    for number in 0..500 {
        ports.push(lease(&home, &request(&format!("r{number}"), None, LeaseKind::Ttl(600))).port);
    }
    let report = store(&home);
    assert!(!report.writable);
    assert!(report.warnings[0].contains("leases are held in memory only"), "{report:?}");
    let told = block_on(home.client().lease(&request("told", None, LeaseKind::Ttl(600)))).unwrap();
    assert_eq!(told.warnings, report.warnings, "whoever leases is told");
    ports.push(told.leases[0].port);
    ports.sort_unstable();
    let distinct = ports.len();
    ports.dedup();
    assert_eq!(ports.len(), distinct);
    fs::remove_file(&filler).unwrap();
    eventually("it writes again", || store(&home).writable);
    assert!(store(&home).warnings.is_empty());
    // What is on the disk now is everything.
    let copy = tempfile::tempdir().unwrap();
    for name in ["wharf.db", "wharf.db-wal"] {
        fs::copy(state.join(name), copy.path().join(name)).unwrap();
    }
    let now = Moment { wall_s: 0, boot_ms: 0 };
    let boot_id = wharf_os::process::boot_id();
    let ledger = Ledger::open(&copy.path().join("wharf.db"), now, &boot_id).unwrap();
    assert_eq!(ledger.status().warnings, Vec::<String>::new());
    let mut written: Vec<_> = ledger.table().leases().map(|held| held.lease.port).collect();
    written.sort_unstable();
    assert_eq!(written, ports);
}

#[test]
fn on_a_read_only_disk_it_serves_from_memory_and_knows_what_is_written_there() {
    if !root_with("unshare") {
        return;
    }
    let home = Home::new();
    let mut daemon = home.start();
    let known = lease(&home, &request("before", None, LeaseKind::Ttl(600)));
    daemon.signal("-TERM");
    daemon.wait();
    let commands = "mount --bind \"$S\" \"$S\"; mount -o remount,ro,bind \"$S\"";
    let daemon = start_in_namespace(&home, commands);
    assert!(!store(&home).writable);
    assert_eq!(home.snapshot().leases, std::slice::from_ref(&known));
    let new = lease(&home, &request("new", None, LeaseKind::Ttl(600)));
    assert_ne!(new.port, known.port);
    assert_eq!(lease(&home, &request("new", None, LeaseKind::Ttl(600))), new);
    let writable = std::process::Command::new("nsenter")
        .args(["--target", &daemon.pid().to_string(), "--mount", "mount", "-o", "remount,rw,bind"])
        .arg(home.folder.path().join("state"))
        .status();
    if writable.is_ok_and(|status| status.success()) {
        eventually("it writes", || store(&home).writable);
    }
}

#[test]
fn an_empty_read_only_home_is_survived() {
    if !root_with("unshare") {
        return;
    }
    let home = Home::new();
    let commands = "mount --bind \"$S\" \"$S\"; mount -o remount,ro,bind \"$S\"";
    let _daemon = start_in_namespace(&home, commands);
    assert!(!store(&home).writable);
    lease(&home, &request("a", None, LeaseKind::Ttl(600)));
}
