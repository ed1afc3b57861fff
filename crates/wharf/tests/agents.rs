//! Which agent a lease and an instance are of, and what a project tells agents of wharf.

mod sandbox;

use sandbox::{Answer, Sandbox, answer};
use serde_json::{Value, json};

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\nport = 8000\n");
    sandbox
}

/// A command of an agent that publishes these variables.
fn by(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]) -> Answer {
    let mut command = sandbox.wharf(args);
    command.env_remove("WHARF_AGENT").envs(variables.iter().copied());
    answer(command)
}

const CLAUDE: [(&str, &str); 2] =
    [("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "4721a313-bd20")];

fn claude() -> Value {
    json!({"name": "Claude Code", "session": "4721a313-bd20"})
}

#[test]
fn a_lease_tells_which_agent_and_session_asked() {
    let sandbox = project();
    let leased = by(&sandbox, &CLAUDE, &["port", "--json"]).json();
    assert_eq!(leased["leases"][0]["agent"], claude(), "{leased:#}");
    let named = [("WHARF_AGENT", "my-bot"), ("WHARF_SESSION", "7"), ("CLAUDECODE", "1")];
    let leased = by(&sandbox, &named, &["port", "--json"]).json();
    assert_eq!(leased["leases"][0]["agent"], json!({"name": "my-bot", "session": "7"}));
    let leased = sandbox.output(&["port", "--json"]).json();
    assert_eq!(leased["leases"][0].get("agent"), None, "a person is nobody's agent");
    let shown = sandbox.output(&["ls"]).out;
    assert!(shown.contains("BY") && shown.contains("my-bot"), "{shown}");
}

#[test]
fn what_no_terminal_should_see_is_not_taken_over() {
    let sandbox = project();
    let long = "x".repeat(500);
    let variables = [("WHARF_AGENT", "a\u{1b}[2J\nb"), ("WHARF_SESSION", &long)];
    let leased = by(&sandbox, &variables, &["port", "--json"]).json();
    let agent = &leased["leases"][0]["agent"];
    assert_eq!(agent["name"], "a[2Jb");
    assert_eq!(agent["session"].as_str().unwrap().len(), 128);
}

#[test]
fn instances_of_up_are_the_agents_who_brought_them_up() {
    let sandbox = project();
    let up = by(&sandbox, &CLAUDE, &["up", "-d", "--json"]).json();
    assert_eq!(up["instances"][0]["agent"], claude(), "{up:#}");
    let list = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(list["instances"][0]["agent"], claude(), "{list:#}");
    assert_eq!(list["leases"][0]["agent"], claude(), "{list:#}");
    let shown = sandbox.output(&["ls", "--wide"]).out;
    assert!(shown.contains("Claude Code 4721a313-bd20"), "{shown}");
    let who = sandbox.output(&["who", "8000"]);
    assert!(who.out.contains("asked for by Claude Code, session 4721a313-bd20"), "{who:?}");
    // Another one finds it there, and it stays the first one's.
    let again = by(&sandbox, &[("GEMINI_CLI", "1")], &["up", "-d", "--json"]).json();
    assert_eq!(again["instances"][0]["id"], up["instances"][0]["id"]);
    assert_eq!(again["instances"][0]["agent"], claude());
}

#[test]
fn ports_that_the_daemon_holds_are_the_agents_who_asked_for_them() {
    let sandbox = project();
    assert_eq!(sandbox.output(&["up", "-d"]).code, 0);
    by(&sandbox, &CLAUDE, &["tcp", "db", "5432"]);
    by(&sandbox, &CLAUDE, &["focus", "web", "--port", "3000"]);
    let asked_for = || -> Vec<String> {
        let list = sandbox.output(&["ls", "--json"]).json();
        let leases = list["leases"].as_array().expect("leases").iter();
        leases.filter(|lease| lease["agent"] == claude()).map(|l| l["port"].to_string()).collect()
    };
    assert_eq!(asked_for(), ["3000", "15432"]);
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    assert_eq!(asked_for(), ["3000", "15432"], "the next one holds them for the same");
}

#[test]
fn an_agent_that_publishes_nothing_is_known_by_its_process() {
    let sandbox = project();
    // A program of that name, which runs wharf.
    let agent = sandbox.file("bin/codex", "");
    let shell = std::fs::canonicalize("/bin/sh").expect("a shell");
    std::fs::copy(shell, &agent).expect("a copy");
    let mut command = sandbox.program(&agent);
    command.args(["-c", "\"$@\"; exit $?", "codex", env!("CARGO_BIN_EXE_wharf"), "port", "--json"]);
    command.env_remove("WHARF_AGENT");
    let leased = answer(command).json();
    let told = &leased["leases"][0]["agent"];
    assert_eq!(told["name"], "Codex", "{leased:#}");
    assert!(told["session"].as_str().unwrap().starts_with("pid "), "{leased:#}");
}

const SKILL: &str = ".claude/skills/wharf/SKILL.md";

fn init(sandbox: &Sandbox, args: &[&str]) -> Answer {
    sandbox.output(&[&["init", "agents"], args].concat())
}

#[test]
fn a_project_tells_agents_of_wharf_once() {
    let sandbox = project();
    let mine = "# Ours\r\n\r\n\tkeep \u{7}this  \r\nand this, without an end";
    let agents = sandbox.file("AGENTS.md", mine);
    let skill = sandbox.project().join(SKILL);
    let dry = init(&sandbox, &["--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.out.contains("+## Dev servers: use wharf") && !skill.exists(), "{dry:?}");
    assert!(!dry.out.contains('\u{7}'), "no control characters for the terminal");
    assert_eq!(std::fs::read_to_string(&agents).unwrap(), mine);
    let written = init(&sandbox, &[]);
    assert_eq!((written.code, &written.out), (0, &dry.out), "{written:?}");
    assert!(written.err.contains("claude mcp add wharf -- wharf mcp"), "{written:?}");
    let text = std::fs::read_to_string(&agents).unwrap();
    assert!(text.starts_with(mine) && text.contains("Never kill by name or port"), "{text}");
    assert!(!text[mine.len()..].replace("\r\n", "").contains('\n'), "lines end as they did");
    let told = std::fs::read_to_string(&skill).unwrap();
    assert!(told.starts_with("---\nname: wharf\ndescription: "), "{told}");
    let again = init(&sandbox, &["--json"]).json();
    let unchanged = |path: &str| json!({"path": path, "action": "unchanged"});
    assert_eq!(again["files"], json!([unchanged(SKILL), unchanged("AGENTS.md")]), "{again:#}");
    assert_eq!(std::fs::read_to_string(&agents).unwrap(), text);
    assert_eq!(init(&sandbox, &[]).out, "");
    // From below, and what somebody has written beside it stays.
    std::fs::create_dir(sandbox.project().join("sub")).unwrap();
    std::fs::write(&agents, text.replace("`wharf url`", "`curl`") + "after").unwrap();
    let mut command = sandbox.wharf(&["init", "agents", "--json"]);
    command.current_dir(sandbox.project().join("sub"));
    assert_eq!(answer(command).json()["files"][1]["action"], "updated");
    assert_eq!(std::fs::read_to_string(&agents).unwrap(), text + "after");
}

#[test]
fn what_is_not_wharfs_is_left_alone() {
    let sandbox = project();
    let outside = sandbox.dir().join("outside.md");
    let agents = sandbox.project().join("AGENTS.md");
    let refused = |sandbox: &Sandbox, word: &str| {
        let answer = init(sandbox, &[]);
        assert!(answer.code != 0 && answer.err.contains(word), "{answer:?}");
        assert!(answer.err.contains("help:"), "{answer:?}");
        // Neither file is written where one may not be.
        assert!(!sandbox.project().join(".claude").exists());
    };
    std::fs::write(&outside, "elsewhere\n").unwrap();
    std::os::unix::fs::symlink(&outside, &agents).unwrap();
    refused(&sandbox, "out of the project");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "elsewhere\n");
    std::fs::remove_file(&agents).unwrap();
    std::os::unix::fs::symlink(sandbox.dir().join("nothing"), &agents).unwrap();
    refused(&sandbox, "AGENTS.md is left as it is");
    std::fs::remove_file(&agents).unwrap();
    std::fs::create_dir(&agents).unwrap();
    refused(&sandbox, "no regular file");
    std::fs::remove_dir(&agents).unwrap();
    sandbox.file("AGENTS.md", "a\n<!-- wharf:end -->\n<!-- wharf:begin -->\n");
    refused(&sandbox, "a marker in line 2, 3");
    std::fs::remove_file(&agents).unwrap();
    // A link within the project is its owner's way to have one text by two names.
    sandbox.file("CLAUDE.md", "ours\n");
    std::os::unix::fs::symlink("CLAUDE.md", &agents).unwrap();
    assert_eq!(init(&sandbox, &[]).code, 0);
    let text = std::fs::read_to_string(sandbox.project().join("CLAUDE.md")).unwrap();
    assert!(text.starts_with("ours\n\n<!-- wharf:begin") && agents.is_symlink(), "{text}");
    // A skill that somebody else has written.
    let skill = sandbox.file(SKILL, "mine\n");
    let answer = init(&sandbox, &[]);
    assert!(answer.code == 4 && answer.err.contains("it is not wharf's"), "{answer:?}");
    assert_eq!(std::fs::read_to_string(skill).unwrap(), "mine\n");
}

#[test]
fn the_texts_can_be_printed_and_written_nowhere() {
    let sandbox = project();
    let printed = init(&sandbox, &["--print"]);
    assert!(
        printed.out.contains("name: wharf") && printed.out.contains("AGENTS.md:"),
        "{printed:?}"
    );
    assert!(!sandbox.project().join("AGENTS.md").exists());
    assert_eq!(sandbox.output(&["init"]).code, 2);
    let help = sandbox.output(&["init", "--help"]);
    assert!(help.out.contains("--dry-run"), "{help:?}");
}
