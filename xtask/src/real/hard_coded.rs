//! A program with a literal port, where nothing can give it another: one copy gets it, and wharf says
//! where; the other cannot, and must not be called ready.

use std::time::Instant;

use super::copies::{Copies, Problems};
use super::events::{self, Event};
use super::place::Place;
use super::spec::{Book, Run};
use super::wait;

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut copies = Copies::start(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let mut problems = Problems::new();
    let said = check(&mut copies, &mut problems);
    if let (Some(said), true) = (said, problems.is_empty()) {
        return Ok(said);
    }
    Err(copies.failure(&problems))
}

fn check(copies: &mut Copies, problems: &mut Problems) -> Option<String> {
    settle(copies);
    copies.note_daemon(problems);
    let ready = [0, 1].map(|index| ready_of(copies, index));
    let (winner, event) = match ready {
        [Some(event), None] => (0, event),
        [None, Some(event)] => (1, event),
        [None, None] => {
            problems.push("neither copy was called ready".to_owned());
            return None;
        }
        [Some(_), Some(_)] => {
            problems.push("both copies were called ready, and there is only one port".to_owned());
            return None;
        }
    };
    problems.extend(copies.ask(winner, &event).err());
    check_told(copies, winner, &event, problems);
    copies.check_exposure(problems);
    let lost = end(copies, 1 - winner, problems);
    problems.extend(copies.ask(winner, &event).err());
    let won = end(copies, winner, problems);
    copies.finish(problems);
    Some(format!("port {} once, exit codes {won:?} and {lost:?} without it", copies.run.port))
}

/// Until each copy is ready or has ended, or the time is over.
fn settle(copies: &mut Copies) {
    let deadline = Instant::now() + copies.run.ready_within();
    for index in 0..2 {
        wait::until(deadline, || {
            let ended = copies.all[index].ended().is_some();
            (ended || ready_of(copies, index).is_some()).then_some(())
        });
    }
}

fn ready_of(copies: &Copies, index: usize) -> Option<Event> {
    events::first(&copies.all[index].events().unwrap_or_default(), "ready").cloned()
}

fn check_told(copies: &Copies, winner: usize, event: &Event, problems: &mut Problems) {
    let literal = copies.run.port;
    if event.port != Some(literal) {
        problems
            .push(format!("called ready on {:?}, while the program took {literal}", event.port));
    }
    let literal = literal.to_string();
    if !copies.all[winner].narration().iter().any(|line| line.contains(&literal)) {
        problems.push(format!("no line of wharf names port {literal}, which the program took"));
    }
}

/// Ends a copy, unless it has ended by itself, and checks that it left nothing.
fn end(copies: &mut Copies, index: usize, problems: &mut Problems) -> Option<i32> {
    if copies.all[index].ended().is_none() {
        problems.extend(copies.all[index].ask_to_end().err());
    }
    let within = copies.run.gone_within();
    let code = copies.all[index].exit_code(within);
    problems.extend(copies.nothing_left(index).err());
    code.map_err(|why| problems.push(why)).ok()
}
