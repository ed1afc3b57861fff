//! What one's own servers are asked, and what they have answered.

use std::collections::BTreeMap;

/// What is asked over HTTP, each by one `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The first page, by its right name.
    Home,
    /// The first page, by a name that another site would have (DNS rebinding).
    ForeignHost,
    /// The first page, as a script of another site asks for it.
    ForeignOrigin,
    /// A page that there is not.
    Missing,
    /// A file of Werkzeug's debugger.
    DebuggerFile,
    /// The project's environment.
    Dotenv,
    /// The project's repository.
    GitHead,
    /// What Node's inspector says of itself.
    Inspector,
    /// What Jupyter says to whoever may use it.
    JupyterStatus,
    /// What Docker says of itself.
    DockerVersion,
    /// The source map of the first script of the first page.
    SourceMap,
}

/// The host that no server of this machine has: names below `.example` belong to nobody (RFC 2606).
pub(super) const FOREIGN_HOST: &str = "rebind.example";

/// The origin of another site.
pub(super) const FOREIGN_ORIGIN: &str = "https://elsewhere.example";

impl Question {
    /// What every web server is asked.
    pub const OF_EVERYONE: [Question; 6] = [
        Question::Home,
        Question::ForeignHost,
        Question::ForeignOrigin,
        Question::Missing,
        Question::Dotenv,
        Question::GitHead,
    ];

    /// The path. A source map's is found in a page, and is no constant.
    pub fn path(self) -> &'static str {
        match self {
            Question::Home
            | Question::ForeignHost
            | Question::ForeignOrigin
            | Question::SourceMap => "/",
            Question::Missing => "/wharf-audit-page-that-is-not-there",
            Question::DebuggerFile => "/?__debugger__=yes&cmd=resource&f=debugger.js",
            Question::Dotenv => "/.env",
            Question::GitHead => "/.git/HEAD",
            Question::Inspector => "/json/version",
            Question::JupyterStatus => "/api/status",
            Question::DockerVersion => "/version",
        }
    }

    /// The host by which is asked; `None` for the server's own.
    pub fn host(self) -> Option<&'static str> {
        (self == Question::ForeignHost).then_some(FOREIGN_HOST)
    }

    /// The origin of the page that asks.
    pub fn origin(self) -> Option<&'static str> {
        (self == Question::ForeignOrigin).then_some(FOREIGN_ORIGIN)
    }
}

/// An answer over HTTP, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
    /// What was asked for.
    pub path: String,
}

impl Answer {
    /// The value of a field, the first of its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a success.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is a page of HTML.
    pub(super) fn is_page(&self) -> bool {
        self.field("content-type").is_some_and(|kind| kind.contains("text/html"))
    }

    /// `200 text/html`, for evidence.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.status, self.field("content-type").unwrap_or("without a type"))
    }
}

/// What a Redis server says to whoever asks without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Its answer to `PING`, such as `+PONG` or `-NOAUTH …`.
    pub ping: String,
    /// Whether it refuses clients from elsewhere (`protected-mode`), where it says so.
    pub is_protected: Option<bool>,
}

/// What a MongoDB server says to whoever asks without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mongo {
    /// Whether the names of its databases are told.
    pub lists_databases: bool,
}

/// Everything that a listener has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Over HTTP.
    pub http: BTreeMap<Question, Answer>,
    /// A Redis server's.
    pub redis: Option<Redis>,
    /// Whether a PostgreSQL server lets anybody in: what it asks for authentication, 0 for nothing.
    pub postgres: Option<u32>,
    /// A MongoDB server's.
    pub mongo: Option<Mongo>,
    /// Why it was asked nothing, or not everything.
    pub unasked: Option<String>,
}

impl Answers {
    /// The answer to a question.
    pub fn to(&self, question: Question) -> Option<&Answer> {
        self.http.get(&question)
    }
}
