//! Ports that the program names itself: leased when it binds them, and told.

use std::net::SocketAddr;

use wharf_control::api::KeyRequest;
use wharf_model::{EventKind, Port, PortRequest, Remap, Remapped};
use wharf_os::reserve::Reservation;
use wharf_supervisor::remap::{PortAsk, Unmapped};
use wharf_supervisor::{Member, Order};

use super::group::further;
use super::watch::{Pilot, names};
use super::{HOST, Kind};
use crate::link::Link;
use crate::narrate;
use crate::place::{Keep, Place, Wanted};
use crate::report::Report;

impl Pilot {
    /// Leases a port for the one that is named, beside everything else: the program waits, and nobody
    /// else does.
    pub(super) fn lend(&self, ask: PortAsk) {
        let link = self.link.clone();
        let key = self.reports.borrow().key.clone();
        let wanted = KeyRequest {
            project: key.project.clone(),
            worktree: key.worktree.clone(),
            service: format!("{}{}", further(&key.service), ask.named()),
            instance: Some(key.instance),
        };
        tokio::task::spawn_local(async move {
            match leased(link.as_deref(), wanted, ask.named()).await {
                Ok(Some(reservation)) => ask.lend(reservation),
                // The thread tells it once it has let the bind go on.
                Ok(None) => drop(ask),
                Err(report) => {
                    narrate::warning(&format!("no port for {}: {}", ask.named(), report.what));
                    drop(ask);
                }
            }
        });
    }

    /// A socket of the tree was bound.
    pub(super) fn bound(&mut self, named: u16, address: SocketAddr, pid: u32) {
        let port = address.port();
        self.events.write(EventKind::Bound { named, address: address.ip(), port, pid });
        if port == self.place.ports()[0].get() {
            self.tell_story();
        }
        if named == 0 || !self.named.insert((named, port)) || named == port {
            return;
        }
        self.change(|instance| instance.remapped.push(Remapped { named, port }));
        if self.kind == Kind::Server {
            narrate::line(&format!(
                "the program names port {named} itself and has {port} in its place \
                 (http://{HOST}:{port}); its own log may say {named}"
            ));
        }
    }

    /// Says what is to be said of the leased port: now that the program uses it.
    fn tell_story(&mut self) {
        for line in std::mem::take(&mut self.story) {
            narrate::line(&line);
        }
    }

    /// The program serves on a port that it names itself. The one that was leased at launch, of which
    /// nobody knew whether it would be used, is free for others.
    pub(super) fn give_up_leased(&mut self) {
        let leased = self.place.ports()[0].get();
        if self.named.iter().any(|(_, has)| *has == leased) {
            return;
        }
        self.story.clear();
        self.handle.order(Order::GiveUpLeased);
        let Some(link) = self.link.clone() else { return };
        let key = self.reports.borrow().key.clone();
        tokio::task::spawn_local(async move {
            // A daemon that is away forgets the lease with this process.
            let _ = link.give_up(key, crate::facts::own_process()).await;
        });
    }

    /// A bind was left as it was, although ports are remapped.
    pub(super) fn unmapped(&mut self, named: u16, pid: u32, why: Unmapped) {
        let text = sentence(why);
        self.events.write(EventKind::Unmapped { named, pid, why: text.to_owned() });
        match why {
            // Both are as they should be; `--events` has them.
            Unmapped::Udp | Unmapped::ElsewhereNet => {}
            Unmapped::Opaque | Unmapped::TooMany | Unmapped::NoPort => {
                // Which one it is may not be seen either.
                let port = match named {
                    0 => "a port".to_owned(),
                    named => format!("port {named}"),
                };
                let who = names(&[Member::of(pid)]);
                narrate::warning(&format!("{port} is left as {who} names it: {text}"));
            }
        }
    }

    /// The kernel refused the filter although it was tried before.
    pub(super) fn not_filtered(&mut self, errno: i32) {
        let error = std::io::Error::from_raw_os_error(errno);
        self.change(|instance| instance.remap = Remap::Cooperative);
        self.tell_story();
        narrate::warning(&format!(
            "remapping was refused ({error}): a port that the program names itself can collide \
             (`wharf doctor remap`)"
        ));
    }
}

fn sentence(why: Unmapped) -> &'static str {
    match why {
        Unmapped::Udp => "UDP is not remapped",
        Unmapped::Opaque => "the process does not let itself be inspected",
        Unmapped::ElsewhereNet => "the process has a network of its own",
        Unmapped::TooMany => "the program has bound more ports than one instance is lent",
        Unmapped::NoPort => "no port could be leased for it",
    }
}

/// The port by the whole policy: the named one if it is free and nobody's home, else another.
async fn leased(
    link: Option<&Link>,
    key: KeyRequest,
    named: u16,
) -> Result<Option<Reservation>, Report> {
    let Some(port) = Port::new(named) else { return Ok(None) };
    let wanted = Wanted {
        key: Some(key),
        request: PortRequest::Conventional(port),
        count: 1,
        keep: Keep::Alone,
    };
    let mut place = Place::take(link, &wanted).await?;
    Ok(place.take_reservations().pop())
}
