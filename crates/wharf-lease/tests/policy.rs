//! Which port whom: the order of design section 4, rule by rule.

mod world;

use wharf_lease::{KeyRequest, Refusal, ReleaseError, Request, Selection};
use wharf_model::{LeaseKind, PortRequest, Why};
use world::{World, busy, port, process, web, worktree};

fn displaced(why: &Why) -> (u16, bool, String) {
    match why {
        Why::NextFree(displaced) | Why::Home { instead_of: Some(displaced) } => {
            (displaced.wanted.get(), displaced.foreign, displaced.holder.to_string())
        }
        other => panic!("nobody was displaced: {other:?}"),
    }
}

#[test]
fn the_main_checkout_gets_the_conventional_port_and_keeps_it() {
    let mut world = World::new();
    let lease = world.run(web("shop"), 8000, 1);
    assert_eq!((lease.port.get(), lease.why), (8000, Why::Conventional));
    world.end(1);
    // Another project of the same framework finds it owned, though nobody runs there.
    let other = world.run(web("blog"), 8000, 2);
    assert_eq!(other.port.get(), 8001);
    assert_eq!(displaced(&other.why), (8000, false, "web of shop, not running".into()));
    world.end(2);
    assert_eq!(world.run(web("shop"), 8000, 3).port.get(), 8000);
    let again = world.run(web("blog"), 8000, 4);
    assert_eq!(again.port.get(), 8001);
    assert_eq!(displaced(&again.why), (8000, false, "web of shop (pid 3)".into()));
}

#[test]
fn a_fallback_because_of_a_stranger_is_not_remembered() {
    let mut world = World::new();
    world.kernel.taken.insert(8000, "python3");
    let lease = world.run(web("shop"), 8000, 1);
    assert_eq!(lease.port.get(), 8001);
    assert_eq!(displaced(&lease.why), (8000, true, "`python3`".into()));
    assert_eq!(world.home(&web("shop").instance(1)), None);
    world.end(1);
    world.kernel.taken.clear();
    assert_eq!(world.run(web("shop"), 8000, 2).port.get(), 8000);
    // Nor does a stranger at home move the home.
    world.end(2);
    world.kernel.taken.insert(8000, "node");
    assert_eq!(world.run(web("shop"), 8000, 3).port.get(), 8001);
    assert_eq!(world.home(&web("shop").instance(1)), Some(8000));
    world.end(3);
    world.kernel.taken.clear();
    assert_eq!(world.run(web("shop"), 8000, 4).port.get(), 8000);
}

#[test]
fn a_stranger_on_the_remembered_port_is_the_news() {
    let mut world = World::new();
    world.run(web("shop"), 8000, 1);
    world.run(web("blog"), 8000, 2);
    world.end(2);
    world.kernel.taken.insert(8001, "nc");
    let lease = world.run(web("blog"), 8000, 3);
    assert_eq!(lease.port.get(), 8002);
    assert_eq!(displaced(&lease.why), (8001, true, "`nc`".into()));
    assert_eq!(world.home(&web("blog").instance(1)), Some(8001));
}

#[test]
fn a_worktree_leaves_the_conventional_port_to_the_main_checkout() {
    let mut world = World::new();
    let lease = world.run(worktree("shop", "fix"), 8000, 1);
    assert_eq!((lease.port.get(), lease.why), (8001, Why::LeftToMain { wanted: port(8000) }));
    world.end(1);
    let again = world.run(worktree("shop", "fix"), 8000, 2);
    assert_eq!((again.port.get(), again.why), (8001, Why::Home { instead_of: None }));
    assert_eq!(world.run(web("shop"), 8000, 3).port.get(), 8000);
}

#[test]
fn a_worktree_whose_home_is_the_conventional_port_goes_home() {
    let mut world = World::new();
    let asked = world.request(Some(worktree("shop", "fix")), PortRequest::Exactly(port(8000)), 1);
    world.ask(&asked).unwrap();
    world.end(1);
    let lease = world.run(worktree("shop", "fix"), 8000, 2);
    assert_eq!((lease.port.get(), lease.why), (8000, Why::Home { instead_of: None }));
}

#[test]
fn further_instances_have_homes_of_their_own() {
    let mut world = World::new();
    let ports: Vec<u16> =
        (1..=10).map(|pid| world.run(web("shop"), 8000, pid).port.get()).collect();
    assert_eq!(ports, (8000..8010).collect::<Vec<u16>>());
    world.end(4);
    world.end(2);
    let back = world.run(web("shop"), 8000, 22);
    assert_eq!(back.key.as_ref().map(|key| key.instance), Some(2));
    assert_eq!((back.port.get(), back.why), (8001, Why::Home { instead_of: None }));
    let explicit = KeyRequest { instance: Some(4), ..web("shop") };
    assert_eq!(world.run(explicit, 8000, 44).port.get(), 8003);
}

#[test]
fn a_running_instance_is_named_in_the_refusal() {
    let mut world = World::new();
    world.run(web("shop"), 8000, 77);
    let explicit = KeyRequest { instance: Some(1), ..web("shop") };
    let request = world.request(Some(explicit), PortRequest::Conventional(port(8000)), 2);
    let refusal = world.ask(&request).unwrap_err();
    assert!(matches!(refusal, Refusal::InstanceLive { .. }));
    assert_eq!(refusal.to_string(), "web of shop already runs on port 8000 (pid 77)");
}

#[test]
fn an_explicit_second_instance_leaves_the_conventional_port_to_the_first() {
    let mut world = World::new();
    let second = KeyRequest { instance: Some(2), ..web("shop") };
    let lease = world.run(second, 8000, 1);
    assert_eq!((lease.port.get(), lease.why), (8001, Why::LeftToMain { wanted: port(8000) }));
}

#[test]
fn exactly_is_that_port_or_an_error_that_names_the_holder() {
    let mut world = World::new();
    world.kernel.taken.insert(9000, "docker-proxy");
    let request = world.request(Some(web("shop")), PortRequest::Exactly(port(9000)), 1);
    let refusal = world.ask(&request).unwrap_err();
    assert_eq!(refusal.to_string(), "port 9000 is taken by `docker-proxy`");
    world.kernel.taken.clear();
    assert_eq!(world.ask(&request).unwrap()[0].port.get(), 9000);
    let other = world.request(Some(web("blog")), PortRequest::Exactly(port(9000)), 2);
    let refusal = world.ask(&other).unwrap_err();
    assert_eq!(refusal.to_string(), "port 9000 is taken by web of shop (pid 1)");
    // A home without a lease gives way, and stays a home.
    world.end(1);
    assert_eq!(world.ask(&other).unwrap()[0].port.get(), 9000);
    assert_eq!(world.home(&web("shop").instance(1)), Some(9000));
    assert_eq!(world.home(&web("blog").instance(1)), None);
}

#[test]
fn exactly_never_moves_a_home() {
    let mut world = World::new();
    world.run(worktree("shop", "fix"), 8000, 1);
    world.end(1);
    let asked = world.request(Some(worktree("shop", "fix")), PortRequest::Exactly(port(9500)), 2);
    assert_eq!(world.ask(&asked).unwrap()[0].port.get(), 9500);
    world.end(2);
    assert_eq!(world.run(worktree("shop", "fix"), 8000, 3).port.get(), 8001);
}

#[test]
fn at_least_takes_the_next_free_port() {
    let mut world = World::new();
    let request = world.request(None, PortRequest::AtLeast(port(9000)), 1);
    assert_eq!(world.ask(&request).unwrap()[0].port.get(), 9000);
    let request = world.request(None, PortRequest::AtLeast(port(9000)), 2);
    let lease = world.ask(&request).unwrap().remove(0);
    assert_eq!(lease.port.get(), 9001);
    assert_eq!(
        displaced(&lease.why),
        (9000, false, "a process that may not be seen (pid 1)".into())
    );
}

#[test]
fn the_remembered_port_comes_before_the_one_that_is_named() {
    let mut world = World::new();
    let ask = |world: &mut World, pid| {
        let request = world.request(Some(web("db")), PortRequest::Remembered(port(8000)), pid);
        let lease = world.ask(&request).unwrap().remove(0);
        world.end(pid);
        lease.port.get()
    };
    world.kernel.taken.insert(8000, "nc");
    assert_eq!(ask(&mut world, 1), 8001);
    world.kernel.taken.clear();
    assert_eq!(ask(&mut world, 2), 8000, "a stranger made no home");
    world.run(web("shop"), 8000, 3);
    world.kernel.taken.insert(8000, "nc");
    assert_eq!(ask(&mut world, 4), 8002, "8001 is the home of another");
    world.kernel.taken.clear();
    assert_eq!(ask(&mut world, 5), 8000, "the home has not moved");
}

#[test]
fn what_the_caller_found_busy_is_given_up_and_not_offered_again() {
    let mut world = World::new();
    let first = world.run(web("shop"), 8000, 1);
    assert_eq!(first.port.get(), 8000);
    let mut request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 1);
    request.busy = vec![busy(8000, "faster")];
    let lease = world.ask(&request).unwrap().remove(0);
    assert_eq!(lease.port.get(), 8001);
    assert_eq!(lease.key.as_ref().map(|key| key.instance), Some(1), "still the same instance");
    assert_eq!(displaced(&lease.why), (8000, true, "`faster`".into()));
    assert_eq!(world.ledger.table().lease_count(), 1);
    assert_eq!(world.home(&web("shop").instance(1)), Some(8000));
}

#[test]
fn a_request_asked_again_gets_the_same_leases() {
    let mut world = World::new();
    let request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 1);
    let first = world.ask(&request).unwrap();
    assert_eq!(world.ask(&request).unwrap(), first);
    world.reopen();
    assert_eq!(world.ask(&request).unwrap(), first, "also at the next daemon");
    let mut stolen = request.clone();
    stolen.owner = LeaseKind::Process(process(2));
    assert_eq!(world.ask(&stolen), Err(Refusal::RequestIdReused));
}

#[test]
fn several_ports_are_granted_together_or_not_at_all() {
    let mut world = World::new();
    let mut request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 1);
    request.slots = 3;
    let leases = world.ask(&request).unwrap();
    let ports: Vec<u16> = leases.iter().map(|lease| lease.port.get()).collect();
    assert_eq!(ports, [8000, 8001, 8002]);
    let service = |index: usize| leases[index].key.as_ref().unwrap().service.clone();
    assert_eq!(
        (service(0), service(1), service(2)),
        ("web".into(), "web/port2".into(), "web/port3".into())
    );
    assert_eq!(world.ask(&request).unwrap(), leases, "in the same order");
    world.end(1);
    // Every one of them has a home.
    world.run(web("blog"), 8000, 2);
    let mut request = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 3);
    request.slots = 3;
    let again: Vec<u16> = world.ask(&request).unwrap().iter().map(|l| l.port.get()).collect();
    assert_eq!(again, [8000, 8001, 8002]);
    let released = world.ledger.release(
        &Selection::Key(web("shop").instance(1)),
        Some(&process(3)),
        world.now,
        &mut world.kernel,
    );
    assert_eq!(released.unwrap().len(), 3);
    for slots in [0, 65] {
        request.slots = slots;
        request.request_id = format!("s{slots}");
        assert!(matches!(world.ask(&request), Err(Refusal::Malformed(_))));
    }
}

#[test]
fn a_sandbox_is_named_and_a_privileged_port_is_passed_over() {
    let mut world = World::new();
    world.kernel.denied = vec![80];
    let lease = world.run(web("shop"), 80, 1);
    assert_eq!(lease.port.get(), 8082);
    assert!(displaced(&lease.why).1);
    let request = world.request(None, PortRequest::Exactly(port(80)), 2);
    assert_eq!(world.ask(&request), Err(Refusal::Denied { port: port(80) }));
    world.kernel.all_denied = true;
    world.kernel.asked = 0;
    let request = world.request(None, PortRequest::AtLeast(port(9000)), 3);
    assert_eq!(world.ask(&request), Err(Refusal::Denied { port: port(9000) }));
    assert_eq!(world.kernel.asked, 1, "no other port would have been permitted");
}

#[test]
fn the_search_has_an_end() {
    let mut world = World::new();
    world.kernel.taken = (1..=u16::MAX).map(|port| (port, "all")).collect();
    let request = world.request(None, PortRequest::AtLeast(port(9000)), 1);
    assert!(matches!(world.ask(&request), Err(Refusal::NoFreePort { tried: 4096, .. })));
}

#[test]
fn a_lease_with_a_time_to_live_is_renewed_and_then_taken_over() {
    let mut world = World::new();
    let mut timed = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 0);
    timed.owner = LeaseKind::Ttl(60);
    let first = world.ask(&timed).unwrap().remove(0);
    world.now.boot_ms += 50_000;
    // The script's own server may listen there by now.
    world.kernel.taken.insert(8000, "script");
    timed.request_id = "again".into();
    let renewed = world.ask(&timed).unwrap().remove(0);
    assert_eq!((renewed.id, renewed.port), (first.id, first.port));
    world.now.boot_ms += 50_000;
    assert!(world.ledger.expire(world.now).is_empty(), "the time runs anew");
    world.kernel.taken.clear();
    let taken_over = world.run(web("shop"), 8000, 5);
    assert_eq!((taken_over.id, taken_over.port), (first.id, first.port));
    world.now.boot_ms += 90_000;
    assert!(world.ledger.expire(world.now).is_empty(), "it has no deadline any more");
    assert_eq!(world.ledger.table().lease_count(), 1);
}

#[test]
fn a_lease_with_a_time_to_live_is_not_taken_over_where_somebody_listens() {
    let mut world = World::new();
    let mut timed = world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 0);
    timed.owner = LeaseKind::Ttl(60);
    world.ask(&timed).unwrap();
    world.kernel.taken.insert(8000, "script");
    let lease = world.run(web("shop"), 8000, 5);
    assert_eq!(lease.port.get(), 8001);
    assert_eq!(displaced(&lease.why), (8000, true, "`script`".into()));
    assert_eq!(world.ledger.table().lease_count(), 1, "the timed one was given up");
}

#[test]
fn leases_with_a_time_to_live_end_by_the_boot_clock_alone() {
    let mut world = World::new();
    let mut timed = world.request(None, PortRequest::AtLeast(port(9000)), 0);
    timed.owner = LeaseKind::Ttl(60);
    world.ask(&timed).unwrap();
    for jump in [400 * world::DAY, 0] {
        world.now.wall_s = jump;
        assert!(world.ledger.expire(world.now).is_empty());
    }
    world.now.boot_ms += 60_000;
    assert_eq!(world.ledger.expire(world.now).len(), 1);
}

#[test]
fn a_lease_of_a_living_process_is_released_for_itself_alone() {
    let mut world = World::new();
    world.run(web("shop"), 8000, 1);
    let ports = Selection::Ports(vec![port(8000)]);
    let refused = world.ledger.release(&ports, None, world.now, &mut world.kernel);
    assert!(matches!(refused, Err(ReleaseError::Held { .. })));
    let refused = world.ledger.release(&ports, Some(&process(2)), world.now, &mut world.kernel);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "port 8000 is held by web of shop (pid 1), which still runs"
    );
    let released = world.ledger.release(&ports, Some(&process(1)), world.now, &mut world.kernel);
    assert_eq!(released.unwrap().len(), 1);
    let again = world.ledger.release(&ports, Some(&process(1)), world.now, &mut world.kernel);
    assert_eq!(again, Err(ReleaseError::NotLeased { ports: vec![port(8000)] }));
    let all = world.ledger.release(&Selection::AllTtl, None, world.now, &mut world.kernel);
    assert_eq!(all, Ok(Vec::new()), "nothing to release is not an error for all");
}

#[test]
fn one_port_that_is_not_leased_keeps_all_the_others() {
    let mut world = World::new();
    world.run(web("shop"), 8000, 1);
    let mut release = |ports: &[u16]| {
        let ports = Selection::Ports(ports.iter().map(|number| port(*number)).collect());
        world.ledger.release(&ports, Some(&process(1)), world.now, &mut world.kernel)
    };
    let refused = release(&[8000, 8001, 8002]).unwrap_err();
    assert_eq!(refused.to_string(), "not leased: 8001, 8002");
    assert_eq!(release(&[8000]).unwrap().len(), 1);
}

#[test]
fn homes_are_kept_for_thirty_days_after_the_last_use() {
    let mut world = World::new();
    world.run(web("shop"), 8000, 1);
    world.days(100);
    assert_eq!(world.run(web("blog"), 8000, 2).port.get(), 8001, "in use for 100 days");
    world.end(1);
    world.days(30);
    world.end(2);
    assert_eq!(world.run(web("news"), 8000, 3).port.get(), 8002, "remembered for 30 days");
    world.end(3);
    world.days(31);
    assert_eq!(world.run(web("late"), 8000, 4).port.get(), 8000);
    assert_eq!(world.home(&web("shop").instance(1)), None);
}

#[test]
fn a_clock_that_jumps_loses_no_home() {
    let mut world = World::new();
    let true_time = world.now;
    world.run(web("shop"), 8000, 1);
    world.end(1);
    world.now.wall_s += 400 * world::DAY;
    world.reopen();
    world.run(web("blog"), 3000, 2);
    world.end(2);
    // Back to the truth: what was used meanwhile was used in the future, and counts.
    world.now = true_time;
    world.reopen();
    assert_eq!(world.home(&web("shop").instance(1)), Some(8000));
    assert_eq!(world.home(&web("blog").instance(1)), Some(3000));
    world.now.wall_s = 0;
    assert_eq!(world.home(&web("shop").instance(1)), Some(8000));
}

#[test]
fn a_project_gets_all_of_its_ports_in_one_transaction() {
    let mut world = World::new();
    let key = |service: &str, instance| KeyRequest {
        service: service.into(),
        instance: Some(instance),
        ..web("shop")
    };
    let conventional = PortRequest::Conventional(port(8000));
    let keys = [key("web", 1), key("web", 2), key("web", 3), key("api", 1)];
    let requests: Vec<Request> =
        (1..).zip(keys).map(|(pid, key)| world.request(Some(key), conventional, pid)).collect();
    let granted = world.ledger.request_all(&requests, world.now, &mut world.kernel).unwrap();
    let ports: Vec<u16> = granted.iter().map(|leases| leases[0].port.get()).collect();
    assert_eq!(ports, [8000, 8001, 8002, 8003]);
    let again = world.ledger.request_all(&requests, world.now, &mut world.kernel).unwrap();
    assert_eq!(again, granted, "the same request gets the same answer");
    world.reopen();
    assert_eq!(world.ledger.table().lease_count(), 4, "all of it is on disk");
}

#[test]
fn a_project_of_which_one_service_is_refused_gets_nothing() {
    let mut world = World::new();
    world.kernel.taken.insert(9000, "nginx");
    let api = KeyRequest { service: "api".into(), ..web("shop") };
    let requests = [
        world.request(Some(web("shop")), PortRequest::Conventional(port(8000)), 1),
        world.request(Some(api), PortRequest::Exactly(port(9000)), 2),
    ];
    let refused = world.ledger.request_all(&requests, world.now, &mut world.kernel).unwrap_err();
    assert!(matches!(refused, (1, Refusal::Taken { .. })), "{refused:?}");
    assert_eq!(world.ledger.table().lease_count(), 0);
    assert_eq!(world.home(&web("shop").instance(1)), None, "nothing is remembered either");
    let next = world.run(web("shop"), 8000, 1);
    assert_eq!(next.port, port(8000));
}
