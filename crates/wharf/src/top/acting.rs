//! What is asked for by a key is done by the command of that name.

use std::process::{Command, Stdio};

use tokio::sync::mpsc::Sender;

/// Runs `wharf COMMAND NAME` and tells what it says, in one line.
pub(super) fn start(command: &'static str, name: String, tell: Sender<String>) {
    let work = move || {
        let own = std::env::current_exe().unwrap_or_else(|_| "wharf".into());
        let done = Command::new(own).args([command, &name]).stdin(Stdio::null()).output();
        let said = match done {
            Ok(output) => [output.stderr, output.stdout].concat(),
            Err(error) => format!("wharf {command} cannot be started: {error}").into_bytes(),
        };
        let said = super::reading::plain(&said);
        // Nobody is told once the screen has gone.
        let _ = tell.blocking_send(if said.is_empty() {
            format!("{command} {name}: done")
        } else {
            said
        });
    };
    std::thread::spawn(work);
}
