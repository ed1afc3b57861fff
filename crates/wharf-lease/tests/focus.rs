//! Ports that lead to the checkout of the user's choice, as the ledger keeps them.

mod world;

use wharf_lease::{KeyRequest, MAX_FOCUSES, Selection, TooManyFocuses};
use wharf_model::{Agent, Focus, PortRequest, Why, focus};
use world::{World, port, process, web};

/// Leads a port to a worktree, and has this process lease it, as the daemon does.
fn focused(world: &mut World, number: u16, worktree: &str, pid: u32) {
    let mut key = focus::lease_key(port(1));
    key.project = wharf_model::PathText::from_text("/src/shop".into());
    key.worktree = worktree.into();
    key.service = "web".into();
    let focus = Focus {
        port: port(number),
        key,
        tcp: false,
        since: 7,
        agent: Agent::of_text("Codex", Some("7")),
    };
    world.ledger.put_focus(focus, world.now).unwrap();
    let key = focus::lease_key(port(number));
    let key = KeyRequest {
        project: key.project,
        worktree: key.worktree,
        service: key.service,
        instance: Some(1),
    };
    let request = world.request(Some(key), PortRequest::Exactly(port(number)), pid);
    world.ask(&request).unwrap();
}

fn known(world: &World) -> Vec<String> {
    let focuses = world.ledger.table().focuses();
    focuses.map(|focus| format!("{} {}", focus.port, focus.key)).collect()
}

#[test]
fn a_focus_is_there_again_after_a_crash_and_in_a_file_that_is_written_anew() {
    let mut world = World::new();
    focused(&mut world, 3000, "one", 5);
    world.reopen();
    assert_eq!(known(&world), ["3000 web of shop (worktree one)"]);
    for name in ["wharf.db", "wharf.db-wal", "wharf.db-shm"] {
        std::fs::remove_file(world.folder.path().join(name)).unwrap();
    }
    world.ledger.check_store(world.now);
    world.reopen();
    assert_eq!(known(&world), ["3000 web of shop (worktree one)"]);
    assert!(world.ledger.delete_focus(port(3000), world.now).is_some());
    assert!(world.ledger.delete_focus(port(3000), world.now).is_none());
    world.reopen();
    assert_eq!(known(&world).len(), 0);
}

#[test]
fn the_main_checkout_makes_way_is_told_why_and_goes_home_again() {
    let mut world = World::new();
    focused(&mut world, 3000, "one", 5);
    let lease = world.run(web("shop"), 3000, 6);
    assert_eq!(lease.port.get(), 3001);
    let Why::NextFree(displaced) = &lease.why else { panic!("{:?}", lease.why) };
    assert_eq!(
        displaced.holder.to_string(),
        "`wharf focus`, which leads to web of shop (worktree one)"
    );
    world.end(6);
    world.ledger.delete_focus(port(3000), world.now);
    let unused = Selection::Unused(focus::lease_key(port(3000)));
    let by = process(5);
    world.ledger.release(&unused, Some(&by), world.now, &mut world.kernel).unwrap();
    assert_eq!(world.run(web("shop"), 3000, 7).port.get(), 3000);
}

#[test]
fn there_is_an_end_to_their_number() {
    let mut world = World::new();
    for number in 0..MAX_FOCUSES {
        focused(&mut world, 3000 + u16::try_from(number).unwrap(), "one", 5);
    }
    let focus = world.ledger.table().focus_on(port(3000)).unwrap().clone();
    let more = Focus { port: port(4000), ..focus.clone() };
    assert_eq!(world.ledger.put_focus(more, world.now), Err(TooManyFocuses));
    assert_eq!(world.ledger.put_focus(focus, world.now), Ok(()), "one that is known");
}
