//! The proof: two copies from unchanged files, each on its own port, each answering its own text.

use std::time::Instant;

use super::events::{self, Event};
use super::pair::{Pair, Problems};
use super::place::Place;
use super::spec::{Book, Expect, Run};

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut pair = Pair::start(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let mut problems = Problems::new();
    let said = both_ready(&mut pair, &mut problems).map(|ready| {
        while_ready(&mut pair, &ready, &mut problems);
        let codes = one_after_the_other(&mut pair, &ready, &mut problems);
        sentence(&ready, &codes)
    });
    if let (Some(said), true) = (said, problems.is_empty()) {
        return Ok(said);
    }
    Err(pair.failure(&problems))
}

fn both_ready(pair: &mut Pair, problems: &mut Problems) -> Option<[Event; 2]> {
    let deadline = Instant::now() + pair.run.ready_within();
    let [a, b] = &mut pair.copies;
    match (a.event("ready", deadline), b.event("ready", deadline)) {
        (Ok(a), Ok(b)) => Some([a, b]),
        (a, b) => {
            problems.extend([a, b].into_iter().filter_map(Result::err));
            None
        }
    }
}

fn while_ready(pair: &mut Pair, ready: &[Event; 2], problems: &mut Problems) {
    pair.note_daemon(problems);
    check_ports(pair, ready, problems);
    for (index, event) in ready.iter().enumerate() {
        problems.extend(pair.ask(index, event).err());
    }
    pair.check_exposure(problems);
    if pair.run.expect == Expect::Remapped {
        check_told(pair, ready, problems);
    }
}

fn check_ports(pair: &Pair, ready: &[Event; 2], problems: &mut Problems) {
    let ports = ready.each_ref().map(|event| event.port);
    let conventional = pair.run.port;
    if ports[0] == ports[1] {
        problems.push(format!("both copies are said to be ready on {:?}", ports[0]));
    }
    if !ports.contains(&Some(conventional)) {
        problems.push(format!("neither copy got the conventional port {conventional}: {ports:?}"));
    }
    for copy in &pair.copies {
        let wanted =
            copy.events().ok().and_then(|all| events::first(&all, "leased")?.requested_port);
        if wanted != Some(conventional) {
            let letter = copy.copy.letter;
            problems.push(format!("copy {letter} wanted port {wanted:?}, not {conventional}"));
        }
    }
}

/// Where the program named another port than it got, its user must read that somewhere.
fn check_told(pair: &Pair, ready: &[Event; 2], problems: &mut Problems) {
    let literal = pair.run.port.to_string();
    for (copy, event) in pair.copies.iter().zip(ready) {
        let real = event.port.unwrap_or(0).to_string();
        let told =
            copy.narration().iter().any(|line| line.contains(&literal) && line.contains(&real));
        if !told {
            let letter = copy.copy.letter;
            problems.push(format!("copy {letter}: no line of wharf names {literal} and {real}"));
        }
    }
}

/// Ends one copy while the other serves on, then that one, then the daemon.
fn one_after_the_other(pair: &mut Pair, ready: &[Event; 2], problems: &mut Problems) -> Vec<i32> {
    let mut codes = Vec::new();
    for index in 0..2 {
        let told = pair.copies[index].ask_to_end();
        let gone = told.and_then(|()| pair.gone(index, ready[index].port.unwrap_or(0)));
        match gone {
            Ok(code) => codes.push(code),
            Err(why) => problems.push(why),
        }
        if index == 0 {
            let still = pair.ask(1, &ready[1]);
            problems.extend(still.err().map(|why| format!("after the end of copy a: {why}")));
        }
    }
    pair.finish(problems);
    codes
}

fn sentence(ready: &[Event; 2], codes: &[i32]) -> String {
    let [a, b] = ready.each_ref().map(|event| event.port.unwrap_or(0));
    let [first, second] = ready.each_ref().map(|event| event.ready_ms.unwrap_or(0));
    format!("ports {a} and {b}, ready after {first} and {second} ms, exit codes {codes:?}")
}
