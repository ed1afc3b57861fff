//! The shape of the data files. An unknown key is an error, so a misspelt one cannot go unnoticed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A framework, or a package manager's script runner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) lang: Lang,
    pub(crate) category: String,
    pub(crate) tested: Option<String>,
    pub(crate) verified: Verified,
    pub(crate) proof: Proof,
    pub(crate) conventional: u16,
    #[serde(default)]
    pub(crate) further_ports: Vec<u16>,
    pub(crate) bind: String,
    pub(crate) probe: Probe,
    pub(crate) reads_port_env: Reads,
    pub(crate) loopback_advice: Option<String>,
    pub(crate) notes: Option<String>,
    pub(crate) detect: Detect,
    pub(crate) inject: Inject,
    #[serde(default)]
    pub(crate) typed: Typed,
    pub(crate) socket: Option<TakesSocket>,
    #[serde(default)]
    pub(crate) settings: Vec<Setting>,
    #[serde(default)]
    pub(crate) bare: Vec<Bare>,
    pub(crate) facts: BTreeMap<Fact, Value>,
    pub(crate) sources: BTreeMap<String, String>,
}

/// How a listening socket is taken as descriptor 3. An empty table: by systemd's own variables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakesSocket {
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) address: Option<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
    #[serde(default)]
    pub(crate) unless_env: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunnerEntry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tested: String,
    pub(crate) verified: Verified,
    pub(crate) proof: Proof,
    pub(crate) runner: Runner,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) sources: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runner {
    pub(crate) programs: Vec<String>,
    pub(crate) run: Vec<String>,
    #[serde(default)]
    pub(crate) shorthands: Vec<String>,
    #[serde(default)]
    pub(crate) exec: Vec<String>,
    pub(crate) any_script: bool,
    pub(crate) double_dash: DoubleDash,
    pub(crate) lockfiles: Vec<String>,
    pub(crate) package_manager: String,
    #[serde(default)]
    pub(crate) dir_flags: Vec<String>,
    #[serde(default)]
    pub(crate) value_flags: Vec<String>,
    #[serde(default)]
    pub(crate) workspace_flags: Vec<String>,
    #[serde(default)]
    pub(crate) own_flags: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Detect {
    pub(crate) commands: Vec<String>,
    pub(crate) commands_with_dep: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) titles: Vec<String>,
    pub(crate) deps: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) code: Vec<String>,
    pub(crate) entry: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inject {
    pub(crate) by: By,
    pub(crate) else_by: Option<By>,
    #[serde(default)]
    pub(crate) only: Vec<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) env_append: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) env_host: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) env_extra: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) env_default: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    #[serde(default)]
    pub(crate) args_host: Vec<String>,
    #[serde(default)]
    pub(crate) args_extra: Vec<String>,
    pub(crate) page: Option<Page>,
    #[serde(default)]
    pub(crate) env_beats_flag: bool,
    #[serde(default)]
    pub(crate) flag_adds_listener: bool,
    #[serde(default = "yes")]
    pub(crate) port_variable: bool,
    pub(crate) derive: Option<Derive>,
    pub(crate) positional: Option<Positional>,
    pub(crate) template: Option<String>,
    pub(crate) replace: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub(crate) args: Vec<String>,
    pub(crate) package: String,
    pub(crate) since: u32,
    pub(crate) files: String,
    pub(crate) unless: Vec<String>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Typed {
    pub(crate) port: Vec<String>,
    pub(crate) host: Vec<String>,
    pub(crate) address: Vec<String>,
    pub(crate) inline: Vec<String>,
    pub(crate) value_flags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) file: String,
    pub(crate) kind: SettingKind,
    pub(crate) key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bare {
    pub(crate) order: u16,
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) deps: Vec<String>,
    #[serde(default)]
    pub(crate) code: Vec<String>,
    pub(crate) argv: Vec<String>,
}

/// A descriptive value; only people read it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl Value {
    pub(crate) fn text(&self) -> String {
        match self {
            Value::Flag(true) => "yes".to_owned(),
            Value::Flag(false) => "no".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrappers {
    pub(crate) wrapper: Vec<Wrapper>,
    pub(crate) interpreter: Vec<Interpreter>,
    pub(crate) tool: Vec<Tool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) programs: Vec<String>,
    pub(crate) env_append: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrapper {
    pub(crate) programs: Vec<String>,
    #[serde(default)]
    pub(crate) sub: Vec<String>,
    #[serde(default)]
    pub(crate) value_flags: Vec<String>,
    #[serde(default)]
    pub(crate) shell_flags: Vec<String>,
    #[serde(default)]
    pub(crate) dir_flags: Vec<String>,
    #[serde(default)]
    pub(crate) module_flags: Vec<String>,
    #[serde(default)]
    pub(crate) positionals: u8,
    #[serde(default)]
    pub(crate) assignments: bool,
    #[serde(default)]
    pub(crate) after_dashes: bool,
    #[serde(default)]
    pub(crate) versioned: bool,
    #[serde(default)]
    pub(crate) shell_words: bool,
    #[serde(default)]
    pub(crate) several: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interpreter {
    pub(crate) programs: Vec<String>,
    pub(crate) lang: Lang,
    #[serde(default)]
    pub(crate) sub: Vec<String>,
    #[serde(default)]
    pub(crate) value_flags: Vec<String>,
    #[serde(default)]
    pub(crate) module_flags: Vec<String>,
    #[serde(default)]
    pub(crate) code_flags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortsFile {
    pub(crate) facts: PortRules,
    pub(crate) port: Vec<PortEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortRules {
    pub(crate) browser_bad_ports: Vec<u16>,
    pub(crate) statement: Vec<Statement>,
    pub(crate) sources: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    pub(crate) about: Vec<u16>,
    pub(crate) text: String,
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) corrects: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortEntry {
    pub(crate) number: u16,
    #[serde(default)]
    pub(crate) iana_name: String,
    pub(crate) iana_status: String,
    #[serde(default)]
    pub(crate) iana_description: String,
    #[serde(default)]
    pub(crate) iana_range: String,
    #[serde(default)]
    pub(crate) iana_unauthorized_use: String,
    pub(crate) dev_users: Vec<String>,
    #[serde(default)]
    pub(crate) nmap_name: String,
    pub(crate) nmap_rank: Option<u32>,
    #[serde(default)]
    pub(crate) nmap_frequency: String,
    pub(crate) nmap_rank_tied_with: Option<u32>,
    pub(crate) nmap_listed: Option<bool>,
    pub(crate) nmap_top100: bool,
    pub(crate) nmap_top1000: bool,
    pub(crate) browser_blocked: bool,
    pub(crate) privileged: bool,
    pub(crate) in_linux_ephemeral: bool,
    #[serde(default)]
    pub(crate) notes: String,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        #[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) enum $name { $(#[serde(rename = $word)] $variant),+ }
    };
}

words!(Lang {
    Python = "python", Js = "js", Java = "java", Scala = "scala", Kotlin = "kotlin", Ruby = "ruby",
    Php = "php", Go = "go", Rust = "rust", Elixir = "elixir", Dotnet = "dotnet", Any = "any",
});
words!(Verified { Run = "run", Source = "source", Docs = "docs" });
words!(Proof { Run = "run", Fixture = "fixture" });
words!(Probe { Http = "http", Listen = "listen" });
words!(Reads { Always = "always", IfCoded = "if-coded", Never = "never" });
words!(By {
    Env = "env", Flag = "flag", Positional = "positional", Config = "config",
    Preload = "preload", Code = "code", None = "none",
});
words!(Derive { Nginx = "nginx", Tomcat = "tomcat" });
words!(Positional { Port = "port", Address = "address", FlagAddress = "flag-address" });
words!(DoubleDash { Required = "required", Forwarded = "forwarded", Dropped = "dropped" });
words!(SettingKind {
    Dotenv = "dotenv", Properties = "properties", Yaml = "yaml", Toml = "toml", Text = "text",
    Vite = "vite",
});
words!(Fact {
    ExtraPorts = "extra_ports", ConfigKey = "config_key", Precedence = "precedence",
    Strict = "strict", PositionalForms = "positional_forms", ArgvRule = "argv_rule",
    BusyDefault = "busy_default", BusyExplicit = "busy_explicit", BusyRc = "busy_rc",
    BusyText = "busy_text", Ready = "ready", ReadyTrust = "ready_trust", Health = "health",
    HostCheck = "host_check", LocalhostSub = "localhost_sub", LocalhostMulti = "localhost_multi",
    HostReject = "host_reject", HostAllow = "host_allow", Hmr = "hmr", Process = "process",
    Start = "start",
});
