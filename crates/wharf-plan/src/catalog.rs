//! The catalog of frameworks: static tables that the build makes from `catalog/*.toml`.

use wharf_model::plan::TakesSocket;

/// One framework or server.
#[derive(Debug)]
pub struct Framework {
    /// The name of its data file, such as `django-runserver`.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// What it is written for.
    pub lang: Lang,
    /// What kind of thing it is: `framework`, `bundler`, `datastore`…
    pub category: &'static str,
    /// The version that the facts were taken from.
    pub tested: Option<&'static str>,
    /// How the facts were obtained.
    pub verified: Verified,
    /// Which proof wharf itself has of detection and injection.
    pub proof: Proof,
    /// The conventional ports, the service's own first; never empty.
    pub ports: &'static [u16],
    /// Where it binds when nobody says otherwise.
    pub bind: &'static str,
    /// How to know that it serves.
    pub probe: Probe,
    /// Whether it reads `PORT`.
    pub reads_port_env: Reads,
    /// How a user makes it bind loopback where wharf cannot.
    pub loopback_advice: Option<&'static str>,
    /// What else is worth knowing.
    pub notes: Option<&'static str>,
    /// How it is recognised.
    pub detect: Detect,
    /// How the port is handed over.
    pub inject: Inject,
    /// How a port that the user typed is recognised.
    pub typed: Typed,
    /// How it takes a listening socket as its descriptor 3, where it can.
    pub socket: Option<TakesSocket>,
    /// Where a project keeps its own conventional port.
    pub settings: &'static [Setting],
    /// How it is started when nothing was typed.
    pub bare: &'static [Bare],
    /// Descriptions for `explain`.
    pub facts: &'static [(Fact, &'static str)],
    /// Where the facts come from: what, where.
    pub sources: &'static [(&'static str, &'static str)],
}

impl Framework {
    /// The conventional port.
    pub fn conventional(&self) -> u16 {
        self.ports[0]
    }

    /// Whether it may be a project's web service: it speaks HTTP and is not a store or a tool that
    /// stands beside the project.
    pub fn is_web(&self) -> bool {
        self.probe == Probe::Http && (self.lang != Lang::Any || self.category == "proxy")
    }

    /// Whether it runs the same project as another one: `flask run` and a script with `app.run()`.
    pub(crate) fn shares_dependency(&self, other: &Framework) -> bool {
        self.detect.deps.first().is_some_and(|first| other.detect.deps.first() == Some(first))
    }

    /// A description, where the catalog has one.
    pub fn fact(&self, fact: Fact) -> Option<&'static str> {
        self.facts.iter().find(|(name, _)| *name == fact).map(|(_, text)| *text)
    }

    /// Whether some way is known to make it bind a given host.
    pub fn takes_host(&self) -> bool {
        let i = &self.inject;
        let values = i.env.iter().chain(i.env_append).chain(i.env_host).map(|(_, value)| *value);
        values
            .chain(i.args.iter().chain(i.args_host).copied())
            .chain(i.template)
            .any(|text| text.contains("{host}"))
            || i.derive.is_some()
    }
}

/// How a framework is recognised.
#[derive(Debug)]
pub struct Detect {
    /// Word patterns of its commands.
    pub commands: &'static [&'static [&'static str]],
    /// Word patterns that count only with one of `deps`.
    pub commands_with_dep: &'static [&'static [&'static str]],
    /// Word patterns that are not a server, such as `vite build`.
    pub except: &'static [&'static [&'static str]],
    /// First words, as globs, of what its processes call themselves in place of their command line.
    pub titles: &'static [&'static str],
    /// Packages that a project with it depends on.
    pub deps: &'static [&'static str],
    /// Files that a project with it has, as globs.
    pub files: &'static [&'static str],
    /// Texts in the entry file that betray it.
    pub code: &'static [&'static str],
    /// Where the entry file usually is, as globs.
    pub entry: &'static [&'static str],
}

/// How the port is handed over.
#[derive(Debug)]
pub struct Inject {
    /// The best way.
    pub by: By,
    /// The way for a script, or for a command that `only` does not list.
    pub else_by: Option<By>,
    /// The commands to which the flags belong; empty means all.
    pub only: &'static [&'static [&'static str]],
    /// Variables that carry the port.
    pub env: &'static [(&'static str, &'static str)],
    /// Variables that carry flags, to which the port's is added.
    pub env_append: &'static [(&'static str, &'static str)],
    /// Variables that carry the host.
    pub env_host: &'static [(&'static str, &'static str)],
    /// Variables that make it behave: no browser, no second port.
    pub env_extra: &'static [(&'static str, &'static str)],
    /// Variables that make it behave, unless the user has set them.
    pub env_default: &'static [(&'static str, &'static str)],
    /// Flags that carry the port.
    pub args: &'static [&'static str],
    /// Flags that carry the host.
    pub args_host: &'static [&'static str],
    /// Flags that make it behave when flags are added at all.
    pub args_extra: &'static [&'static str],
    /// Flags that keep its page to the host that the page is from.
    pub page: Option<Page>,
    /// Whether a variable wins over the flag, so that both must say the same.
    pub env_beats_flag: bool,
    /// Whether a repeated flag opens a second listener instead of winning over the first.
    pub flag_adds_listener: bool,
    /// Whether `PORT` may be set.
    pub port_variable: bool,
    /// Which configuration file is derived.
    pub derive: Option<Derive>,
    /// What the positional argument is.
    pub positional: Option<Positional>,
    /// The positional argument.
    pub template: Option<&'static str>,
    /// What replaces the command's last word.
    pub replace: Option<&'static str>,
}

/// Flags that tell a page's own client to come back to the host that the page is from, and not to the
/// address that the server was handed.
#[derive(Debug)]
pub struct Page {
    /// The flags.
    pub args: &'static [&'static str],
    /// The package that knows them.
    pub package: &'static str,
    /// Its first major version that does.
    pub since: u32,
    /// The files that may say otherwise, as a glob.
    pub files: &'static str,
    /// Texts in them, or in the command, by which the user has decided it already.
    pub unless: &'static [&'static str],
}

/// How a port that the user typed is recognised.
#[derive(Debug)]
pub struct Typed {
    /// Flags whose value is a port.
    pub port: &'static [&'static str],
    /// Flags whose value is a host.
    pub host: &'static [&'static str],
    /// Flags whose value is a host and a port.
    pub address: &'static [&'static str],
    /// Texts inside a word that a port follows, such as `server.port=`.
    pub inline: &'static [&'static str],
    /// Other flags that take the next word.
    pub value_flags: &'static [&'static str],
}

/// Where a project keeps its own conventional port.
#[derive(Debug)]
pub struct Setting {
    /// The file, as a glob.
    pub file: &'static str,
    /// How it is read.
    pub kind: SettingKind,
    /// The key.
    pub key: &'static str,
}

/// How a framework is started when nothing was typed.
#[derive(Debug)]
pub struct Bare {
    /// The lower, the earlier it is tried.
    pub order: u16,
    /// One of these must be there.
    pub files: &'static [&'static str],
    /// One of these must be a dependency.
    pub deps: &'static [&'static str],
    /// One of these must stand in the file that was found.
    pub code: &'static [&'static str],
    /// The command.
    pub argv: &'static [&'static str],
}

/// A package manager that runs a project's scripts.
#[derive(Debug)]
pub struct Runner {
    /// The name of its data file.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The versions that the facts were taken from.
    pub tested: &'static str,
    /// How the facts were obtained.
    pub verified: Verified,
    /// Which proof wharf itself has of it.
    pub proof: Proof,
    /// The program's names.
    pub programs: &'static [&'static str],
    /// Subcommands that run a script.
    pub run: &'static [&'static str],
    /// Scripts that need no subcommand.
    pub shorthands: &'static [&'static str],
    /// Subcommands that run a package's program.
    pub exec: &'static [&'static str],
    /// Whether any script's or program's name can stand for a subcommand.
    pub any_script: bool,
    /// What it does with `--` before a script's flags.
    pub double_dash: DoubleDash,
    /// Files that show that a project uses it.
    pub lockfiles: &'static [&'static str],
    /// Its name in package.json's `packageManager`.
    pub package_manager: &'static str,
    /// Flags whose value is the folder to run in.
    pub dir_flags: &'static [&'static str],
    /// Other flags that take the next word.
    pub value_flags: &'static [&'static str],
    /// Flags whose value is the workspace to run in.
    pub workspace_flags: &'static [&'static str],
    /// Its own flags that people write after a script's name.
    pub own_flags: &'static [&'static str],
    /// Descriptions for `explain`.
    pub facts: &'static [(&'static str, &'static str)],
    /// Where the facts come from.
    pub sources: &'static [(&'static str, &'static str)],
}

/// A program whose arguments are another command.
#[derive(Debug)]
pub(crate) struct Wrapper {
    pub(crate) programs: &'static [&'static str],
    pub(crate) sub: &'static [&'static [&'static str]],
    pub(crate) value_flags: &'static [&'static str],
    pub(crate) shell_flags: &'static [&'static str],
    pub(crate) dir_flags: &'static [&'static str],
    pub(crate) module_flags: &'static [&'static str],
    pub(crate) positionals: u8,
    pub(crate) assignments: bool,
    pub(crate) after_dashes: bool,
    pub(crate) versioned: bool,
    pub(crate) shell_words: bool,
    pub(crate) several: bool,
}

/// A program that runs a script.
#[derive(Debug)]
pub(crate) struct Interpreter {
    pub(crate) programs: &'static [&'static str],
    pub(crate) lang: Lang,
    pub(crate) sub: &'static [&'static str],
    pub(crate) value_flags: &'static [&'static str],
    pub(crate) module_flags: &'static [&'static str],
    pub(crate) code_flags: &'static [&'static str],
}

/// A build tool that needs variables of its own.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) programs: &'static [&'static str],
    pub(crate) env_append: &'static [(&'static str, &'static str)],
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word that stands for it in the data files.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
    };
}

words!(
    /// What a framework is written for.
    Lang {
        /// Python.
        Python = "python",
        /// JavaScript or TypeScript.
        Js = "js",
        /// Java.
        Java = "java",
        /// Scala.
        Scala = "scala",
        /// Kotlin.
        Kotlin = "kotlin",
        /// Ruby.
        Ruby = "ruby",
        /// PHP.
        Php = "php",
        /// Go.
        Go = "go",
        /// Rust.
        Rust = "rust",
        /// Elixir.
        Elixir = "elixir",
        /// .NET.
        Dotnet = "dotnet",
        /// Any, or none.
        Any = "any",
    }
);
words!(
    /// How an entry's facts were obtained.
    Verified {
        /// By running it.
        Run = "run",
        /// By reading its source.
        Source = "source",
        /// From its documentation alone.
        Docs = "docs",
    }
);
words!(
    /// Which proof wharf has that detection and injection work.
    Proof {
        /// The real server is started in wharf's own tests.
        Run = "run",
        /// A fixture folder shows what is detected and injected; the server is not started.
        Fixture = "fixture",
    }
);
words!(
    /// How to know that it serves.
    Probe {
        /// By an HTTP answer.
        Http = "http",
        /// By its listener.
        Listen = "listen",
    }
);
words!(
    /// Whether a framework reads `PORT`.
    Reads {
        /// It does.
        Always = "always",
        /// Only if the project's own code does.
        IfCoded = "if-coded",
        /// It does not.
        Never = "never",
    }
);
words!(
    /// How the port reaches the program.
    By {
        /// By a variable.
        Env = "env",
        /// By a flag.
        Flag = "flag",
        /// By a positional argument.
        Positional = "positional",
        /// By a derived configuration file.
        Config = "config",
        /// By a preloaded module.
        Preload = "preload",
        /// By `PORT`, if the project's code reads it.
        Code = "code",
        /// In no known way.
        None = "none",
    }
);
words!(
    /// Which configuration file is derived.
    Derive {
        /// nginx.conf.
        Nginx = "nginx",
        /// Tomcat's server.xml.
        Tomcat = "tomcat",
    }
);
words!(
    /// What a positional argument is.
    Positional {
        /// A port.
        Port = "port",
        /// A port, perhaps after a host.
        Address = "address",
        /// A flag without which the program is no server, with a host and a port.
        FlagAddress = "flag-address",
    }
);
words!(
    /// What a package manager does with `--` before a script's flags.
    DoubleDash {
        /// Without it the flags are its own.
        Required = "required",
        /// It reaches the script.
        Forwarded = "forwarded",
        /// It is dropped.
        Dropped = "dropped",
    }
);
words!(
    /// How a settings file is read.
    SettingKind {
        /// `KEY=value` lines.
        Dotenv = "dotenv",
        /// `a.b = value` lines.
        Properties = "properties",
        /// Nested `key: value` lines.
        Yaml = "yaml",
        /// `[section]` and `key = value`.
        Toml = "toml",
        /// The first place where the key is followed by a number.
        Text = "text",
        /// As text, and `strictPort` with it.
        Vite = "vite",
    }
);
words!(
    /// A description for `explain`.
    Fact {
        /// Further listeners.
        ExtraPorts = "extra_ports",
        /// Where the port is configured.
        ConfigKey = "config_key",
        /// What wins over what.
        Precedence = "precedence",
        /// The flag that stops it from moving to another port.
        Strict = "strict",
        /// The forms of the positional argument.
        PositionalForms = "positional_forms",
        /// How its arguments behave.
        ArgvRule = "argv_rule",
        /// What it does when its default port is taken.
        BusyDefault = "busy_default",
        /// What it does when a given port is taken.
        BusyExplicit = "busy_explicit",
        /// The exit status then.
        BusyRc = "busy_rc",
        /// What it says then.
        BusyText = "busy_text",
        /// What it prints when it is ready.
        Ready = "ready",
        /// What that is worth.
        ReadyTrust = "ready_trust",
        /// Its health path.
        Health = "health",
        /// Whether it checks the Host header.
        HostCheck = "host_check",
        /// Whether `name.localhost` passes that check.
        LocalhostSub = "localhost_sub",
        /// Whether `a.b.localhost` does.
        LocalhostMulti = "localhost_multi",
        /// What a refused host gets.
        HostReject = "host_reject",
        /// How a host is allowed.
        HostAllow = "host_allow",
        /// How its live reload connects.
        Hmr = "hmr",
        /// Its processes.
        Process = "process",
        /// How it is usually started.
        Start = "start",
    }
);

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// Every framework, by id.
pub fn all() -> &'static [Framework] {
    FRAMEWORKS
}

/// The framework with this id.
pub fn by_id(id: &str) -> Option<&'static Framework> {
    FRAMEWORKS.iter().find(|framework| framework.id == id)
}

/// The package managers that run scripts.
pub fn runners() -> &'static [Runner] {
    RUNNERS
}

pub(crate) fn wrappers() -> &'static [Wrapper] {
    WRAPPERS
}

pub(crate) fn interpreters() -> &'static [Interpreter] {
    INTERPRETERS
}

pub(crate) fn tools() -> &'static [Tool] {
    TOOLS
}
