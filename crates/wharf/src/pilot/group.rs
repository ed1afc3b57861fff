//! What the other services of a worktree stand for, as the daemon knows it.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use wharf_control::EventStream;
use wharf_control::api::{HomeReport, Notice, NoticeKind, Snapshot};
use wharf_model::{Instance, Lease, Listener, Remap, ServiceKey};
use wharf_os::process;
use wharf_supervisor::remap::{Group, Peer};

use crate::link::Link;
use crate::up::order::Published;
use crate::up::published;

/// How long a daemon that is away is left alone before it is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What comes within this time counts as one change, and how long that may go on.
const SETTLED_AFTER: Duration = Duration::from_millis(20);
const SETTLED_AT_LAST: Duration = Duration::from_millis(300);

/// The ports that the others of this instance's worktree name, and those that they have. Of several
/// that name the same port the one with this instance's number is meant, else the first.
pub(super) fn of(snapshot: &Snapshot, own: &ServiceKey) -> Group {
    let remembered = snapshot.homes.iter().filter_map(|home| absent(home, own));
    let leased = snapshot.leases.iter().filter_map(|lease| member(lease, own));
    let addressed = snapshot.instances.iter().flat_map(|instance| at_address(instance, own));
    let mut members: Vec<Member> = leased.chain(addressed).collect();
    // The last of a port's pairs is the one that stays, and who is there counts more than who was.
    members.sort_by_key(|(named, _, same, instance)| (*named, *same, std::cmp::Reverse(*instance)));
    let present = members.into_iter().map(|(named, peer, ..)| (named, peer));
    Group::new(remembered.chain(present))
}

/// A service that does not run, and whose port is remembered: nobody else is meant, so that a connect is
/// refused rather than answered by another checkout.
fn absent(home: &HomeReport, own: &ServiceKey) -> Option<(u16, Peer)> {
    let named = named_by(&home.key.service)?;
    let same_place = home.key.project == own.project && home.key.worktree == own.worktree;
    same_place.then_some((named, Peer::on(home.port.get())))
}

/// The port that is named, where it is, whether of an instance of the same number, which number.
type Member = (u16, Peer, bool, u32);

/// What a service with an address of its own listens on: it names the very ports.
fn at_address(instance: &Instance, own: &ServiceKey) -> Vec<Member> {
    let key = &instance.key;
    if instance.remap != Remap::Address || !instance.state.is_live() || !is_of_the_group(key, own) {
        return Vec::new();
    }
    let member = |listener: &Listener| match listener.address.to_canonical() {
        IpAddr::V4(address) => {
            let peer = Peer { port: listener.port, address: Some(address) };
            Some((listener.port, peer, key.instance == own.instance, key.instance))
        }
        IpAddr::V6(_) => None,
    };
    instance.listeners.iter().filter_map(member).collect()
}

fn member(lease: &Lease, own: &ServiceKey) -> Option<Member> {
    let key = lease.key.as_ref().filter(|key| is_of_the_group(key, own))?;
    let named = lease.request.wanted().get();
    Some((named, Peer::on(lease.port.get()), key.instance == own.instance, key.instance))
}

/// Another instance or service of the same checkout.
fn is_of_the_group(key: &ServiceKey, own: &ServiceKey) -> bool {
    let same_place = key.project == own.project && key.worktree == own.worktree;
    let same_instance = key.instance == own.instance
        && (key.service == own.service || key.service.starts_with(&further(&own.service)));
    same_place && !same_instance
}

/// How the ports are called that a service names itself: `web/bind9229`.
pub(super) fn further(service: &str) -> String {
    format!("{service}/bind")
}

/// Whether connects are answered: see `docs/remapping.md`, which states the rule.
///
/// It is decided before the launch, since a filter cannot be changed in a running process. Who is there to
/// be told of the others has to be able to act on it, however late they come.
pub(super) fn needs_connect(is_told: bool, own: &Instance) -> bool {
    let displaced = own.port != own.requested_port || own.remap == Remap::Address;
    let not_the_first = !own.key.worktree.is_empty() || own.key.instance > 1;
    is_told || displaced || not_the_first
}

/// The port that a further port's name tells: 9229 of `web/bind9229`.
fn named_by(service: &str) -> Option<u16> {
    service.rsplit_once("/bind")?.1.parse().ok()
}

/// What the daemon has to say to a pilot.
#[derive(Debug)]
pub(super) enum Word {
    /// What the others of its checkout stand for.
    Group(Group),
    /// Something has changed of which pilots are not told.
    Look,
}

/// Who follows the daemon, and whom it tells.
pub(super) struct Follower {
    pub(super) key: ServiceKey,
    pub(super) id: String,
    pub(super) words: mpsc::Sender<Word>,
    /// Whether a daemon is there that looks after it.
    pub(super) looked_after: watch::Sender<bool>,
    /// What other programs publish for its project.
    pub(super) published: Vec<Published>,
    /// Told whenever the daemon may not know this instance: it is another one, or was told to forget.
    pub(super) forgotten: Rc<Notify>,
}

impl Follower {
    /// Tells the group whenever it changes, until nobody listens. A daemon that dies without a word is made
    /// again: names lead through it. One that was told to end stays away.
    pub(super) async fn follow(&self, link: &Link) {
        let mut is_first = true;
        while !self.words.is_closed() {
            let ended = match link.events().await {
                Ok(events) => {
                    if !std::mem::take(&mut is_first) {
                        // It may be another daemon, and from here on this one tells what it forgets.
                        self.forgotten.notify_one();
                    }
                    self.follow_once(link, events).await
                }
                Err(_) => Ended::Quietly,
            };
            self.looked_after.send_replace(false);
            if ended == Ended::Died && !self.words.is_closed() {
                // Whoever comes first makes it; that it cannot be made is nobody's news while a server runs.
                let _ = link.revive().await;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn follow_once(&self, link: &Link, mut events: EventStream) -> Ended {
        loop {
            // First of all what happened before the stream began.
            let Ok(snapshot) = link.snapshot_now().await else { return Ended::Died };
            if self.words.send(Word::Group(of(&snapshot, &self.key))).await.is_err() {
                return Ended::Quietly;
            }
            self.looked_after.send_replace(is_here(snapshot.looks_after));
            published::take_over(link, &self.key, &self.published, &snapshot).await;
            loop {
                match self.taken(events.next().await) {
                    Err(ended) => return ended,
                    Ok(Some(key)) if is_of_the_group(&key, &self.key) => break,
                    Ok(_) => {}
                }
            }
            if let Some(ended) = self.settled(&mut events).await {
                return ended;
            }
        }
    }

    /// Waits until nothing more comes for a moment: a whole project is leased at once, and each of its pilots
    /// would ask for everything at each of its leases. How the stream ended, if it did.
    async fn settled(&self, events: &mut EventStream) -> Option<Ended> {
        let until = tokio::time::Instant::now() + SETTLED_AT_LAST;
        while tokio::time::Instant::now() < until {
            match tokio::time::timeout(SETTLED_AFTER, events.next()).await {
                Err(_) => return None,
                Ok(next) => {
                    if let Err(ended) = self.taken(next) {
                        return Some(ended);
                    }
                }
            }
        }
        None
    }

    /// Takes one notice in: whose port has come, gone or moved, or how the stream has ended.
    fn taken<E>(&self, next: Result<Option<Notice>, E>) -> Result<Option<ServiceKey>, Ended> {
        match next {
            Ok(Some(notice)) => match notice.kind {
                NoticeKind::Stopping | NoticeKind::Lagged { .. } => Err(Ended::Quietly),
                kind => Ok(self.whose(kind)),
            },
            Ok(None) | Err(_) => Err(Ended::Died),
        }
    }

    /// Whose port has come, gone or moved.
    fn whose(&self, kind: NoticeKind) -> Option<ServiceKey> {
        match kind {
            NoticeKind::LeaseReleased { lease } if lease.key.as_ref() == Some(&self.key) => {
                self.forgotten.notify_one();
                None
            }
            NoticeKind::LeaseGranted { lease } | NoticeKind::LeaseReleased { lease } => lease.key,
            NoticeKind::Instance { instance } if instance.remap == Remap::Address => {
                Some(instance.key)
            }
            NoticeKind::LookAgain { ids } if ids.contains(&self.id) => {
                // One that waits to be taken does for both.
                let _ = self.words.try_send(Word::Look);
                None
            }
            NoticeKind::InstanceForgotten { id } if id == self.id => {
                self.forgotten.notify_one();
                None
            }
            _ => None,
        }
    }
}

/// Whether that network namespace is ours: what listens in another one is seen by nobody there.
fn is_here(namespace: Option<u64>) -> bool {
    let own = process::network_namespace(std::process::id());
    own.is_ok_and(|own| namespace == Some(own))
}

/// How the daemon's stream of events ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It was in order, or there was none.
    Quietly,
    /// The daemon was there, and then it was not.
    Died,
}
