//! Which project has which host label.

mod world;

use std::path::Path;

use wharf_lease::KeyRequest;
use wharf_model::{Instance, PathText, Remap, ServiceKey, State};
use world::{World, process, web, worktree};

fn label(world: &World, project: &str) -> Option<String> {
    let project = PathText::from_text(format!("/src/{project}"));
    world.ledger.table().label_of(&project).map(|label| label.text.clone())
}

/// Runs it, ends it, and says under which label it ran.
fn named(world: &mut World, key: KeyRequest, pid: u32) -> String {
    let project = key.project.clone();
    world.run(key, 8000, pid);
    world.end(pid);
    world.ledger.table().label_of(&project).unwrap().text.clone()
}

#[test]
fn the_first_project_keeps_its_name_and_the_next_gets_a_hash() {
    let mut world = World::new();
    assert_eq!(named(&mut world, web("a/shop"), 1), "shop");
    let second = named(&mut world, web("b/shop"), 2);
    assert!(second.starts_with("shop-") && second.len() == 9, "{second}");
    let third = named(&mut world, web("c/Shop"), 3);
    assert!(third.starts_with("shop-") && third != second, "{third}");
    // A linked worktree is its main checkout's project.
    assert_eq!(named(&mut world, worktree("b/shop", "fix"), 4), second);
    world.reopen();
    assert_eq!(named(&mut world, web("b/shop"), 5), second, "after a restart");
    assert_eq!(named(&mut world, web("a/shop"), 6), "shop");
}

#[test]
fn a_label_is_kept_as_long_as_a_home() {
    let mut world = World::new();
    named(&mut world, web("a/shop"), 1);
    world.days(20);
    assert_ne!(named(&mut world, web("b/shop"), 2), "shop");
    named(&mut world, web("a/shop"), 3);
    world.days(20);
    assert_ne!(named(&mut world, web("c/shop"), 4), "shop", "used 20 days ago");
    world.days(11);
    assert_eq!(named(&mut world, web("d/shop"), 5), "shop", "unused for 31 days");
    assert_eq!(label(&world, "a/shop"), None);
    let back = named(&mut world, web("a/shop"), 6);
    assert!(back.starts_with("shop-"), "{back}");
}

#[test]
fn what_runs_for_months_keeps_its_label() {
    let mut world = World::new();
    world.run(web("a/shop"), 8000, 1);
    world.days(90);
    assert_ne!(named(&mut world, web("b/shop"), 2), "shop");
    world.end(1);
    world.days(20);
    assert_ne!(named(&mut world, web("c/shop"), 3), "shop", "it ended 20 days ago");
}

#[test]
fn a_pilot_tells_its_label_to_a_daemon_that_lost_it() {
    let mut world = World::new();
    let instance = running("b/shop", "http://shop-3f2a.localhost:8001");
    world.ledger.put_instance(instance, world.now);
    assert_eq!(label(&world, "b/shop").as_deref(), Some("shop-3f2a"));
    let plain = running("c/shop", "http://127.0.0.1:8002");
    world.ledger.put_instance(plain, world.now);
    assert_eq!(label(&world, "c/shop"), None, "its URL names nobody");
}

fn running(project: &str, url: &str) -> Instance {
    Instance {
        id: project.replace('/', "-"),
        key: ServiceKey {
            project: PathText::from_text(format!("/src/{project}")),
            worktree: String::new(),
            service: "web".into(),
            instance: 1,
        },
        root: PathText::new(Path::new("/src")),
        framework: None,
        state: State::Ready,
        port: 8001,
        requested_port: 8000,
        listeners: Vec::new(),
        remap: Remap::Cooperative,
        remapped: Vec::new(),
        held: false,
        access: wharf_model::Access::default(),
        definition: None,
        last_lines: Vec::new(),
        revive: false,
        restarts: 0,
        url: url.into(),
        direct_url: "http://127.0.0.1:8001".into(),
        pid: None,
        pilot_pid: 7,
        pilot: process(7),
        started_at: 0,
        ready_ms: None,
        exit_code: None,
        command: Vec::new(),
        agent: None,
    }
}
