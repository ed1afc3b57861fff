//! What the repository needs beside cargo itself: `cargo xtask NAME`.

#![forbid(unsafe_code)]

mod agents;
mod audited;
mod catalog;
mod composed;
mod examples;
mod handed_over;
mod licences;
mod load;
mod readme;
mod real;
mod repo;
mod third_party;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask tidy        check the house rules
cargo xtask licences    check the licences and the number of the dependencies
cargo xtask third-party write the licence texts of the crates in the program to stdout
cargo xtask readme      write the tables of frameworks in the documents
cargo xtask agents      `wharf mcp` by the protocol's official client; WHARF_BIN says which wharf is tested
cargo xtask audit       `wharf audit` of real servers; WHARF_BIN says which wharf is tested
cargo xtask examples    the suites under examples/, two at once; WHARF_BIN says which wharf is tested
cargo xtask handover    files of `wharf export` as other tools read them; WHARF_BIN says whose
cargo xtask load        10,000 leases by 64 processes; WHARF_BIN says which wharf is tested
cargo xtask real …      start real frameworks, some copies each; `--list` names the runs";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), String> {
    let (task, rest) = args.split_first().ok_or_else(|| format!("which task?\n{USAGE}"))?;
    match (task.as_str(), rest) {
        ("real", rest) => real::run(rest),
        ("agents", []) => agents::run(),
        ("audit", []) => audited::run(),
        ("examples", rest) => examples::run(rest),
        ("handover", []) => handed_over::run().and_then(|()| composed::run()),
        ("load", rest) => load::run(rest),
        ("tidy", []) => tidy::run(&repo::root()?),
        ("licences", []) => licences::run(&repo::root()?),
        ("third-party", []) => third_party::run(&repo::root()?),
        ("readme", []) => readme::run(&repo::root()?),
        _ => Err(format!("there is no task `{}`\n{USAGE}", args.join(" "))),
    }
}
