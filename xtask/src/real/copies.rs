//! Some copies of one project under wharf, started at once: what every proof needs of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::copy::Copy;
use super::events::{self, Event};
use super::place::Place;
use super::spec::{Book, Expect, Exposed, Run};
use super::started::{Started, Surroundings};
use super::{daemon, environment, http, processes, sockets, wait};

/// How long one request may take: some frameworks compile a page when it is first asked for.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

/// How long the kernel may take to take down what was killed.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// How the addresses begin that wharf gives to instances.
const OWN_ADDRESSES: [u8; 2] = [127, 77];

/// What went wrong, one line each.
pub type Problems = Vec<String>;

/// The copies and the daemon between them.
pub struct Copies<'a> {
    /// The entry of the table.
    pub run: &'a Run,
    place: &'a Place,
    /// Each of them.
    pub all: Vec<Started>,
    daemon: Option<u32>,
}

impl<'a> Copies<'a> {
    /// Starts all copies, one right after the other: the first in a terminal, as a person does, and
    /// the others without, as a script does.
    pub fn start(book: &Book, run: &'a Run, place: &'a Place) -> Result<Copies<'a>, String> {
        let made: Result<Vec<Copy>, String> =
            ('a'..='z').take(run.copies).map(|letter| Copy::make(run, place, letter)).collect();
        let mut all = Vec::new();
        for copy in made? {
            let surroundings =
                if all.is_empty() { Surroundings::Terminal } else { Surroundings::Nothing };
            let env = environment::of_copy(book, run, place, &copy);
            let argv = argv(run, place, &copy);
            all.push(Started::start(copy, &argv, &env, surroundings)?);
        }
        Ok(Copies { run, place, all, daemon: None })
    }

    /// Where they run.
    pub fn place(&self) -> &Place {
        self.place
    }

    /// Notes who the daemon is: it may carry the mark of the copy that started it.
    pub fn note_daemon(&mut self, problems: &mut Problems) {
        match daemon::pid(self.place) {
            Ok(pid) => self.daemon = Some(pid),
            Err(why) => problems.push(why),
        }
    }

    /// Asks a copy, at the address that wharf called ready, for its own text.
    pub fn ask(&self, index: usize, ready: &Event) -> Result<(), String> {
        let letter = self.all[index].copy.letter;
        let asked = self.address(ready).and_then(|address| {
            self.answer(index, address)?;
            let mut further =
                self.run.also_at.iter().map(|ip| SocketAddr::new(*ip, address.port()));
            further.try_for_each(|address| self.answer(index, address))
        });
        asked.map_err(|why| format!("copy {letter}: {why}"))
    }

    /// The address of the `ready` event, when it is one that a user may count on.
    pub fn address(&self, ready: &Event) -> Result<SocketAddr, String> {
        let port = ready.port.ok_or("ready without a port")?;
        let url = ready.direct_url.as_deref().unwrap_or_default();
        let at = url.strip_prefix("http://").map(|at| at.trim_end_matches('/'));
        at.and_then(|at| at.parse::<SocketAddr>().ok())
            .filter(|at| at.port() == port && self.may_be_at(at.ip()))
            .ok_or_else(|| format!("direct_url is `{url}`, not port {port} of {}", self.run.host))
    }

    fn may_be_at(&self, ip: IpAddr) -> bool {
        match self.run.expect {
            Expect::Addressed => matches!(ip, IpAddr::V4(ip) if ip.octets()[..2] == OWN_ADDRESSES),
            _ => self.run.hosts().contains(&ip),
        }
    }

    /// What nobody may have any more once the copy is gone: its port on all addresses, or on its own.
    pub fn place_of(&self, ready: &Event) -> SocketAddr {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, ready.port.unwrap_or(0)));
        match self.run.expect {
            Expect::Addressed => self.address(ready).unwrap_or(everywhere),
            _ => everywhere,
        }
    }

    /// Asks a copy at an address, for its own text.
    pub fn answer(&self, index: usize, address: SocketAddr) -> Result<(), String> {
        let answer = http::get(address, &self.run.path, ANSWER_WITHIN)
            .map_err(|why| format!("ready, but {why}"))?;
        let others = self.all.iter().enumerate().filter(|(other, _)| *other != index);
        for (_, other) in others {
            if answer.body.contains(&other.copy.identity) {
                let letter = other.copy.letter;
                return Err(format!("{address} answers the text of copy {letter}"));
            }
        }
        if answer.status != 200 || !answer.body.contains(&self.all[index].copy.identity) {
            return Err(format!(
                "http://{address}{} answered {} and not its own text, but: {:.300}",
                self.run.path, answer.status, answer.body
            ));
        }
        Ok(())
    }

    /// Checks that what listens beyond loopback is what the table says, and that wharf has said so.
    pub fn check_exposure(&self, problems: &mut Problems) {
        let open = match sockets::listening() {
            Ok(all) => all.into_iter().filter(|one| !sockets::is_loopback(one)).collect::<Vec<_>>(),
            Err(why) => return problems.push(why),
        };
        if open.is_empty() && self.run.exposed != Exposed::Nothing {
            let table = self.run.exposed;
            problems.push(format!("the table says {table:?} is exposed, and all is on loopback"));
        }
        for address in open {
            let allowed = match self.run.exposed {
                Exposed::Nothing => false,
                Exposed::Server => true,
                Exposed::Extra => !self.serves_on(address.port()),
            };
            if !allowed {
                problems.push(format!("{address} can be reached from beyond loopback"));
            } else if !self.says_exposed(address.port()) {
                problems.push(format!("{address} is exposed, and no `exposed` event says so"));
            }
        }
    }

    fn says_exposed(&self, port: u16) -> bool {
        let deadline = Instant::now() + SETTLED_WITHIN;
        wait::until(deadline, || self.any_event("exposed", port).then_some(())).is_some()
    }

    fn serves_on(&self, port: u16) -> bool {
        self.any_event("ready", port)
    }

    fn any_event(&self, kind: &str, port: u16) -> bool {
        self.all.iter().any(|copy| {
            let events = copy.events().unwrap_or_default();
            events.iter().any(|event| event.event == kind && event.port == Some(port))
        })
    }

    /// Waits for the end of a copy that was told to end, and checks that it left nothing.
    pub fn gone(&mut self, index: usize, place: SocketAddr) -> Result<i32, String> {
        let letter = self.all[index].copy.letter;
        let code = self.all[index].exit_code(self.run.gone_within())?;
        let events = self.all[index].events()?;
        let said = events::first(&events, "exited").and_then(|event| event.exit_code);
        if said != Some(code) {
            return Err(format!("copy {letter}: exit code {code}, but the event says {said:?}"));
        }
        self.nothing_left(index)?;
        is_free(place).map_err(|why| format!("copy {letter} has ended, but {why}"))?;
        Ok(code)
    }

    /// Checks that no process of the copy is alive.
    pub fn nothing_left(&self, index: usize) -> Result<(), String> {
        let copy = &self.all[index].copy;
        let left = || -> Vec<String> {
            processes::others()
                .iter()
                .filter(|one| {
                    Some(one.pid) != self.daemon && one.belongs_to(&copy.mark, &copy.folder)
                })
                .map(ToString::to_string)
                .collect()
        };
        wait::until(Instant::now() + SETTLED_WITHIN, || left().is_empty().then_some(()))
            .ok_or_else(|| format!("copy {} left over: {}", copy.letter, left().join(", ")))
    }

    /// Stops the daemon; nothing may be left in the sandbox, and the projects are as they were.
    pub fn finish(&self, problems: &mut Problems) {
        problems.extend(daemon::stop(self.place).err());
        for copy in &self.all {
            let changed = copy.copy.changed(self.run, self.place);
            problems.extend(changed.iter().map(|file| format!("{file} is not what it was")));
        }
    }

    /// The problems, and all that helps to see where they come from.
    pub fn failure(&mut self, problems: &Problems) -> String {
        let mut text: String = problems.iter().map(|one| format!("  - {one}\n")).collect();
        let listening = sockets::listening().unwrap_or_default();
        text.push_str(&format!("  listening at the end: {listening:?}\n"));
        for process in processes::others() {
            text.push_str(&format!("  running at the end: {process}\n"));
        }
        for copy in &mut self.all {
            text.push_str(&copy.evidence());
        }
        text
    }
}

fn argv(run: &Run, place: &Place, copy: &Copy) -> Vec<String> {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let mut argv = place.wharf_command();
    argv.push("run".to_owned());
    argv.extend(["--events".to_owned(), text(&copy.events)]);
    argv.extend(run.options.iter().cloned());
    if !run.command.is_empty() {
        argv.push("--".to_owned());
        argv.extend(run.command.iter().cloned());
    }
    argv
}

/// Whether anybody could listen there now.
pub fn is_free(place: SocketAddr) -> Result<(), String> {
    let free = || TcpListener::bind(place).ok().map(drop);
    wait::until(Instant::now() + SETTLED_WITHIN, free)
        .ok_or_else(|| format!("{place} is still taken"))
}
