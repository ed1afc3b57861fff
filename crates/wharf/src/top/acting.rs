//! What is asked for by a key is done by the command of that name; a copy by whoever has the clipboard.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::mpsc::Sender;
use wharf_os::signals;

use super::state::Order;

/// What puts its input into the clipboard of a desktop, and the variable that says that there is one.
const CLIPBOARDS: [(&str, &[&str]); 4] = [
    ("WAYLAND_DISPLAY", &["wl-copy"]),
    ("DISPLAY", &["xclip", "-selection", "clipboard"]),
    ("DISPLAY", &["xsel", "--input", "--clipboard"]),
    ("WSL_DISTRO_NAME", &["clip.exe"]),
];

/// Runs `wharf COMMAND ADDRESS` and tells what it says, in one line.
pub(super) fn start(order: Order, tell: Sender<String>) {
    std::thread::spawn(move || {
        let Order { command, name, place } = order;
        let own = std::env::current_exe().unwrap_or_else(|_| "wharf".into());
        let mut process = Command::new(own);
        process.args([command, &place]).stdin(Stdio::null());
        let said = match signals::afresh(&mut process).output() {
            Ok(output) => [output.stderr, output.stdout].concat(),
            Err(error) => format!("wharf {command} cannot be started: {error}").into_bytes(),
        };
        let said = super::reading::plain(&said);
        let said = if said.is_empty() { format!("{command} {name}: done") } else { said };
        // Nobody is told once the screen has gone.
        let _ = tell.blocking_send(said);
    });
}

/// Has a program put the text into the desktop's clipboard, and tells whether one did.
pub(super) fn copy(text: String, tell: Sender<String>) {
    std::thread::spawn(move || {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let mut there = CLIPBOARDS.iter().filter(|(screen, _)| is_set(screen));
        let said = match there.find(|(_, words)| takes(words, &text)) {
            Some(_) => format!("copied {text}"),
            None => format!("sent to the terminal's clipboard, if it has one: {text}"),
        };
        let _ = tell.blocking_send(said);
    });
}

fn takes(words: &[&str], text: &str) -> bool {
    let mut process = Command::new(words[0]);
    process.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = signals::afresh(&mut process).spawn() else { return false };
    let written =
        child.stdin.take().is_some_and(|mut input| input.write_all(text.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}

/// What has a terminal put the text into its clipboard (OSC 52).
pub(super) fn to_clipboard(text: &str) -> String {
    format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_in_its_own_way_what_to_copy() {
        assert_eq!(to_clipboard("http://a"), "\x1b]52;c;aHR0cDovL2E=\x07");
    }
}
