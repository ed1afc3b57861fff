//! Names that a user has given survive what the rest survives.

mod world;

use rusqlite::Connection;
use wharf_lease::{MAX_NAMES, TooManyNames, tcp_key};
use wharf_model::{Agent, Alias, PathText, PortRequest, Target, TcpName};
use world::{World, port, web};

fn alias(name: &str, target: &str) -> Alias {
    Alias {
        name: name.into(),
        target: Target::parse(target).unwrap(),
        since: 7,
        checkout: name.contains('.').then(|| PathText::from_text("/shop".into())),
    }
}

fn names(world: &World) -> Vec<String> {
    let table = world.ledger.table();
    let aliases = table.aliases().map(|alias| format!("{} {}", alias.name, alias.target));
    let tcp =
        table.tcp_names().map(|named| format!("{} {:?}", named.name, named.to.map(|p| p.get())));
    aliases.chain(tcp).collect()
}

fn furnished() -> World {
    let mut world = World::new();
    let now = world.now;
    world.ledger.put_alias(alias("db-admin", "5000"), now).unwrap();
    world.ledger.put_alias(alias("api.shop", "https://[::1]:8443"), now).unwrap();
    let db = TcpName {
        name: "db".into(),
        to: Some(port(5432)),
        since: 7,
        agent: Agent::of_text("Codex", None),
    };
    world.ledger.put_tcp_name(db, now).unwrap();
    world
        .ledger
        .put_tcp_name(TcpName { name: "shop".into(), to: None, since: 7, agent: None }, now)
        .unwrap();
    world
}

const FURNISHED: [&str; 4] =
    ["api.shop https://[::1]:8443", "db-admin http://localhost:5000", "db Some(5432)", "shop None"];

#[test]
fn names_are_there_again_after_a_crash() {
    let mut world = furnished();
    world.reopen();
    assert_eq!(names(&world), FURNISHED);
    let now = world.now;
    world.ledger.put_alias(alias("db-admin", "6000"), now).unwrap();
    assert!(world.ledger.delete_alias("api.shop", now).is_some());
    assert!(world.ledger.delete_alias("api.shop", now).is_none());
    assert!(world.ledger.delete_tcp_name("db", now).is_some());
    world.reopen();
    assert_eq!(names(&world), ["db-admin http://localhost:6000", "shop None"]);
}

#[test]
fn a_file_that_is_written_anew_holds_the_names_too() {
    let mut world = furnished();
    for name in ["wharf.db", "wharf.db-wal", "wharf.db-shm"] {
        std::fs::remove_file(world.folder.path().join(name)).unwrap();
    }
    world.ledger.check_store(world.now);
    world.reopen();
    assert_eq!(names(&world), FURNISHED);
}

#[test]
fn an_odd_row_costs_that_row_and_is_said() {
    let mut world = furnished();
    let other = Connection::open(world.folder.path().join("wharf.db")).unwrap();
    other
        .execute_batch(
            "UPDATE aliases SET target = 'http://10.0.0.1:80' WHERE name = 'api.shop';
             UPDATE tcp_names SET name = 'No Name' WHERE name = 'db';",
        )
        .unwrap();
    drop(other);
    world.reopen();
    assert_eq!(names(&world), [FURNISHED[1], FURNISHED[3]]);
    assert_eq!(world.ledger.status().warnings.len(), 1, "{:?}", world.ledger.status());
}

#[test]
fn there_is_an_end_to_names() {
    let mut world = World::new();
    let now = world.now;
    for number in 0..MAX_NAMES {
        world.ledger.put_alias(alias(&format!("a{number}"), "5000"), now).unwrap();
    }
    assert_eq!(world.ledger.put_alias(alias("more", "5000"), now), Err(TooManyNames));
    assert_eq!(world.ledger.put_alias(alias("a0", "6000"), now), Ok(()));
}

#[test]
fn the_port_of_a_name_for_tcp_is_remembered_and_takes_no_label() {
    let mut world = World::new();
    let key = tcp_key("db");
    let asked = wharf_lease::KeyRequest {
        project: key.project.clone(),
        worktree: String::new(),
        service: key.service.clone(),
        instance: Some(1),
    };
    let request = world.request(Some(asked), PortRequest::AtLeast(port(15432)), 1);
    let lease = world.ask(&request).unwrap().remove(0);
    assert_eq!((lease.port.get(), lease.key), (15432, Some(key.clone())));
    assert!(world.ledger.table().label_of(&key.project).is_none());
    world.end(1);
    world.reopen();
    let home = world.ledger.table().home_of(&key, world.now.wall_s).unwrap();
    assert_eq!(home.port.get(), 15432);
    assert_eq!(world.run(web("shop"), 15432, 2).port.get(), 15433, "it is somebody's home");
}
