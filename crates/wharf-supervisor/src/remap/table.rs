//! Which port stands for which, in one instance.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{Group, Peer};

/// The most ports that one instance is lent beside those of its launch. A program that binds more is
/// looking for a free one, not serving.
const LENT_MAX: usize = 32;

/// What becomes of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It is done on this port.
    On(u16),
    /// A port has to be leased for it first.
    Ask,
    /// Enough ports are lent already.
    TooMany,
}

/// The ports of one instance.
#[derive(Debug)]
pub(crate) struct Table {
    /// The port that was leased for the instance at launch, and of which the program was told.
    /// `None` once it turned out that the program does not use it.
    leased: Option<u16>,
    /// The port that the program named when it bound there.
    named: Option<u16>,
    /// Further ports of which the program was told.
    further: Vec<u16>,
    /// Ports that the program is known to name instead of the leased one.
    likely: Vec<u16>,
    /// Ports that were leased because they were named.
    lent: BTreeMap<u16, u16>,
    /// Where the program was put when it last bound a port, in this launch.
    bound: BTreeMap<u16, u16>,
    /// Ports that are bound on the instance's own address.
    at_home: BTreeSet<u16>,
    group: Group,
    /// Whether connections wait on the leased port already: then the first server that the program
    /// binds is meant, whatever port it names.
    awaited: bool,
}

/// Ports on which a program does not serve: debuggers and reload sockets.
const SIDE_CHANNELS: &[u16] = crate::readiness::SIDE_CHANNELS;

impl Table {
    /// The table of an instance that has bound nothing yet.
    pub(crate) fn new(leased: u16, further: Vec<u16>, likely: Vec<u16>, group: Group) -> Table {
        Table {
            leased: Some(leased),
            named: None,
            further,
            likely,
            lent: BTreeMap::new(),
            bound: BTreeMap::new(),
            at_home: BTreeSet::new(),
            group,
            awaited: false,
        }
    }

    /// Takes in that connections wait on the leased port from the start.
    pub(crate) fn await_the_leased_one(&mut self) {
        self.awaited = true;
    }

    /// A new launch: the program has bound nothing yet.
    pub(super) fn begin(&mut self) {
        self.named = None;
        self.bound.clear();
        self.at_home.clear();
    }

    /// Where a bind of the port `named` goes. `is_bound` says whether the tree has a socket on a port.
    pub(super) fn bind(&mut self, named: u16, is_bound: impl Fn(u16) -> bool) -> Course {
        let course = self.course(named, is_bound);
        if let Course::On(port) = course {
            self.bound.insert(named, port);
        }
        course
    }

    fn course(&mut self, named: u16, is_bound: impl Fn(u16) -> bool) -> Course {
        if let Some(port) = self.lent.get(&named) {
            return Course::On(*port);
        }
        if self.further.contains(&named) {
            return Course::On(named);
        }
        if let Some(leased) = self.leased
            && self.is_leased_one(named, leased)
        {
            // A program may first try its usual port and then take the one that it was told: the
            // leased port stands for whichever it keeps.
            let other = self.named.filter(|other| *other != named);
            if other.is_none() || !is_bound(leased) {
                self.named = Some(named);
                return Course::On(leased);
            }
        }
        // A program that learned its own port from the kernel names that.
        if self.lent.values().any(|port| *port == named) && !is_bound(named) {
            return Course::On(named);
        }
        if self.lent.len() >= LENT_MAX { Course::TooMany } else { Course::Ask }
    }

    fn is_leased_one(&self, named: u16, leased: u16) -> bool {
        let is_first = self.awaited && self.named.is_none() && !SIDE_CHANNELS.contains(&named);
        named == leased || self.likely.contains(&named) || self.named == Some(named) || is_first
    }

    /// Takes in that the program does not use its leased port; gives that. A port that it has bound
    /// once stands for what it named, whether it is in use now or not.
    pub(super) fn give_up_leased(&mut self) -> Option<u16> {
        if self.named.is_some() { None } else { self.leased.take() }
    }

    /// Takes in that a port was leased for the one that is named.
    pub(super) fn lend(&mut self, named: u16, port: u16) {
        self.lent.insert(named, port);
    }

    /// Takes in what the other members of the group stand for.
    pub(crate) fn regroup(&mut self, group: Group) {
        self.group = group;
    }

    /// Takes in that a port was bound on the instance's own address.
    pub(super) fn settle(&mut self, port: u16) {
        self.at_home.insert(port);
    }

    /// Whether a port is bound on the instance's own address.
    pub(super) fn is_settled(&self, port: u16) -> bool {
        self.at_home.contains(&port)
    }

    /// Where a connect to a port goes, for an instance with an address of its own.
    pub(super) fn connect_from(&self, own: Ipv4Addr, named: u16) -> Option<Peer> {
        let here = || Peer { port: named, address: Some(own) };
        let is_meant = self.leased == Some(named) || self.likely.contains(&named);
        let bound = self.at_home.contains(&named).then(here);
        bound.or_else(|| self.group.peer(named)).or_else(|| is_meant.then(here))
    }

    /// The port that the program named for one that it has; `None` where they are the same.
    pub(super) fn named_of(&self, port: u16) -> Option<u16> {
        let lent = self.lent.iter().find(|(_, lent)| **lent == port).map(|(named, _)| *named);
        let own = || self.named.filter(|_| self.leased == Some(port));
        lent.or_else(own).filter(|named| *named != port)
    }

    /// Where a connect to the port `named` goes; `None` where it is left as it is.
    ///
    /// What this program bound itself comes first, then what another of the group has, then the port
    /// that this program would name: it has not bound it, so nobody else's is meant.
    pub(crate) fn connect(&self, named: u16) -> Option<Peer> {
        let likely = || self.leased.filter(|_| self.likely.contains(&named));
        let bound = self.bound.get(&named).or_else(|| self.lent.get(&named));
        let bound = bound.copied().map(Peer::on);
        let group = || self.group.peer(named);
        let peer = bound.or_else(group).or_else(|| likely().map(Peer::on))?;
        (peer != Peer::on(named)).then_some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        Table::new(
            8001,
            vec![8002],
            vec![8000],
            Group::new([(5000, Peer::on(5001)), (3000, Peer::on(3000))]),
        )
    }

    fn nothing(_: u16) -> bool {
        false
    }

    #[test]
    fn the_usual_port_and_the_one_that_was_told_are_the_leased_one() {
        assert_eq!(table().bind(8000, nothing), Course::On(8001));
        assert_eq!(table().bind(8001, nothing), Course::On(8001));
        assert_eq!(table().bind(8002, nothing), Course::On(8002));
    }

    #[test]
    fn a_probe_of_the_usual_port_does_not_take_the_leased_one_away() {
        let mut table = table();
        assert_eq!(table.bind(8000, nothing), Course::On(8001));
        assert_eq!(table.bind(8001, nothing), Course::On(8001), "the probe was closed");
        assert_eq!(table.bind(8001, |port| port == 8001), Course::On(8001), "again, by a worker");
        assert_eq!(table.bind(8000, |port| port == 8001), Course::Ask, "a second server");
    }

    #[test]
    fn where_connections_wait_the_first_server_is_meant() {
        let mut table = table();
        table.await_the_leased_one();
        assert_eq!(table.bind(9229, nothing), Course::Ask, "a debugger is no server");
        assert_eq!(table.bind(4444, nothing), Course::On(8001));
        assert_eq!(table.bind(4444, |port| port == 8001), Course::On(8001), "its worker");
        assert_eq!(table.bind(5555, |port| port == 8001), Course::Ask);
        table.begin();
        assert_eq!(table.bind(4444, nothing), Course::On(8001), "again, after a restart");
    }

    #[test]
    fn any_other_port_is_asked_for_once() {
        let mut table = table();
        assert_eq!(table.bind(9229, nothing), Course::Ask);
        table.lend(9229, 9230);
        assert_eq!(table.bind(9229, nothing), Course::On(9230));
        assert_eq!(table.bind(9230, nothing), Course::On(9230));
        assert_eq!((table.named_of(9230), table.named_of(9229)), (Some(9229), None));
        assert_eq!(table.bind(9230, |port| port == 9230), Course::Ask, "its own second port");
    }

    #[test]
    fn one_instance_is_lent_so_many_and_no_more() {
        let mut table = table();
        for step in 0..LENT_MAX {
            let named = 10_000 + u16::try_from(step).unwrap();
            assert_eq!(table.bind(named, nothing), Course::Ask);
            table.lend(named, named + 1000);
        }
        assert_eq!(table.bind(20_000, nothing), Course::TooMany);
        assert_eq!(table.bind(10_000, nothing), Course::On(11_000));
    }

    #[test]
    fn with_an_address_of_its_own_a_port_is_looked_for_there() {
        let own = Ipv4Addr::new(127, 77, 1, 2);
        let mut table = table();
        let here = |port| Some(Peer { port, address: Some(own) });
        assert_eq!(table.connect_from(own, 8000), here(8000), "it will bind that");
        assert_eq!(table.connect_from(own, 9000), None);
        table.settle(9000);
        assert_eq!(table.connect_from(own, 9000), here(9000));
        assert_eq!(table.connect_from(own, 5000), Some(Peer::on(5001)), "another of the group");
    }

    #[test]
    fn a_leased_port_that_is_not_used_means_nothing_any_more() {
        let mut table = table();
        assert_eq!(table.bind(8000, nothing), Course::On(8001));
        assert_eq!(table.give_up_leased(), None, "it was used");
        table.begin();
        assert_eq!(table.give_up_leased(), Some(8001));
        assert_eq!(table.bind(8000, nothing), Course::Ask);
        assert_eq!(table.bind(8001, nothing), Course::Ask);
        assert_eq!(table.connect(8000), None);
    }

    #[test]
    fn connects_reach_what_is_meant() {
        let mut table = table();
        assert_eq!(table.connect(8000), Some(Peer::on(8001)), "its own, bound or not");
        assert_eq!(table.connect(5000), Some(Peer::on(5001)), "another of the group");
        assert_eq!(table.connect(3000), None, "it has its own port");
        assert_eq!(table.connect(5432), None, "a database of the machine");
        assert_eq!(table.connect(8001), None);
        table.lend(9229, 9230);
        assert_eq!(table.connect(9229), Some(Peer::on(9230)));
        table.regroup(Group::new([(8000, Peer::on(8005))]));
        assert_eq!(table.connect(8000), Some(Peer::on(8005)), "another of the group has it");
        assert_eq!(table.bind(8000, nothing), Course::On(8001));
        assert_eq!(table.connect(8000), Some(Peer::on(8001)), "now this one has bound it itself");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Bind(u16),
        Close(u16),
        Regroup(u16, u16),
        GiveUp,
        Begin,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let port = || 8000u16..8010;
        let step = prop_oneof![
            6 => port().prop_map(Step::Bind),
            3 => port().prop_map(Step::Close),
            1 => (port(), port()).prop_map(|(named, is)| Step::Regroup(named, is)),
            1 => Just(Step::GiveUp),
            1 => Just(Step::Begin),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// Whatever a program does: it is never put on a port that is not leased for it, a port that it
        /// names twice is the same one, and no connect goes where nobody was put.
        #[test]
        fn every_port_is_leased_and_every_connect_is_meant(steps in steps()) {
            let mut table = Table::new(8001, vec![8002], vec![8000], Group::default());
            let mut leased = BTreeSet::from([8001u16, 8002]);
            let mut bound = BTreeSet::new();
            let mut group = None;
            let mut next = 9000;
            for step in steps {
                match step {
                    Step::Bind(named) => {
                        let is_bound = |port: u16| bound.contains(&port);
                        let course = table.bind(named, is_bound);
                        if course == Course::Ask {
                            next += 1;
                            table.lend(named, next);
                            leased.insert(next);
                        }
                        let Course::On(port) = table.bind(named, is_bound) else {
                            panic!("{named} was leased")
                        };
                        prop_assert!(leased.contains(&port), "{named} on {port}");
                        prop_assert_eq!(table.bind(named, is_bound), Course::On(port));
                        let reached = table.connect(named).map_or(named, |peer| peer.port);
                        prop_assert_eq!(reached, port, "{} was bound", named);
                        bound.insert(port);
                    }
                    Step::Close(port) => {
                        bound.remove(&port);
                    }
                    Step::Regroup(named, is) => {
                        group = Some(is);
                        table.regroup(Group::new([(named, Peer::on(is))]));
                    }
                    Step::GiveUp => {
                        if let Some(port) = table.give_up_leased() {
                            leased.remove(&port);
                        }
                    }
                    Step::Begin => {
                        bound.clear();
                        table.begin();
                    }
                }
                for named in 7990..8020 {
                    if let Some(peer) = table.connect(named) {
                        prop_assert!(leased.contains(&peer.port) || group == Some(peer.port));
                        prop_assert!(peer.port != named);
                    }
                }
            }
        }
    }
}
