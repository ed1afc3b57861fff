//! `cargo xtask real --names`: real servers behind their names, over http and over https, seen by a
//! browser that trusts the local CA of a throw-away home. Nobody's own stores are touched: the browser's
//! database of certificates is in that home, and the system's store is left alone.

pub mod browser;
mod cookies;
mod foreign;
mod form;
mod hot;
mod http2;
mod load;
mod plain;
mod restart;
mod streams;
mod tls;
mod waiting;
pub mod world;

use super::copies::Problems;
use super::place::Place;
use super::spec::{Book, ByName, Run};
use world::World;

/// The schemes that each name is asked by.
const SCHEMES: [&str; 2] = ["http", "https"];

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut world = World::open(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let said = match run.by_name {
        Some(ByName::Hot) => hot::prove(&mut world),
        Some(ByName::Form) => form::prove(&mut world),
        Some(ByName::Cookies) => cookies::prove(&mut world),
        Some(ByName::Foreign) => foreign::prove(&mut world),
        Some(ByName::Waiting) => waiting::prove(&mut world),
        Some(ByName::Streams) => streams::prove(&mut world),
        Some(ByName::Restart) => restart::prove(&mut world),
        Some(ByName::Plain) => plain::prove(&mut world),
        Some(ByName::Tls) => tls::prove(&mut world),
        Some(ByName::Http2) => http2::prove(&mut world),
        None => Err("the table does not say what is proved".to_owned()),
    };
    let mut problems = Problems::new();
    problems.extend(said.as_ref().err().cloned());
    let evidence = if said.is_err() { world.evidence() } else { String::new() };
    world.close(&mut problems);
    match said {
        Ok(said) if problems.is_empty() => Ok(said),
        _ => {
            let problems: String = problems.iter().map(|one| format!("  - {one}\n")).collect();
            Err(problems + &evidence + &world.evidence())
        }
    }
}
