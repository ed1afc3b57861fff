//! One look for all instances at what nobody tells their pilots: so that a hundred idle pilots need not each look.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_lease::Table;
use wharf_model::Instance;
use wharf_os::diag::{self, Socket};

use crate::event::Event;

/// How often it is looked. A look costs what one pilot's own does.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What is known of the last looks.
#[derive(Debug)]
pub(crate) struct Lookout {
    events: mpsc::Sender<Event>,
    due: Instant,
    /// Whether somebody looks: a network file system may not answer for hours.
    is_looking: bool,
    /// By instance, the sockets that listened on its ports.
    last: HashMap<String, Vec<u64>>,
}

/// What is looked at of one instance.
#[derive(Debug)]
struct Subject {
    id: String,
    root: PathBuf,
    listeners: Vec<(IpAddr, u16)>,
}

/// What was seen of one instance.
#[derive(Debug)]
pub(crate) struct Sighting {
    id: String,
    /// The sockets that listen on its ports, whoever has them, in order.
    sockets: Vec<u64>,
    /// Whether something that it reported is not there: a listener, or its checkout.
    is_missing: bool,
}

impl Lookout {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Lookout {
        Lookout {
            events,
            due: Instant::now() + LOOK_EVERY,
            is_looking: false,
            last: HashMap::new(),
        }
    }

    /// Has it looked, if it is time for that; what was seen comes as [`Event::LookedAfter`].
    pub(crate) fn turn(&mut self, table: &Table) {
        let now = Instant::now();
        if self.is_looking || now < self.due {
            return;
        }
        self.due = now + LOOK_EVERY;
        let live = table.instances().filter(|instance| instance.state.is_live());
        let subjects: Vec<Subject> = live.map(Subject::of).collect();
        if subjects.is_empty() {
            return self.last.clear();
        }
        let events = self.events.clone();
        // Not one of the runtime's own threads: its end would wait for a checkout that does not answer.
        let look = move || drop(events.blocking_send(Event::LookedAfter(look(subjects))));
        let looks = std::thread::Builder::new().name("lookout".to_owned()).spawn(look);
        self.is_looking = looks.is_ok();
    }

    /// Takes in what was seen. Gives the instances whose pilots should look themselves.
    pub(crate) fn changed(&mut self, sightings: Vec<Sighting>) -> Vec<String> {
        self.is_looking = false;
        let before = std::mem::take(&mut self.last);
        let mut changed = Vec::new();
        for Sighting { id, sockets, is_missing } in sightings {
            if is_missing || before.get(&id).is_some_and(|known| *known != sockets) {
                changed.push(id.clone());
            }
            self.last.insert(id, sockets);
        }
        changed
    }
}

impl Subject {
    fn of(instance: &Instance) -> Subject {
        let listeners = instance.listeners.iter();
        Subject {
            id: instance.id.clone(),
            root: instance.root.to_path(),
            listeners: listeners.map(|listener| (listener.address, listener.port)).collect(),
        }
    }

    fn seen(self, sockets: &HashMap<u16, Vec<Socket>>, is_rootless: bool) -> Sighting {
        let on = |port: u16| sockets.get(&port).map_or(&[][..], Vec::as_slice);
        let is_there = |(address, port): &(IpAddr, u16)| {
            on(*port).iter().any(|socket| socket.address == *address)
        };
        let is_missing = is_rootless || !self.listeners.iter().all(is_there);
        let ports = self.listeners.iter().map(|(_, port)| *port);
        let mut inodes: Vec<u64> = ports.flat_map(on).map(|socket| socket.inode).collect();
        inodes.sort_unstable();
        inodes.dedup();
        Sighting { id: self.id, sockets: inodes, is_missing }
    }
}

/// Looks at all of them. A kernel that does not answer now is asked again at the next look.
fn look(subjects: Vec<Subject>) -> Vec<Sighting> {
    let Ok(listening) = diag::listeners() else { return Vec::new() };
    let mut sockets: HashMap<u16, Vec<Socket>> = HashMap::new();
    for socket in listening {
        sockets.entry(socket.port).or_default().push(socket);
    }
    let mut roots: HashMap<PathBuf, bool> = HashMap::new();
    let mut sightings = Vec::new();
    for subject in subjects {
        let is_gone = roots.entry(subject.root.clone()).or_insert_with_key(|root| {
            std::fs::metadata(root).is_err_and(|error| error.kind() == ErrorKind::NotFound)
        });
        let is_gone = *is_gone;
        sightings.push(subject.seen(&sockets, is_gone));
    }
    sightings
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn subject(root: &str, listener: &TcpListener) -> Subject {
        let address = listener.local_addr().unwrap();
        let listeners = vec![(address.ip(), address.port())];
        Subject { id: "web".to_owned(), root: root.into(), listeners }
    }

    fn listener() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
    }

    fn lookout() -> Lookout {
        Lookout::new(mpsc::channel(1).0)
    }

    #[test]
    fn what_stays_as_it_is_disturbs_nobody() {
        let (mut lookout, web) = (lookout(), listener());
        for _ in 0..3 {
            assert!(lookout.changed(look(vec![subject("/", &web)])).is_empty());
        }
    }

    #[test]
    fn a_listener_that_closes_is_told_of_until_its_pilot_no_longer_claims_it() {
        let (mut lookout, web) = (lookout(), listener());
        let claimed = || subject("/", &web);
        let (first, second, third) = (claimed(), claimed(), claimed());
        assert!(lookout.changed(look(vec![first])).is_empty());
        drop(web);
        assert_eq!(lookout.changed(look(vec![second])), ["web"]);
        assert_eq!(lookout.changed(look(vec![third])), ["web"]);
        let without = Subject { id: "web".to_owned(), root: "/".into(), listeners: Vec::new() };
        let again = Subject { id: "web".to_owned(), root: "/".into(), listeners: Vec::new() };
        lookout.changed(look(vec![without]));
        assert!(lookout.changed(look(vec![again])).is_empty());
    }

    #[test]
    fn another_socket_in_the_same_place_is_told_of_once() {
        let (mut lookout, web) = (lookout(), listener());
        let address = web.local_addr().unwrap();
        lookout.changed(look(vec![subject("/", &web)]));
        drop(web);
        let other = TcpListener::bind(address).unwrap();
        assert_eq!(lookout.changed(look(vec![subject("/", &other)])), ["web"]);
        assert!(lookout.changed(look(vec![subject("/", &other)])).is_empty());
    }

    #[test]
    fn a_checkout_that_is_not_there_is_told_of() {
        let (mut lookout, web) = (lookout(), listener());
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        assert!(lookout.changed(look(vec![subject(&root, &web)])).is_empty());
        drop(folder);
        assert_eq!(lookout.changed(look(vec![subject(&root, &web)])), ["web"]);
    }
}
