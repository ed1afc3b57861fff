//! Beginnings and ends: of owners, of the daemon, and of what it keeps across both.

mod harness;

use std::time::{Duration, Instant};

use harness::{
    Home, QUIET, Sleeper, block_on, eventually, instance, key, lease, own_process, request,
};
use wharf_control::api::{ReleaseRequest, Released};
use wharf_model::{LeaseKind, State};

#[test]
fn as_a_daemon() {
    harness::be_daemon_if_asked();
}

#[test]
fn a_lease_ends_with_its_owner() {
    let home = Home::new();
    let _daemon = home.start();
    let sleeper = Sleeper::new();
    let owner = LeaseKind::Process(sleeper.process());
    let held = lease(&home, &request("a", Some(key("web")), owner));
    let shown = instance("i-1", held.port.get(), sleeper.process(), State::Ready);
    block_on(home.client().put_instance(&shown)).unwrap();
    let kept = lease(&home, &request("b", None, LeaseKind::Process(own_process())));
    let begun = Instant::now();
    sleeper.kill();
    eventually("the lease is released", || home.snapshot().leases == [kept.clone()]);
    assert!(begun.elapsed() < Duration::from_secs(2), "by an event, not by a poll");
    let snapshot = home.snapshot();
    assert_eq!(snapshot.instances[0].state, State::Exited, "how it ended is still known");
    assert_eq!(snapshot.homes.len(), 1);
    // A report that was under way when the pilot died does not revive it.
    block_on(home.client().put_instance(&shown)).unwrap();
    assert_eq!(home.snapshot().instances[0].state, State::Exited);
}

#[test]
fn the_next_daemon_keeps_what_lives_and_drops_what_does_not() {
    let home = Home::new();
    let daemon = home.start();
    let (doomed, survivor) = (Sleeper::new(), Sleeper::new());
    let of = |sleeper: &Sleeper| LeaseKind::Process(sleeper.process());
    let lost = lease(&home, &request("a", Some(key("web")), of(&doomed)));
    let kept = lease(&home, &request("b", Some(key("web")), of(&survivor)));
    let timed = lease(&home, &request("c", None, LeaseKind::Ttl(600)));
    for (id, held, sleeper) in [("i-1", &lost, &doomed), ("i-2", &kept, &survivor)] {
        let mut shown = instance(id, held.port.get(), sleeper.process(), State::Ready);
        shown.key = held.key.clone().unwrap();
        block_on(home.client().put_instance(&shown)).unwrap();
    }
    daemon.kill();
    doomed.kill();
    let _daemon = home.start();
    let snapshot = home.snapshot();
    assert_eq!(snapshot.leases, [kept.clone(), timed]);
    let states: Vec<State> = snapshot.instances.iter().map(|instance| instance.state).collect();
    assert_eq!(states, [State::Exited, State::Ready]);
    assert_eq!(lease(&home, &request("b", Some(key("web")), of(&survivor))), kept);
    survivor.kill();
    eventually("the new daemon watches the old owner", || home.snapshot().leases.len() == 1);
}

#[test]
fn an_instance_whose_lease_was_lost_with_the_database_gets_it_back() {
    let home = Home::new();
    let daemon = home.start();
    let sleeper = Sleeper::new();
    let held = lease(&home, &request("a", Some(key("web")), LeaseKind::Process(sleeper.process())));
    daemon.kill();
    std::fs::remove_dir_all(&home.paths.state_dir).unwrap();
    let _daemon = home.start();
    assert!(home.snapshot().leases.is_empty());
    let shown = instance("i-1", held.port.get(), sleeper.process(), State::Ready);
    block_on(home.client().put_instance(&shown)).unwrap();
    let leases = home.snapshot().leases;
    assert_eq!((leases.len(), leases[0].port, &leases[0].key), (1, held.port, &held.key));
    sleeper.kill();
    eventually("it ends as the first one would have", || home.snapshot().leases.is_empty());
}

#[test]
fn it_ends_when_nobody_needs_it_and_not_before() {
    let home = Home::new();
    let mut daemon = home.start_idle_after(Duration::from_millis(1));
    let held = lease(&home, &request("a", None, LeaseKind::Ttl(600)));
    // Longer than two of its looks around.
    let until = Instant::now() + Duration::from_secs(5);
    eventually("time passes", || {
        assert_eq!(block_on(home.client().status()).unwrap().leases, 1);
        Instant::now() > until
    });
    let release = Released::Ports(vec![held.port]);
    block_on(home.client().release(&ReleaseRequest { release, by: None })).unwrap();
    assert_eq!(daemon.wait(), Some(0));
    assert!(home.log().contains("ends: idle"), "{}", home.log());
    assert!(!home.paths.socket.exists());
}

#[test]
fn signals_end_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let home = Home::new();
        let mut daemon = home.start();
        let held = lease(&home, &request("a", None, LeaseKind::Ttl(600)));
        daemon.signal(signal);
        assert_eq!(daemon.wait(), Some(0), "{signal}");
        assert!(!home.paths.socket.exists(), "{signal}");
        let log = home.paths.database.with_extension("db-wal");
        assert!(!log.exists(), "{signal}: the database was closed");
        let _daemon = home.start();
        assert_eq!(home.snapshot().leases, [held]);
    }
}

#[test]
fn a_stop_answers_first_and_the_next_daemon_may_come_at_once() {
    let home = Home::new();
    let mut daemon = home.start();
    let held = lease(&home, &request("a", None, LeaseKind::Ttl(600)));
    // A reader that does not end by itself must not hold it up.
    block_on(async {
        let mut events = home.client().events().await.unwrap();
        events.next().await.unwrap();
        assert_eq!(home.client().stop().await.unwrap().pid, daemon.pid());
        let begun = Instant::now();
        while events.next().await.unwrap().is_some() {}
        assert!(begun.elapsed() < Duration::from_secs(1));
    });
    let _next = home.start();
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(home.snapshot().leases, [held]);
}

#[test]
fn many_descriptors_are_not_needed_to_stay_alive() {
    let home = Home::new();
    // Hard and soft, so that it cannot be raised: less than the clients that come.
    let limited = home.command_behind("sh", &["-c", "ulimit -n 48; exec \"$@\"", "sh"]);
    let _daemon = home.start_as(limited);
    let sleepers: Vec<Sleeper> = (0..60).map(|_| Sleeper::new()).collect();
    for (number, sleeper) in sleepers.iter().enumerate() {
        let owner = LeaseKind::Process(sleeper.process());
        // Some owners cannot be watched, and are asked instead.
        let client = home.client();
        let asked = request(&format!("r{number}"), None, owner);
        eventually("the lease is granted", || block_on(client.lease(&asked)).is_ok());
    }
    let crowd: Vec<_> = (0..200)
        .map(|_| std::os::unix::net::UnixStream::connect(&home.paths.socket).unwrap())
        .collect();
    drop(crowd);
    eventually("it answers again", || block_on(home.client().status()).is_ok());
    assert_eq!(home.snapshot().leases.len(), 60);
    for sleeper in sleepers {
        sleeper.kill();
    }
    eventually("all are released, watched or asked", || {
        block_on(home.client().snapshot()).is_ok_and(|snapshot| snapshot.leases.is_empty())
    });
}

#[test]
fn the_ports_of_a_service_are_remembered_by_the_next_daemon() {
    let home = Home::new();
    let daemon = home.start();
    let sleeper = Sleeper::new();
    let first =
        lease(&home, &request("a", Some(key("web")), LeaseKind::Process(sleeper.process())));
    assert!(first.port.get() >= QUIET);
    sleeper.kill();
    eventually("it is released", || home.snapshot().leases.is_empty());
    daemon.kill();
    let _daemon = home.start();
    let other = lease(&home, &request("b", Some(key("api")), LeaseKind::Ttl(60)));
    assert_ne!(other.port, first.port, "it is somebody's home");
    let again = lease(&home, &request("c", Some(key("web")), LeaseKind::Ttl(60)));
    assert_eq!(again.port, first.port);
}
