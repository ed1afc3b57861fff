//! The proof of a server on demand: nothing runs until somebody connects, and the very first request is
//! answered by it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::copies::{Copies, Problems};
use super::place::Place;
use super::spec::{Book, Run};

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut copies = Copies::start(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let mut problems = Problems::new();
    let said = asked(&mut copies, &mut problems);
    copies.finish(&mut problems);
    match said {
        Ok(said) if problems.is_empty() => Ok(said),
        Ok(_) => Err(copies.failure(&problems)),
        Err(why) => {
            problems.push(why);
            Err(copies.failure(&problems))
        }
    }
}

fn asked(copies: &mut Copies, problems: &mut Problems) -> Result<String, String> {
    let deadline = Instant::now() + copies.run.ready_within();
    let port = copies.all[0].event("dormant", deadline)?.port.ok_or("dormant without a port")?;
    copies.note_daemon(problems);
    if copies.all[0].events()?.iter().any(|event| event.event == "launched") {
        return Err("it was launched before anybody asked".to_owned());
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let began = Instant::now();
    copies.answer(0, address).map_err(|why| format!("the first request: {why}"))?;
    let first = began.elapsed().as_millis();
    copies.all[0].event("ready", deadline)?;
    copies.answer(0, address).map_err(|why| format!("the second request: {why}"))?;
    copies.check_exposure(problems);
    copies.all[0].ask_to_end()?;
    let code = copies.gone(0, (Ipv4Addr::UNSPECIFIED, port).into())?;
    Ok(format!("port {port}, first request after {first} ms, exit code {code}"))
}
