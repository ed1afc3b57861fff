//! systemd's user units (`man systemd.service`).

use wharf_model::service::Restart;

use crate::document::Document;
use crate::error::ExportError;
use crate::quote::{self, Unit};
use crate::site::{Handover, Server, one_line};

const FORMAT: &str = "systemd";

/// A unit for each server and step, and a target for all of them.
pub(crate) fn units(handover: &Handover) -> Result<Vec<Document>, ExportError> {
    if handover.servers.is_empty() {
        return Err(ExportError::Nothing { format: FORMAT, why: "it is about commands" });
    }
    let mut documents = vec![target(handover)];
    for server in &handover.servers {
        documents.push(Document::private(unit_name(handover, server), service(handover, server)?));
    }
    Ok(documents)
}

fn unit_name(handover: &Handover, server: &Server) -> String {
    format!("{}-{}.service", handover.name, server.label())
}

fn target_name(handover: &Handover) -> String {
    format!("{}.target", handover.name)
}

fn target(handover: &Handover) -> Document {
    let mut text = comments(handover);
    let wants: Vec<String> =
        handover.servers.iter().map(|server| unit_name(handover, server)).collect();
    text.push_str(&format!(
        "# For ~/.config/systemd/user/, then `systemctl --user daemon-reload` and\n# `systemctl --user \
         start {}`.\n[Unit]\nDescription={}\nWants={}\n\n[Install]\nWantedBy=default.target\n",
        target_name(handover),
        one_line(&handover.name),
        wants.join(" ")
    ));
    Document::new(target_name(handover), text)
}

fn comments(handover: &Handover) -> String {
    handover.preamble("systemd").iter().map(|line| format!("# {line}\n")).collect()
}

fn service(handover: &Handover, server: &Server) -> Result<String, ExportError> {
    let mut text = comments(handover);
    text.push_str(&format!(
        "[Unit]\nDescription={} of {} ({})\nPartOf={}\n",
        one_line(&server.called()).replace('%', "%%"),
        one_line(&handover.name),
        one_line(&server.source).replace('%', "%%"),
        target_name(handover)
    ));
    for service in &server.depends_on {
        let before = handover.servers.iter().filter(|other| other.key.service == *service);
        for other in before.filter(|other| other.checkout == server.checkout) {
            let name = unit_name(handover, other);
            // A step has to have succeeded; a server has only to have been started.
            let need = if other.is_step { "Requires" } else { "Wants" };
            text.push_str(&format!("{need}={name}\nAfter={name}\n"));
        }
    }
    text.push_str("\n[Service]\n");
    if server.is_step {
        text.push_str("Type=oneshot\nRemainAfterExit=yes\n");
    }
    text.push_str(&format!("WorkingDirectory={}\n", quote::systemd_path(&server.dir)?));
    for (name, value) in &server.here.env {
        let pair = quote::systemd(&format!("{name}={value}"), Unit::Word)?;
        text.push_str(&format!("Environment={pair}\n"));
    }
    // The manager's own is rarely that of the shell in which node or a virtual environment is found.
    if let Some(path) = &handover.path
        && !server.here.env.iter().any(|(name, _)| name == "PATH")
    {
        let pair = quote::systemd(&format!("PATH={path}"), Unit::Word)?;
        text.push_str(&format!("Environment={pair}\n"));
    }
    text.push_str(&format!("ExecStart={}\n", command(server)?));
    text.push_str(match server.restart {
        Restart::No => "",
        Restart::OnFailure => "Restart=on-failure\n",
        Restart::Always => "Restart=always\n",
    });
    text.push_str(&format!(
        "KillSignal=SIG{}\nTimeoutStopSec={}\n",
        server.stop_signal.trim_start_matches("SIG"),
        server.stop_grace.as_secs().max(1)
    ));
    text.push_str(&format!("\n[Install]\nWantedBy={}\n", target_name(handover)));
    Ok(text)
}

/// A program by its name is looked for by the manager where it was built to look; a shell looks on the unit's path.
fn command(server: &Server) -> Result<String, ExportError> {
    let mut words = Vec::new();
    for word in &server.here.argv {
        words.push(quote::text(FORMAT, word)?);
    }
    if let Some(program) = words.first_mut().filter(|program| **program == "sh") {
        *program = "/bin/sh";
    }
    let quoted = |word: &&str| quote::systemd(word, Unit::Exec);
    let all = words.iter().map(quoted).collect::<Result<Vec<_>, _>>()?.join(" ");
    match words.first() {
        Some(program) if program.starts_with('/') => Ok(all),
        // `$0` and `$@` are the shell's.
        Some(_) => Ok(format!("/bin/sh -c \"exec \\\"$$0\\\" \\\"$$@\\\"\" {all}")),
        None => Err(ExportError::NoForm {
            format: FORMAT,
            what: format!("the command of `{}`", server.called()),
            why: "it is not known",
        }),
    }
}
