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

/// How often in a row it is told that something is missing: a pilot that reports it all the same has it in another
/// network.
const MISSING_MAX: u32 = 4;

/// What is known of the last looks.
#[derive(Debug)]
pub(crate) struct Lookout {
    events: mpsc::Sender<Event>,
    due: Instant,
    /// Whether somebody looks at sockets, and at checkouts: a network file system may not answer for hours.
    looks_at_sockets: bool,
    looks_at_roots: bool,
    last: HashMap<String, Known>,
}

/// What is known of one instance.
#[derive(Debug)]
struct Known {
    /// The sockets that listened on its ports.
    sockets: Vec<u64>,
    /// How often in a row something that it reported was missing.
    missing: u32,
}

/// What is looked at of one instance.
#[derive(Debug)]
struct Subject {
    id: String,
    listeners: Vec<(IpAddr, u16)>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Of the sockets of each instance; nothing where the kernel did not answer.
    Sockets(Option<Vec<Sighting>>),
    /// The instances whose checkouts are missing.
    Missing(Vec<String>),
}

/// What was seen of one instance's sockets.
#[derive(Debug)]
pub(crate) struct Sighting {
    id: String,
    /// The sockets that listen on its ports, whoever has them, in order.
    sockets: Vec<u64>,
    /// Whether a listener that it reported is not there.
    is_missing: bool,
}

impl Lookout {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Lookout {
        Lookout {
            events,
            due: Instant::now() + LOOK_EVERY,
            looks_at_sockets: false,
            looks_at_roots: false,
            last: HashMap::new(),
        }
    }

    /// Has it looked, if it is time for that; what was seen comes as [`Event::LookedAfter`].
    pub(crate) fn turn(&mut self, table: &Table) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + LOOK_EVERY;
        let live: Vec<&Instance> =
            table.instances().filter(|instance| instance.state.is_live()).collect();
        if live.is_empty() {
            return self.last.clear();
        }
        if !self.looks_at_sockets {
            let subjects: Vec<Subject> =
                live.iter().map(|instance| Subject::of(instance)).collect();
            self.looks_at_sockets = self.begin(move || Seen::Sockets(sockets(&subjects)));
        }
        if !self.looks_at_roots {
            let roots = live.iter().map(|i| (i.id.clone(), i.root.to_path())).collect();
            self.looks_at_roots = self.begin(move || Seen::Missing(missing(roots)));
        }
    }

    /// Whether somebody looks. Not on one of the runtime's own threads: its end would wait for a checkout that does
    /// not answer.
    fn begin(&self, look: impl FnOnce() -> Seen + Send + 'static) -> bool {
        let events = self.events.clone();
        let told = move || drop(events.blocking_send(Event::LookedAfter(look())));
        std::thread::Builder::new().name("lookout".to_owned()).spawn(told).is_ok()
    }

    /// Takes in what was seen. Gives the instances whose pilots should look themselves.
    pub(crate) fn changed(&mut self, seen: Seen) -> Vec<String> {
        let sightings = match seen {
            Seen::Missing(ids) => {
                self.looks_at_roots = false;
                return ids;
            }
            Seen::Sockets(sightings) => sightings,
        };
        self.looks_at_sockets = false;
        // What was known stays what is compared with.
        let Some(sightings) = sightings else { return Vec::new() };
        let before = std::mem::take(&mut self.last);
        let mut changed = Vec::new();
        for Sighting { id, sockets, is_missing } in sightings {
            let known = before.get(&id);
            let missing = match known {
                Some(known) if is_missing => known.missing.saturating_add(1),
                _ => u32::from(is_missing),
            };
            let is_news = known.is_some_and(|known| known.sockets != sockets);
            if is_news || (1..=MISSING_MAX).contains(&missing) {
                changed.push(id.clone());
            }
            self.last.insert(id, Known { sockets, missing });
        }
        changed
    }
}

impl Subject {
    fn of(instance: &Instance) -> Subject {
        let listeners = instance.listeners.iter();
        Subject {
            id: instance.id.clone(),
            listeners: listeners.map(|listener| (listener.address, listener.port)).collect(),
        }
    }

    fn seen(&self, sockets: &HashMap<u16, Vec<Socket>>) -> Sighting {
        let on = |port: u16| sockets.get(&port).map_or(&[][..], Vec::as_slice);
        let is_there = |(address, port): &(IpAddr, u16)| {
            on(*port).iter().any(|socket| socket.address == *address)
        };
        let is_missing = !self.listeners.iter().all(is_there);
        let ports = self.listeners.iter().map(|(_, port)| *port);
        let mut inodes: Vec<u64> = ports.flat_map(on).map(|socket| socket.inode).collect();
        inodes.sort_unstable();
        inodes.dedup();
        Sighting { id: self.id.clone(), sockets: inodes, is_missing }
    }
}

/// Looks at the sockets of all of them.
fn sockets(subjects: &[Subject]) -> Option<Vec<Sighting>> {
    let mut sockets: HashMap<u16, Vec<Socket>> = HashMap::new();
    for socket in diag::listeners().ok()? {
        sockets.entry(socket.port).or_default().push(socket);
    }
    Some(subjects.iter().map(|subject| subject.seen(&sockets)).collect())
}

/// Those whose checkouts are not there. Each checkout is looked for once.
fn missing(roots: Vec<(String, PathBuf)>) -> Vec<String> {
    let mut known: HashMap<PathBuf, bool> = HashMap::new();
    let mut ids = Vec::new();
    for (id, root) in roots {
        let is_gone = *known.entry(root).or_insert_with_key(|root| {
            std::fs::metadata(root).is_err_and(|error| error.kind() == ErrorKind::NotFound)
        });
        ids.extend(is_gone.then_some(id));
    }
    ids
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn subject(listener: &TcpListener) -> Subject {
        let address = listener.local_addr().unwrap();
        let listeners = vec![(address.ip(), address.port())];
        Subject { id: "web".to_owned(), listeners }
    }

    fn listener() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
    }

    fn lookout() -> Lookout {
        Lookout::new(mpsc::channel(1).0)
    }

    fn look(subject: &Subject) -> Seen {
        Seen::Sockets(sockets(std::slice::from_ref(subject)))
    }

    #[test]
    fn what_stays_as_it_is_disturbs_nobody() {
        let (mut lookout, web) = (lookout(), listener());
        for _ in 0..3 {
            assert!(lookout.changed(look(&subject(&web))).is_empty());
        }
    }

    #[test]
    fn a_listener_that_closes_is_told_of_some_times_while_its_pilot_claims_it() {
        let (mut lookout, web) = (lookout(), listener());
        let claimed = subject(&web);
        assert!(lookout.changed(look(&claimed)).is_empty());
        drop(web);
        for _ in 0..MISSING_MAX {
            assert_eq!(lookout.changed(look(&claimed)), ["web"]);
        }
        assert!(lookout.changed(look(&claimed)).is_empty(), "it is in another network");
        let without = Subject { id: "web".to_owned(), listeners: Vec::new() };
        lookout.changed(look(&without));
        assert!(lookout.changed(look(&without)).is_empty());
    }

    #[test]
    fn another_socket_in_the_same_place_is_told_of_once_even_after_a_look_in_vain() {
        let (mut lookout, web) = (lookout(), listener());
        let address = web.local_addr().unwrap();
        lookout.changed(look(&subject(&web)));
        drop(web);
        assert!(lookout.changed(Seen::Sockets(None)).is_empty(), "the kernel did not answer");
        let other = TcpListener::bind(address).unwrap();
        assert_eq!(lookout.changed(look(&subject(&other))), ["web"]);
        assert!(lookout.changed(look(&subject(&other))).is_empty());
    }

    #[test]
    fn a_checkout_that_is_not_there_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let roots = || vec![("web".to_owned(), folder.path().join("checkout"))];
        std::fs::create_dir(folder.path().join("checkout")).unwrap();
        assert!(missing(roots()).is_empty());
        std::fs::remove_dir(folder.path().join("checkout")).unwrap();
        assert_eq!(missing(roots()), ["web"]);
        assert_eq!(lookout().changed(Seen::Missing(missing(roots()))), ["web"]);
    }
}
