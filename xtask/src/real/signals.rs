//! Signals, sent by the shell's own `kill`: the standard library sends none but KILL.

use std::process::Command;

/// Sends the signal `name` to `target`: a process id, or minus the id of a process group.
pub fn send(name: &str, target: &str) -> Result<(), String> {
    let done = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\"", name, target])
        .output()
        .map_err(|error| format!("cannot run a shell to send {name}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("cannot send {name} to {target}: {}", said.trim()))
}
