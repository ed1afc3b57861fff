//! The proof: some copies from unchanged files, each on its own port or on an address of its own, each
//! answering its own text.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::copies::{Copies, Problems};
use super::events::{self, Event};
use super::place::Place;
use super::restarted;
use super::spec::{Book, By, Expect, Run};
use super::wait;

/// The first port that anybody may bind.
const UNPRIVILEGED: u16 = 1024;

/// How long a line may be on its way to the file that is read.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut copies = Copies::start(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let mut problems = Problems::new();
    let said = all_ready(&mut copies, &mut problems).map(|ready| {
        while_ready(&mut copies, &ready, &mut problems);
        let codes = one_after_the_other(&mut copies, &ready, &mut problems);
        sentence(&ready, &codes)
    });
    if let (Some(said), true) = (said, problems.is_empty()) {
        return Ok(said);
    }
    Err(copies.failure(&problems))
}

fn all_ready(copies: &mut Copies, problems: &mut Problems) -> Option<Vec<Event>> {
    let deadline = Instant::now() + copies.run.ready_within();
    let mut ready = Vec::new();
    for copy in &mut copies.all {
        match copy.event("ready", deadline) {
            Ok(event) => ready.push(event),
            Err(why) => problems.push(why),
        }
    }
    (ready.len() == copies.all.len()).then_some(ready)
}

fn while_ready(copies: &mut Copies, ready: &[Event], problems: &mut Problems) {
    copies.note_daemon(problems);
    match copies.run.expect {
        Expect::Addressed => check_addresses(copies, ready, problems),
        _ => check_ports(copies, ready, problems),
    }
    for (index, event) in ready.iter().enumerate() {
        problems.extend(copies.ask(index, event).err());
    }
    copies.check_exposure(problems);
    match copies.run.expect {
        Expect::Remapped => {
            check_told(copies, ready, problems);
            check_bound(copies, ready, problems);
            restarted::check(copies, ready, problems);
        }
        Expect::Addressed => {
            check_bound(copies, ready, problems);
            restarted::check(copies, ready, problems);
        }
        _ => check_wanted(copies, problems),
    }
    if copies.run.options.iter().any(|option| option == "--socket") {
        restarted::check(copies, ready, problems);
    }
}

/// That each copy has the literal port, on an address that no other has.
fn check_addresses(copies: &Copies, ready: &[Event], problems: &mut Problems) {
    let places: BTreeSet<SocketAddr> = ready.iter().map(|event| copies.place_of(event)).collect();
    let literal = copies.run.port;
    if places.len() != copies.all.len() || places.iter().any(|place| place.port() != literal) {
        problems.push(format!("not all copies have port {literal} of an own address: {places:?}"));
    }
}

/// Where root's proxy listens.
const PROXY: u16 = 80;

fn check_ports(copies: &Copies, ready: &[Event], problems: &mut Problems) {
    let ports: Vec<u16> = ready.iter().filter_map(|event| event.port).collect();
    if ports.iter().collect::<BTreeSet<_>>().len() != copies.all.len() {
        problems.push(format!("not all copies have a port of their own: {ports:?}"));
    }
    let conventional = copies.run.port;
    let out_of_reach = match copies.run.by {
        // Nobody but root can have such a port at all, and wharf is not root then.
        By::Ordinary => conventional < UNPRIVILEGED,
        // Root's own proxy answers for names there.
        _ => conventional == PROXY,
    };
    if !out_of_reach && !ports.contains(&conventional) {
        problems.push(format!("no copy got the conventional port {conventional}: {ports:?}"));
    }
}

/// A port that is the framework's convention is known before the program is started.
fn check_wanted(copies: &Copies, problems: &mut Problems) {
    let conventional = copies.run.port;
    for copy in &copies.all {
        let wanted =
            copy.events().ok().and_then(|all| events::first(&all, "leased")?.requested_port);
        if wanted != Some(conventional) {
            let letter = copy.copy.letter;
            problems.push(format!("copy {letter} wanted port {wanted:?}, not {conventional}"));
        }
    }
}

/// Where the program named another port than it got, its user must read that somewhere.
fn check_told(copies: &Copies, ready: &[Event], problems: &mut Problems) {
    let literal = copies.run.port.to_string();
    for (copy, event) in copies.all.iter().zip(ready) {
        let real = event.port.unwrap_or(0).to_string();
        let told = || {
            let mut lines = copy.narration().into_iter();
            lines.find(|line| line.contains(&literal) && line.contains(&real))
        };
        // What is written to a terminal comes out of it a moment later.
        if wait::until(Instant::now() + TOLD_WITHIN, told).is_none() {
            let letter = copy.copy.letter;
            problems.push(format!("copy {letter}: no line of wharf names {literal} and {real}"));
        }
    }
}

/// That each program named its literal port and was given the one that it serves on: a hint that
/// reached it would prove nothing of remapping.
fn check_bound(copies: &Copies, ready: &[Event], problems: &mut Problems) {
    let literal = copies.run.port;
    for (copy, ready) in copies.all.iter().zip(ready) {
        let events = copy.events().unwrap_or_default();
        let mut bound = events.iter().filter(|event| event.event == "bound");
        if !bound.any(|event| event.named == Some(literal) && event.port == ready.port) {
            let letter = copy.copy.letter;
            problems.push(format!(
                "copy {letter}: no `bound` event says that {literal} was named and {:?} given",
                ready.port
            ));
        }
    }
}

/// Ends one copy after the other while the rest serves on, then the daemon.
fn one_after_the_other(copies: &mut Copies, ready: &[Event], problems: &mut Problems) -> Vec<i32> {
    let mut codes = Vec::new();
    for (index, event) in ready.iter().enumerate() {
        let told = copies.all[index].ask_to_end();
        let place = copies.place_of(event);
        let gone = told.and_then(|()| copies.gone(index, place));
        let letter = copies.all[index].copy.letter;
        match gone {
            Ok(code) => codes.push(code),
            Err(why) => problems.push(why),
        }
        for (index, event) in ready.iter().enumerate().skip(index + 1) {
            let still = copies.ask(index, event);
            problems
                .extend(still.err().map(|why| format!("after the end of copy {letter}: {why}")));
        }
    }
    copies.finish(problems);
    codes
}

fn sentence(ready: &[Event], codes: &[i32]) -> String {
    let ports: Vec<u16> = ready.iter().filter_map(|event| event.port).collect();
    let times: Vec<u64> = ready.iter().filter_map(|event| event.ready_ms).collect();
    format!("ports {ports:?}, ready after {times:?} ms, exit codes {codes:?}")
}
