//! systemd's user units (`man systemd.service`).

use wharf_model::service::Restart;

use crate::document::Document;
use crate::error::ExportError;
use crate::quote::{self, Unit};
use crate::site::{Handover, Launch, Server, one_line};

const FORMAT: &str = "systemd";

/// A unit for each server and step, one for the socket of each that takes it, and a target for all of them.
pub(crate) fn units(handover: &Handover) -> Result<Vec<Document>, ExportError> {
    if handover.servers.is_empty() {
        return Err(ExportError::Nothing { format: FORMAT, why: "it is about commands" });
    }
    let mut documents = vec![target(handover)];
    for server in &handover.servers {
        documents.push(Document::private(unit_name(handover, server), service(handover, server)?));
        if server.passed.is_some() {
            documents.push(Document::new(socket_name(handover, server), socket(handover, server)));
        }
    }
    Ok(documents)
}

fn socket_name(handover: &Handover, server: &Server) -> String {
    format!("{}-{}.socket", handover.name, server.label())
}

fn unit_name(handover: &Handover, server: &Server) -> String {
    format!("{}-{}.service", handover.name, server.label())
}

fn target_name(handover: &Handover) -> String {
    format!("{}.target", handover.name)
}

fn target(handover: &Handover) -> Document {
    let mut text = comments(handover);
    let servers = handover.servers.iter();
    let passed = servers.clone().filter(|server| server.passed.is_some());
    let wants: Vec<String> = passed
        .map(|server| socket_name(handover, server))
        .chain(servers.map(|server| unit_name(handover, server)))
        .collect();
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

/// What both of a server's units begin with; `what` it is of the server, such as `the socket of `.
fn head(handover: &Handover, server: &Server, what: &str) -> String {
    format!(
        "{}[Unit]\nDescription={what}{} of {} ({})\nPartOf={}\n",
        comments(handover),
        one_line(&server.called()).replace('%', "%%"),
        one_line(&handover.name),
        one_line(&server.source).replace('%', "%%"),
        target_name(handover)
    )
}

/// Its service has the same name but for the end, so that systemd knows whose it is.
fn socket(handover: &Handover, server: &Server) -> String {
    format!(
        "{}\n[Socket]\nListenStream={}\nFileDescriptorName={}\n\n[Install]\nWantedBy=sockets.target\n",
        head(handover, server, "the socket of "),
        server.socket(),
        server.key.service
    )
}

fn service(handover: &Handover, server: &Server) -> Result<String, ExportError> {
    let launch = server.passed.as_ref().unwrap_or(&server.here);
    let mut text = head(handover, server, "");
    if server.passed.is_some() {
        let socket = socket_name(handover, server);
        text.push_str(&format!("Requires={socket}\nAfter={socket}\n"));
    }
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
    if server.passed.is_some() {
        text.push_str(&format!("Sockets={}\n", socket_name(handover, server)));
    }
    text.push_str(&format!("WorkingDirectory={}\n", quote::systemd_path(&server.dir)?));
    for (name, value) in &launch.env {
        let pair = quote::systemd(&format!("{name}={value}"), Unit::Word)?;
        text.push_str(&format!("Environment={pair}\n"));
    }
    // The manager's own is rarely that of the shell in which node or a virtual environment is found.
    if let Some(path) = &handover.path
        && !launch.env.iter().any(|(name, _)| name == "PATH")
    {
        let pair = quote::systemd(&format!("PATH={path}"), Unit::Word)?;
        text.push_str(&format!("Environment={pair}\n"));
    }
    // Told by its words already, gunicorn would take the same socket twice.
    if launch.argv.iter().any(|word| word.to_string_lossy().contains("fd://")) {
        text.push_str("UnsetEnvironment=LISTEN_FDS LISTEN_PID LISTEN_FDNAMES\n");
    }
    text.push_str(&format!("ExecStart={}\n", command(server, launch)?));
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
fn command(server: &Server, launch: &Launch) -> Result<String, ExportError> {
    let mut words = Vec::new();
    for word in &launch.argv {
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
