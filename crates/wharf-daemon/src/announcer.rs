//! Telling the local network which names are here (multicast DNS, RFC 6762 and 6763).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, RRType, Receiver, ServiceDaemon, ServiceInfo};

/// What a browser of services shows as a web site.
const SERVICE: &str = "_http._tcp.local.";
/// How long the taking back may take: it is one packet for each interface.
const GOODBYE: Duration = Duration::from_millis(500);

/// Announces while there is something to announce: without, it has no thread and no socket.
#[derive(Default)]
pub(crate) struct Announcer {
    speaker: Option<Speaker>,
    notes: BTreeMap<String, String>,
}

struct Speaker {
    daemon: ServiceDaemon,
    events: Receiver<DaemonEvent>,
    addresses: BTreeSet<IpAddr>,
    port: u16,
    hosts: BTreeSet<String>,
}

impl Announcer {
    /// Announces these hosts at these addresses, on their interfaces alone, and nothing else from now on.
    pub(crate) fn announce(
        &mut self,
        hosts: &BTreeSet<String>,
        addresses: &BTreeSet<IpAddr>,
        port: u16,
    ) {
        let same = |speaker: &Speaker| speaker.port == port && speaker.addresses == *addresses;
        if !self.speaker.as_ref().is_some_and(same) {
            self.silence();
            match Speaker::start(addresses, port) {
                Ok(speaker) => self.speaker = Some(speaker),
                Err(error) => {
                    let note = format!("names are not announced on the LAN: {error}");
                    self.notes.insert(String::new(), note);
                    return;
                }
            }
        }
        if let Some(speaker) = &mut self.speaker {
            self.notes.retain(|host, _| hosts.contains(host));
            speaker.tell(hosts, &mut self.notes);
            speaker.listen(&mut self.notes);
        }
    }

    /// Takes everything back.
    pub(crate) fn silence(&mut self) {
        self.notes.clear();
        if let Some(speaker) = self.speaker.take()
            && let Ok(gone) = speaker.daemon.shutdown()
        {
            // Whoever starts another one would else hear the last word of this one.
            let _ = gone.recv_timeout(GOODBYE);
        }
    }

    /// What the user should know.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &String> {
        self.notes.values()
    }
}

impl Speaker {
    fn start(addresses: &BTreeSet<IpAddr>, port: u16) -> mdns_sd::Result<Speaker> {
        let daemon = ServiceDaemon::new()?;
        // It begins with every interface; it has nothing to say there before this.
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(addresses.iter().copied().map(IfKind::Addr).collect::<Vec<_>>())?;
        // Addresses are looked after by who opens the fronts on them.
        daemon.set_ip_check_interval(0)?;
        let events = daemon.monitor()?;
        let (addresses, hosts) = (addresses.clone(), BTreeSet::new());
        Ok(Speaker { daemon, events, addresses, port, hosts })
    }

    fn tell(&mut self, hosts: &BTreeSet<String>, notes: &mut BTreeMap<String, String>) {
        for host in self.hosts.difference(hosts) {
            // It says goodbye by itself; nobody waits for that.
            drop(self.daemon.unregister(&format!("{}.{SERVICE}", label(host))));
        }
        for host in hosts.difference(&self.hosts) {
            let told = self.service(host).and_then(|service| self.daemon.register(service));
            if let Err(error) = told {
                notes.insert(host.clone(), format!("{host} is not announced: {error}"));
            }
        }
        self.hosts.clone_from(hosts);
    }

    fn service(&self, host: &str) -> mdns_sd::Result<ServiceInfo> {
        let addresses: Vec<IpAddr> = self.addresses.iter().copied().collect();
        let text: &[(&str, &str)] = &[("path", "/")];
        let absolute = format!("{host}.");
        ServiceInfo::new(SERVICE, label(host), &absolute, &addresses[..], self.port, text)
    }

    /// Another machine may have had a name before.
    fn listen(&self, notes: &mut BTreeMap<String, String>) {
        while let Ok(event) = self.events.try_recv() {
            let DaemonEvent::NameChange(change) = event else { continue };
            let host = change.original.trim_end_matches('.').to_owned();
            if matches!(change.rr_type, RRType::A | RRType::AAAA) && self.hosts.contains(&host) {
                let note = format!(
                    "{host} is another machine's name on this network: it leads there, and not here"
                );
                notes.insert(host, note);
            }
        }
    }
}

fn label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}
