//! Who started a process, in words: a terminal of an editor, an agent, a session over the network.

use std::ffi::OsString;
use std::path::Path;

use wharf_facts::map::{Ancestor, Process};
use wharf_plan::project::Project;

/// What kind of program it was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program that writes code by itself.
    Agent,
    /// An editor, or its terminal.
    Editor,
    /// A terminal, or what keeps one.
    Terminal,
    /// A session from another machine.
    Remote,
}

/// The nearest ancestor that a person knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) kind: Kind,
    /// What people call it.
    pub(crate) name: &'static str,
    pub(crate) pid: u32,
    /// The worktree that an agent works in; empty for a main checkout.
    pub(crate) worktree: Option<String>,
}

/// Programs by the names that the kernel or their command line has.
const PROGRAMS: &[(&str, Kind, &str)] = &[
    ("claude", Kind::Agent, "Claude Code"),
    ("codex", Kind::Agent, "Codex"),
    ("aider", Kind::Agent, "aider"),
    ("gemini", Kind::Agent, "Gemini CLI"),
    ("opencode", Kind::Agent, "opencode"),
    ("cursor-agent", Kind::Agent, "Cursor agent"),
    ("copilot", Kind::Agent, "Copilot CLI"),
    ("goose", Kind::Agent, "goose"),
    ("amp", Kind::Agent, "Amp"),
    ("crush", Kind::Agent, "Crush"),
    ("qwen", Kind::Agent, "Qwen Code"),
    ("code", Kind::Editor, "VS Code"),
    ("code-insiders", Kind::Editor, "VS Code"),
    ("code-server", Kind::Editor, "VS Code"),
    ("codium", Kind::Editor, "VSCodium"),
    ("cursor", Kind::Editor, "Cursor"),
    ("windsurf", Kind::Editor, "Windsurf"),
    ("zed", Kind::Editor, "Zed"),
    ("zed-editor", Kind::Editor, "Zed"),
    ("idea", Kind::Editor, "IntelliJ IDEA"),
    ("pycharm", Kind::Editor, "PyCharm"),
    ("webstorm", Kind::Editor, "WebStorm"),
    ("goland", Kind::Editor, "GoLand"),
    ("rubymine", Kind::Editor, "RubyMine"),
    ("phpstorm", Kind::Editor, "PhpStorm"),
    ("clion", Kind::Editor, "CLion"),
    ("rustrover", Kind::Editor, "RustRover"),
    ("fleet", Kind::Editor, "Fleet"),
    ("studio", Kind::Editor, "Android Studio"),
    ("nvim", Kind::Editor, "Neovim"),
    ("vim", Kind::Editor, "Vim"),
    ("hx", Kind::Editor, "Helix"),
    ("helix", Kind::Editor, "Helix"),
    ("emacs", Kind::Editor, "Emacs"),
    ("sublime_text", Kind::Editor, "Sublime Text"),
    ("tmux: server", Kind::Terminal, "tmux"),
    ("tmux", Kind::Terminal, "tmux"),
    ("screen", Kind::Terminal, "screen"),
    ("zellij", Kind::Terminal, "Zellij"),
    ("gnome-terminal-", Kind::Terminal, "GNOME Terminal"),
    ("konsole", Kind::Terminal, "Konsole"),
    ("kitty", Kind::Terminal, "kitty"),
    ("alacritty", Kind::Terminal, "Alacritty"),
    ("wezterm-gui", Kind::Terminal, "WezTerm"),
    ("ghostty", Kind::Terminal, "Ghostty"),
    ("foot", Kind::Terminal, "foot"),
    ("xterm", Kind::Terminal, "xterm"),
    ("sshd", Kind::Remote, "ssh"),
    ("sshd-session", Kind::Remote, "ssh"),
    ("mosh-server", Kind::Remote, "mosh"),
];

/// Programs that run others, so that the words after them tell more than their names.
const INTERPRETERS: [&str; 7] = ["node", "MainThread", "python", "python3", "java", "bun", "deno"];

/// Where a process was started from.
pub(super) fn of(
    process: &Process,
    project: &mut dyn FnMut(&Path) -> Option<Project>,
) -> Option<Origin> {
    process.ancestry.iter().find_map(|ancestor| {
        let (kind, name) = recognised(ancestor)?;
        let project = match kind {
            Kind::Agent => ancestor.folder.as_deref().and_then(&mut *project),
            _ => None,
        };
        let worktree = project.map(|project| project.worktree);
        Some(Origin { kind, name, pid: ancestor.pid, worktree })
    })
}

/// The agent that a process was started from, if that is what it was started from, and its number.
pub(crate) fn agent_above(pid: u32) -> Option<(&'static str, u32)> {
    let ancestry = wharf_facts::map::ancestry(pid);
    let found = ancestry.iter().find_map(|ancestor| Some((recognised(ancestor)?, ancestor.pid)));
    let ((kind, name), pid) = found?;
    (kind == Kind::Agent).then_some((name, pid))
}

/// The editor that a process is, if it is one.
pub(crate) fn editor(process: &Process) -> Option<&'static str> {
    let named = known(&process.command).or_else(|| called(&process.argv));
    named.filter(|(kind, _)| *kind == Kind::Editor).map(|(_, name)| name)
}

fn recognised(ancestor: &Ancestor) -> Option<(Kind, &'static str)> {
    known(&ancestor.name).or_else(|| {
        let runs_others = INTERPRETERS.iter().any(|name| ancestor.name.starts_with(name));
        runs_others.then(|| called(&ancestor.argv)).flatten()
    })
}

fn known(name: &str) -> Option<(Kind, &'static str)> {
    PROGRAMS.iter().find(|(known, ..)| *known == name).map(|(_, kind, name)| (*kind, *name))
}

/// The program or script among the first words that is known.
fn called(argv: &[OsString]) -> Option<(Kind, &'static str)> {
    argv.iter().take(2).find_map(|word| {
        let file = Path::new(word).file_name()?.to_str()?;
        known(file.trim_end_matches(".js"))
    })
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name;
        match (self.kind, self.worktree.as_deref()) {
            (Kind::Agent, Some("")) => write!(f, "an agent ({name}) in the main checkout"),
            (Kind::Agent, Some(worktree)) => write!(f, "an agent ({name}) in worktree {worktree}"),
            (Kind::Agent, None) => write!(f, "an agent ({name})"),
            (Kind::Editor, _) => write!(f, "a terminal of {name}"),
            (Kind::Terminal, _) => f.write_str(name),
            (Kind::Remote, _) => write!(f, "a session by {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ancestor(name: &str, argv: &[&str]) -> Ancestor {
        let argv = argv.iter().map(OsString::from).collect();
        Ancestor { name: name.to_owned(), pid: 7, argv, folder: None }
    }

    #[test]
    fn programs_are_known_by_name_or_by_what_an_interpreter_runs() {
        for (name, argv, expected) in [
            ("code", &["/usr/share/code/code"][..], Some("VS Code")),
            ("claude", &["claude"], Some("Claude Code")),
            ("node", &["node", "/usr/lib/node_modules/@openai/codex/bin/codex.js"], Some("Codex")),
            ("python3", &["/venv/bin/python3", "/venv/bin/aider"], Some("aider")),
            ("tmux: server", &["tmux"], Some("tmux")),
            ("bash", &["bash", "claude"], None),
            ("node", &["node", "server.js"], None),
        ] {
            let found = recognised(&ancestor(name, argv)).map(|(_, name)| name);
            assert_eq!(found, expected, "{name} {argv:?}");
        }
    }

    #[test]
    fn origins_read_as_sentences() {
        let of = |kind, worktree: Option<&str>| {
            Origin { kind, name: "X", pid: 7, worktree: worktree.map(str::to_owned) }.to_string()
        };
        assert_eq!(of(Kind::Agent, Some("fix-login")), "an agent (X) in worktree fix-login");
        assert_eq!(of(Kind::Agent, Some("")), "an agent (X) in the main checkout");
        assert_eq!(of(Kind::Editor, None), "a terminal of X");
        assert_eq!(of(Kind::Remote, None), "a session by X");
    }
}
