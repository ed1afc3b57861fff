//! What the shape alone cannot say of a data file.

use std::collections::BTreeSet;

use crate::entry::{By, Entry, PortsFile, RunnerEntry};

type Checked = Result<(), String>;

fn require(holds: bool, why: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(why.into()) }
}

pub(crate) fn entry(entry: &Entry, stem: &str) -> Checked {
    require(entry.id == stem, format!("`id` is {:?}, the file's name says {stem:?}", entry.id))?;
    require(entry.conventional != 0, "`conventional` is 0")?;
    require(!entry.sources.is_empty(), "`sources` is empty")?;
    let detect = &entry.detect;
    require(
        !(detect.commands.is_empty()
            && detect.commands_with_dep.is_empty()
            && detect.code.is_empty()
            && detect.deps.is_empty()),
        "`detect` can never match",
    )?;
    require(
        detect.commands_with_dep.is_empty() || !detect.deps.is_empty(),
        "`detect.commands_with_dep` needs `detect.deps`",
    )?;
    injection(entry)?;
    let i = &entry.inject;
    let texts = i.env.values().chain(i.env_append.values()).chain(i.env_host.values());
    let texts = texts
        .chain(i.env_extra.values())
        .chain(i.env_default.values())
        .chain(&i.args)
        .chain(&i.args_host);
    let texts = texts.chain(&i.args_extra).chain(&i.template).chain(&i.replace);
    for text in texts {
        placeholders(text, &["host", "port", "port2"])?;
    }
    let words =
        ["python", "mvn", "gradle", "ruby", "bundle", "entry", "module", "object", "gomain"];
    for bare in &entry.bare {
        require(!bare.argv.is_empty(), "`bare.argv` is empty")?;
        require(!bare.files.is_empty(), "`bare.files` is empty")?;
        for word in &bare.argv {
            placeholders(word, &[&words[..], &["host", "port"]].concat())?;
        }
    }
    Ok(())
}

fn injection(entry: &Entry) -> Checked {
    let i = &entry.inject;
    let says = |by| i.by == by || i.else_by == Some(by);
    let port_env = i.env.values().chain(i.env_append.values()).any(|text| text.contains("{port}"));
    let port_args = i.args.iter().any(|text| text.contains("{port}"));
    require(!says(By::Env) || port_env, "`inject.by = \"env\"` but no variable has {port}")?;
    require(
        i.by != By::Flag || port_args || i.replace.is_some(),
        "`inject.by = \"flag\"` but `args` has no {port}",
    )?;
    require(
        (i.by == By::Positional) == i.positional.is_some(),
        "`inject.positional` goes with `inject.by = \"positional\"`",
    )?;
    require(
        i.positional.is_some() == i.template.is_some(),
        "`inject.template` goes with `inject.positional`",
    )?;
    require(
        (i.by == By::Config) == i.derive.is_some(),
        "`inject.derive` goes with `inject.by = \"config\"`",
    )?;
    require(i.only.is_empty() || i.else_by.is_some(), "`inject.only` needs `inject.else_by`")
}

/// Every `{word}` of a template is known, so that a misspelt one does not reach a program.
fn placeholders(text: &str, known: &[&str]) -> Checked {
    for part in text.split('{').skip(1) {
        let name = part.split_once('}').map(|(name, _)| name).unwrap_or_default();
        require(known.contains(&name), format!("{text:?} has an unknown placeholder"))?;
    }
    Ok(())
}

pub(crate) fn runner(entry: &RunnerEntry, stem: &str) -> Checked {
    require(entry.id == stem, format!("`id` is {:?}, the file's name says {stem:?}", entry.id))?;
    require(!entry.runner.programs.is_empty(), "`runner.programs` is empty")
}

pub(crate) fn ports(file: &PortsFile) -> Checked {
    let blocked: BTreeSet<u16> = file.facts.browser_bad_ports.iter().copied().collect();
    for pair in file.port.windows(2) {
        require(pair[0].number < pair[1].number, format!("port {} stands twice", pair[1].number))?;
    }
    for port in &file.port {
        let n = port.number;
        require(
            port.browser_blocked == blocked.contains(&n),
            format!("port {n}: `browser_blocked` contradicts `facts.browser_bad_ports`"),
        )?;
        require(port.privileged == (n < 1024), format!("port {n}: `privileged` is wrong"))?;
        require(
            port.in_linux_ephemeral == (32768..=60999).contains(&n),
            format!("port {n}: `in_linux_ephemeral` is wrong"),
        )?;
    }
    Ok(())
}
