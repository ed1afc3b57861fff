//! Faults of the file: none may cost a lease that is held, none may panic, none is hidden.

mod world;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use wharf_lease::{Ledger, StoreError};
use wharf_model::{Agent, PortRequest};
use world::{BOOT, World, port, process, web};

/// How many damaged files are tried; `WHARF_SEEDS` asks for more.
const SEEDS: u64 = 60;

/// A small generator, so that a failure can be repeated from its seed alone.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }
}

/// A world with something in it.
fn furnished() -> World {
    let mut world = World::new();
    for number in 1..=40 {
        world.run(web(&format!("project-with-a-name-{number}")), 8000, number);
    }
    for number in 20..=40 {
        world.end(number);
    }
    world
}

fn database(world: &World) -> PathBuf {
    world.folder.path().join("wharf.db")
}

/// The database's files as a crash would leave them: copied under the living ledger.
fn image(world: &World, folder: &Path) -> PathBuf {
    for name in ["wharf.db", "wharf.db-wal"] {
        let from = world.folder.path().join(name);
        if from.exists() {
            fs::copy(from, folder.join(name)).unwrap();
        }
    }
    folder.join("wharf.db")
}

fn ports(ledger: &Ledger) -> Vec<u16> {
    let mut ports: Vec<u16> = ledger.table().leases().map(|held| held.lease.port.get()).collect();
    ports.sort_unstable();
    ports
}

/// What any ledger must do, whatever it was opened on: grant, keep, give back.
fn works(mut ledger: Ledger, path: &Path, world: &mut World, about: &str) {
    let mut request = world.request(None, PortRequest::AtLeast(port(9500)), 4711);
    request.request_id = "does it work".into();
    let granted = ledger.request(&request, world.now, &mut world.kernel);
    let granted = granted.unwrap_or_else(|error| panic!("{about}: {error}"));
    assert!(ledger.status().writable, "{about}: {:?}", ledger.status());
    let held = ports(&ledger);
    drop(ledger);
    let again = Ledger::open(path, world.now, BOOT).unwrap();
    assert_eq!(again.status().warnings, Vec::<String>::new(), "{about}: said twice");
    assert_eq!(ports(&again), held, "{about}");
    assert!(again.table().lease_on(granted[0].port).is_some(), "{about}");
}

fn quarantined(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_aside = |path: &PathBuf| path.to_string_lossy().contains(".corrupt-");
    entries.filter(is_aside).collect()
}

#[test]
fn what_was_granted_survives_a_crash() {
    let world = furnished();
    let folder = tempfile::tempdir().unwrap();
    let path = image(&world, folder.path());
    let ledger = Ledger::open(&path, world.now, BOOT).unwrap();
    assert_eq!(ports(&ledger), ports(&world.ledger));
    assert_eq!(ledger.table().homes(world.now.wall_s).count(), 40);
    assert_eq!(ledger.status().warnings, Vec::<String>::new());
}

#[test]
fn flipped_bytes_are_survived_and_said() {
    let seeds = std::env::var("WHARF_SEEDS").ok().and_then(|text| text.parse().ok());
    let world = furnished();
    let mut damaged = 0;
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let about = format!("seed {seed}");
        let mut random = Random(seed);
        let folder = tempfile::tempdir().unwrap();
        let path = image(&world, folder.path());
        if random.next(2) == 0 {
            // Half of them after a clean end, with everything in the one file.
            Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = DELETE").unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        for _ in 0..=random.next(20) {
            let place = random.next(bytes.len());
            bytes[place] = u8::try_from(random.next(256)).unwrap();
        }
        fs::write(&path, &bytes).unwrap();
        let mut world = World::new();
        match Ledger::open(&path, world.now, BOOT) {
            Ok(ledger) => {
                let aside = quarantined(folder.path());
                let said = ledger.status().warnings;
                assert_eq!(said.is_empty(), aside.is_empty(), "{about}: {said:?} {aside:?}");
                damaged += usize::from(!said.is_empty());
                works(ledger, &path, &mut world, &about);
            }
            // The bytes of the version itself were hit.
            Err(StoreError::Newer { .. }) => {
                assert_eq!(fs::read(&path).unwrap(), bytes, "{about}: untouched");
            }
        }
    }
    assert!(damaged > 0, "not one damage was noticed");
}

#[test]
fn a_damaged_file_is_kept_as_it_was() {
    let mut world = furnished();
    let folder = tempfile::tempdir().unwrap();
    let path = image(&world, folder.path());
    Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, &bytes).unwrap();
    let mut ledger = Ledger::open(&path, world.now, BOOT).unwrap();
    let aside = quarantined(folder.path());
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(&aside[0]).unwrap(), bytes);
    let news = ledger.take_news().join("; ");
    assert!(news.contains(aside[0].to_str().unwrap()), "{news}");
    assert!(ledger.take_news().is_empty(), "said once");
    works(ledger, &path, &mut world, "half a file");
}

#[test]
fn every_truncation_is_survived() {
    let world = furnished();
    let whole = fs::metadata(database(&world)).unwrap().len();
    for length in (0..whole).step_by(509) {
        let folder = tempfile::tempdir().unwrap();
        let path = image(&world, folder.path());
        // Without its log the file is what a lost log would leave.
        let _ = fs::remove_file(folder.path().join("wharf.db-wal"));
        fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        let mut world = World::new();
        let ledger = Ledger::open(&path, world.now, BOOT).unwrap();
        works(ledger, &path, &mut world, &format!("cut at {length}"));
    }
}

#[test]
fn what_can_be_read_of_a_damaged_file_is_saved() {
    let world = furnished();
    let folder = tempfile::tempdir().unwrap();
    let path = image(&world, folder.path());
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE leases SET lease = '{' WHERE port = 8003", []).unwrap();
    drop(connection);
    let ledger = Ledger::open(&path, world.now, BOOT).unwrap();
    let mut expected = ports(&world.ledger);
    expected.retain(|port| *port != 8003);
    assert_eq!(ports(&ledger), expected);
    assert_eq!(ledger.table().homes(world.now.wall_s).count(), 40);
    assert_eq!(ledger.status().warnings.len(), 1);
    works(ledger, &path, &mut World::new(), "one bad row");
}

#[test]
fn other_things_in_its_place() {
    for (name, content) in
        [("empty", &b""[..]), ("text", b"not a database, but long enough to look")]
    {
        let mut world = World::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wharf.db");
        fs::write(&path, content).unwrap();
        let ledger = Ledger::open(&path, world.now, BOOT).unwrap();
        works(ledger, &path, &mut world, name);
        assert_eq!(quarantined(folder.path()).is_empty(), content.is_empty(), "{name}");
    }
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    let world = furnished();
    let folder = tempfile::tempdir().unwrap();
    let path = image(&world, folder.path());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Ledger::open(&path, world.now, BOOT).err().expect("it is newer");
    assert!(error.to_string().ends_with("has schema version 99, this wharf knows 5"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(quarantined(folder.path()).is_empty());
}

#[test]
fn without_a_disk_leases_live_in_memory_and_reach_it_later() {
    let mut world = World::new();
    let folder = world.folder.path().join("later");
    let path = folder.join("wharf.db");
    let mut ledger = Ledger::open(&path, world.now, BOOT).unwrap();
    assert!(!ledger.status().writable);
    assert_eq!(ledger.take_news().len(), 1);
    let mut granted = Vec::new();
    for pid in 1..=20 {
        let request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), pid);
        granted.push(ledger.request(&request, world.now, &mut world.kernel).unwrap()[0].port.get());
    }
    assert_eq!(granted, (8000..8020).collect::<Vec<u16>>());
    world.now.boot_ms += 10_000;
    ledger.check_store(world.now);
    assert_eq!(ledger.take_news(), Vec::<String>::new(), "the same failure is said once");
    fs::create_dir(&folder).unwrap();
    world.now.boot_ms += 10_000;
    ledger.check_store(world.now);
    assert!(ledger.status().writable, "{:?}", ledger.status());
    assert_eq!(ledger.take_news().len(), 1, "and so is the recovery");
    drop(ledger);
    assert_eq!(ports(&Ledger::open(&path, world.now, BOOT).unwrap()), granted);
}

#[test]
fn a_file_that_is_deleted_under_the_ledger_is_written_again() {
    let mut world = furnished();
    let expected = ports(&world.ledger);
    for name in ["wharf.db", "wharf.db-wal", "wharf.db-shm"] {
        fs::remove_file(world.folder.path().join(name)).unwrap();
    }
    world.ledger.check_store(world.now);
    assert!(world.ledger.status().writable, "{:?}", world.ledger.status());
    let news = world.ledger.take_news().join("; ");
    assert!(news.contains("deleted or replaced"), "{news}");
    world.reopen();
    assert_eq!(ports(&world.ledger), expected);
}

#[test]
fn a_file_that_is_damaged_under_the_ledger_is_put_aside_and_written_again() {
    let mut world = furnished();
    // Another program that has no business here.
    let connection = Connection::open(database(&world)).unwrap();
    connection.execute_batch("DROP TABLE leases").unwrap();
    drop(connection);
    let lease = world.run(web("after"), 8000, 99);
    assert!(world.ledger.status().writable, "{:?}", world.ledger.status());
    assert_eq!(
        quarantined(world.folder.path())
            .iter()
            .filter(|path| !path.to_string_lossy().ends_with("-wal")
                && !path.to_string_lossy().ends_with("-shm"))
            .count(),
        1
    );
    let expected = ports(&world.ledger);
    assert!(expected.contains(&lease.port.get()));
    world.reopen();
    assert_eq!(ports(&world.ledger), expected);
}

#[test]
fn a_file_that_another_program_locks_costs_no_lease() {
    let mut world = furnished();
    let other = Connection::open(database(&world)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let lease = world.run(web("meanwhile"), 8000, 99);
    assert!(!world.ledger.status().writable);
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    world.now.boot_ms += 2_000;
    world.ledger.check_store(world.now);
    assert!(world.ledger.status().writable, "{:?}", world.ledger.status());
    world.reopen();
    assert!(world.ledger.table().lease_on(lease.port).is_some());
}

#[test]
fn a_row_that_disagrees_with_the_table_is_mended() {
    let mut world = furnished();
    let other = Connection::open(database(&world)).unwrap();
    other.execute("UPDATE leases SET port = 8039 WHERE port = 8003", []).unwrap();
    drop(other);
    // 8039 is free by the table, and taken by the file.
    let request = world.request(None, PortRequest::Exactly(port(8039)), 99);
    assert!(world.ask(&request).is_ok());
    assert!(world.ledger.status().writable, "{:?}", world.ledger.status());
    let expected = ports(&world.ledger);
    world.reopen();
    assert_eq!(ports(&world.ledger), expected);
}

#[test]
fn after_a_reboot_timed_leases_go_on_for_what_remains() {
    let mut world = World::new();
    let mut timed = world.request(None, PortRequest::AtLeast(port(9000)), 0);
    timed.owner = wharf_model::LeaseKind::Ttl(3600);
    world.ask(&timed).unwrap();
    let path = database(&world);
    let wall_s = world.now.wall_s + 600;
    world.reopen();
    drop(std::mem::replace(
        &mut world.ledger,
        Ledger::open(Path::new("/nonexistent/x"), world.now, BOOT).unwrap(),
    ));
    let booted = wharf_lease::Moment { wall_s, boot_ms: 5_000 };
    let mut ledger = Ledger::open(&path, booted, "boot-2").unwrap();
    let at = |seconds: u64| wharf_lease::Moment { wall_s, boot_ms: 5_000 + seconds * 1000 };
    assert!(ledger.expire(at(2_999)).is_empty());
    assert_eq!(ledger.expire(at(3_000)).len(), 1);
}

#[test]
fn numbers_of_leases_are_never_used_again() {
    let mut world = World::new();
    let first = world.run(web("shop"), 8000, 1).id;
    world.ledger.owner_gone(&process(1), world.now);
    world.reopen();
    assert!(world.run(web("shop"), 8000, 2).id > first);
}

#[test]
fn the_agent_of_a_lease_is_kept_and_older_leases_have_none() {
    let mut world = World::new();
    let agent = Agent::new("Claude Code".into(), Some("4721".into())).unwrap();
    let mut request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 1);
    request.agent = Some(agent.clone());
    let lease = world.ask(&request).unwrap().remove(0);
    assert_eq!(lease.agent.as_ref(), Some(&agent));
    world.reopen();
    let kept = |world: &World| world.ledger.table().leases().next().unwrap().lease.clone();
    assert_eq!(kept(&world), lease);
    // As a program wrote it that knew nothing of agents.
    let connection = Connection::open(database(&world)).unwrap();
    let removed = "UPDATE leases SET lease = json_remove(lease, '$.agent')";
    assert_eq!(connection.execute(removed, []).unwrap(), 1);
    drop(connection);
    world.reopen();
    assert_eq!(kept(&world), wharf_model::Lease { agent: None, ..lease });
}
