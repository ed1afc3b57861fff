//! What a web server in front of a project is told: which names and paths lead to which servers.
//!
//! nginx's configuration and Caddy's Caddyfile come down to the same few words, [`Route`]; what they say beyond
//! that is kept as [`Left`], so that nothing is dropped without a word.

pub mod caddy;
pub mod nginx;

mod files;
mod upstream;

use std::fmt;
use std::path::{Path, PathBuf};

pub use upstream::{Host, Upstream};

use crate::error::PlanError;

/// The most routes that are read. A file with more is none that a person wrote.
const ROUTES_MAX: usize = 2000;

/// What was read of a web server's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// Where requests go, in the order of the file.
    pub routes: Vec<Route>,
    /// What is not taken over.
    pub left: Vec<Left>,
    /// The files that were read, the named one first.
    pub files: Vec<PathBuf>,
}

/// Some requests, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name in lower case; `None` for requests of any name, and of `localhost`.
    pub host: Option<String>,
    /// Whether it is about all names below that one, and not about that one.
    pub is_wildcard: bool,
    /// The path: that one and what is below it, such as `/api`; `None` for all that no other route has.
    pub path: Option<String>,
    /// The server.
    pub upstream: Upstream,
    /// Where the file says so.
    pub place: Place,
}

/// What is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it says, such as `root /srv`.
    pub what: String,
    /// Why it is left.
    pub why: String,
    /// Where the file says so.
    pub place: Place,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.file.display(), self.line)
    }
}

impl Place {
    fn new(file: &Path, line: usize) -> Place {
        Place { file: file.to_path_buf(), line }
    }

    fn wrong(&self, why: impl Into<String>) -> PlanError {
        PlanError::MalformedFile { path: self.file.clone(), line: self.line, why: why.into() }
    }
}

impl Front {
    fn leave(&mut self, what: impl Into<String>, why: impl Into<String>, place: &Place) {
        let left = Left { what: what.into(), why: why.into(), place: place.clone() };
        if !self.left.contains(&left) {
            self.left.push(left);
        }
    }

    /// Adds a route; of two for the same requests the first counts, as with both programs.
    fn add(&mut self, route: Route) -> Result<(), PlanError> {
        if self.routes.len() >= ROUTES_MAX {
            return Err(route.place.wrong(format!("more than {ROUTES_MAX} routes are not read")));
        }
        let is_same = |known: &Route| {
            (&known.host, known.is_wildcard, &known.path)
                == (&route.host, route.is_wildcard, &route.path)
        };
        match self.routes.iter().find(|known| is_same(known)) {
            None => self.routes.push(route),
            Some(known) if known.upstream == route.upstream => {}
            Some(known) => {
                let what = format!("{} to {}", route.requests(), route.upstream);
                let why = format!("{} has these requests already", known.place);
                self.leave(what, why, &route.place);
            }
        }
        Ok(())
    }
}

impl Route {
    /// The requests, for people: `api.shop.test/v1`.
    pub fn requests(&self) -> String {
        let below = if self.is_wildcard { "*." } else { "" };
        let host = self.host.as_deref().unwrap_or("any name");
        format!("{below}{host}{}", self.path.as_deref().unwrap_or(""))
    }
}

/// A name of a server as a host: in lower case. `None` for what means any.
fn host_of(text: &str) -> Option<String> {
    let lower = text.trim_end_matches('.').to_ascii_lowercase();
    (!matches!(lower.as_str(), "" | "_" | "localhost" | "127.0.0.1" | "[::1]")).then_some(lower)
}

/// A path as wharf means it, without a slash at its end; `None` for all paths.
fn path_of(text: &str) -> Option<String> {
    let bare = text.trim_end_matches('/');
    (!bare.is_empty()).then(|| bare.to_owned())
}

/// Paths that were named exactly, which wharf can say where what is below them goes to the same server.
#[derive(Default)]
struct Exact(Vec<Route>);

impl Exact {
    fn add(&mut self, route: Route) -> Result<(), PlanError> {
        if self.0.len() >= ROUTES_MAX {
            return Err(route.place.wrong(format!("more than {ROUTES_MAX} routes are not read")));
        }
        self.0.push(route);
        Ok(())
    }

    /// Tells of those that stand alone.
    fn settle(self, front: &mut Front) {
        for route in self.0 {
            let is_covered = front.routes.iter().any(|known| {
                (&known.host, known.is_wildcard, &known.upstream)
                    == (&route.host, route.is_wildcard, &route.upstream)
                    && (known.path == route.path || known.path.is_none())
            });
            if !is_covered {
                let why = "it is this path alone, and wharf's `paths` are about all below as well";
                front.leave(format!("exactly {}", route.requests()), why, &route.place);
            }
        }
    }
}
