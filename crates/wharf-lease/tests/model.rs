//! Random histories against a simple model of what must hold.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_lease::{KeyRequest, Refusal, Request, Selection};
use wharf_model::{LeaseKind, PortRequest, Why};
use world::{World, port, process, web, worktree};

#[derive(Clone, Debug)]
enum Step {
    Ask {
        service: u8,
        tree: u8,
        instance: Option<u32>,
        request: PortRequest,
        ttl: bool,
        slots: u16,
    },
    Die(u32),
    Release(u16),
    Stranger(u16),
    StrangerLeaves(u16),
    Wait(u64),
    Restart,
}

/// Few ports and few services, so that they meet.
fn some_port() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 8000u16..8008, 1 => Just(8080u16), 1 => Just(9000u16)]
}

fn some_request() -> impl Strategy<Value = PortRequest> {
    some_port().prop_flat_map(|number| {
        let number = port(number);
        prop_oneof![
            3 => Just(PortRequest::Conventional(number)),
            1 => Just(PortRequest::AtLeast(number)),
            1 => Just(PortRequest::Exactly(number)),
            1 => Just(PortRequest::Remembered(number)),
        ]
    })
}

fn some_step() -> impl Strategy<Value = Step> {
    let instance = prop_oneof![3 => Just(None), 1 => (1u32..4).prop_map(Some)];
    let slots = prop_oneof![5 => Just(1u16), 1 => 2u16..4];
    prop_oneof![
        8 => (0u8..4, 0u8..3, instance, some_request(), prop::bool::weighted(0.2), slots).prop_map(
            |(service, tree, instance, request, ttl, slots)| Step::Ask {
                service, tree, instance, request, ttl, slots
            }
        ),
        4 => (1u32..30).prop_map(Step::Die),
        1 => some_port().prop_map(Step::Release),
        2 => some_port().prop_map(Step::Stranger),
        2 => some_port().prop_map(Step::StrangerLeaves),
        1 => (1u64..400_000).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn key(service: u8, tree: u8, instance: Option<u32>) -> Option<KeyRequest> {
    let project = format!("p{service}");
    let key = match tree {
        0 => web(&project),
        _ => worktree(&project, &format!("t{tree}")),
    };
    // One service of four is nobody's.
    (service < 3).then_some(KeyRequest { instance, ..key })
}

fn play(steps: &[Step]) {
    let mut world = World::new();
    let mut next_pid = 1;
    for step in steps {
        match step.clone() {
            Step::Ask { service, tree, instance, request, ttl, slots } => {
                let mut asked = world.request(key(service, tree, instance), request, next_pid);
                asked.slots = slots;
                if ttl {
                    asked.owner = LeaseKind::Ttl(3600);
                } else {
                    next_pid += 1;
                }
                ask(&mut world, &asked);
            }
            Step::Die(pid) => {
                world.end(pid);
                let owner = process(pid);
                assert!(world.ledger.table().leases().all(|held| held.owner() != Some(&owner)));
            }
            Step::Release(number) => {
                let selection = Selection::Ports(vec![port(number)]);
                let _ = world.ledger.release(&selection, None, world.now, &mut world.kernel);
            }
            Step::Stranger(number) => {
                if world.ledger.table().lease_on(port(number)).is_none() {
                    world.kernel.taken.insert(number, "stranger");
                }
            }
            Step::StrangerLeaves(number) => drop(world.kernel.taken.remove(&number)),
            Step::Wait(seconds) => {
                world.now.wall_s += seconds;
                world.now.boot_ms += seconds * 1000;
                world.ledger.expire(world.now);
            }
            Step::Restart => restart(&mut world),
        }
        check_invariants(&world);
    }
}

/// Asks, and compares the answer with what must hold whatever happened before.
fn ask(world: &mut World, asked: &Request) {
    let before: BTreeMap<u16, i64> =
        world.ledger.table().leases().map(|held| (held.lease.port.get(), held.lease.id)).collect();
    let wanted = asked.request.wanted();
    let leases = match world.ask(asked) {
        Ok(leases) => leases,
        Err(Refusal::Taken { port, .. }) => {
            assert_eq!(asked.request, PortRequest::Exactly(port));
            return;
        }
        Err(Refusal::InstanceLive { .. }) => {
            assert!(asked.key.as_ref().is_some_and(|key| key.instance.is_some()));
            return;
        }
        Err(other) => panic!("{other}"),
    };
    assert_eq!(leases.len(), usize::from(asked.slots));
    let first = &leases[0];
    match asked.request {
        PortRequest::Exactly(_) => assert_eq!(first.port, wanted, "never another port"),
        PortRequest::AtLeast(_) => assert!(first.port >= wanted),
        PortRequest::Conventional(_) | PortRequest::Remembered(_) => {}
    }
    if let (Why::Home { .. }, Some(key)) = (&first.why, &first.key) {
        assert_eq!(world.home(key), Some(first.port.get()));
    }
    for lease in &leases {
        let port = lease.port.get();
        let renewed = before.get(&port) == Some(&lease.id);
        assert!(renewed || !before.contains_key(&port), "{port} was leased");
        assert!(renewed || !world.kernel.taken.contains_key(&port), "{port} is a stranger's");
    }
    assert_eq!(world.ask(asked).unwrap(), leases, "idempotent");
}

fn restart(world: &mut World) {
    let held = |world: &World| -> BTreeSet<(i64, u16)> {
        let leases = world.ledger.table().leases();
        leases.map(|held| (held.lease.id, held.lease.port.get())).collect()
    };
    let homes = |world: &World| -> BTreeSet<u16> {
        world.ledger.table().homes(world.now.wall_s).map(|home| home.port.get()).collect()
    };
    let (leases_before, homes_before) = (held(world), homes(world));
    world.reopen();
    assert_eq!(held(world), leases_before);
    assert_eq!(homes(world), homes_before);
}

fn check_invariants(world: &World) {
    let table = world.ledger.table();
    let ports: BTreeSet<u16> = table.leases().map(|held| held.lease.port.get()).collect();
    assert_eq!(ports.len(), table.leases().count(), "one lease a port");
    let keys: Vec<_> = table.leases().filter_map(|held| held.lease.key.clone()).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "one lease a key");
    let homes: Vec<u16> = table.homes(world.now.wall_s).map(|home| home.port.get()).collect();
    assert_eq!(homes.iter().collect::<BTreeSet<_>>().len(), homes.len(), "one home a port");
    assert!(world.ledger.status().writable, "{:?}", world.ledger.status());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_rules(steps in prop::collection::vec(some_step(), 1..60)) {
        play(&steps);
    }

    #[test]
    fn a_service_that_nobody_disturbs_always_comes_back_to_its_port(
        others in prop::collection::vec((0u8..3, 0u8..3), 0..12),
        conventional in some_port(),
    ) {
        let mut world = World::new();
        let mut pid = 100;
        let own = worktree("own", "tree");
        let first = world.run(own.clone(), conventional, 1).port;
        world.end(1);
        for (service, tree) in others {
            pid += 1;
            let Some(key) = key(service, tree, None) else { continue };
            prop_assert_ne!(world.run(key, conventional, pid).port, first);
        }
        prop_assert_eq!(world.run(own, conventional, 2).port, first);
    }
}
