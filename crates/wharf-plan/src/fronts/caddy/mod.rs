//! The basics of a Caddyfile (<https://caddyserver.com/docs/caddyfile>): sites, paths, `reverse_proxy`.

mod imports;
mod lines;
mod matcher;

use std::collections::BTreeMap;
use std::path::Path;

use super::files::Files;
use super::{Exact, Front, Host, Place, Route, Upstream, host_of, path_of};
use crate::error::PlanError;

use imports::Imports;
use lines::{Line, lines};
use matcher::Matcher;

/// How many paths of several matchers together are looked at.
const PATHS_MAX: usize = 200;

/// What changes answers and has no word of wharf's.
const LEFT: &[&str] = &[
    "abort",
    "acme_server",
    "basic_auth",
    "basicauth",
    "error",
    "file_server",
    "forward_auth",
    "handle_errors",
    "invoke",
    "map",
    "method",
    "php_fastcgi",
    "redir",
    "respond",
    "rewrite",
    "root",
    "templates",
    "try_files",
    "uri",
    "push",
];

/// Those of them that change the path that a server gets to see.
const REWRITES: &[&str] = &["rewrite", "uri", "try_files", "method"];

/// Reads a Caddyfile and what it imports.
///
/// # Errors
/// A file cannot be read, is too large, or is no Caddyfile.
pub fn read(path: &Path) -> Result<Front, PlanError> {
    let mut files = Files::new();
    let text = files.first(path)?;
    let mut front = of(path, &text, &mut files)?;
    front.files = files.read;
    Ok(front)
}

/// Reads a text alone, whatever it imports.
///
/// # Errors
/// It is no Caddyfile.
pub fn of_text(path: &Path, text: &str) -> Result<Front, PlanError> {
    of(path, text, &mut Files::none())
}

fn of(path: &Path, text: &str, files: &mut Files) -> Result<Front, PlanError> {
    let mut imports = Imports::new(files);
    let all = imports.resolve(lines(path, text)?)?;
    let mut whole = Whole::default();
    for (line, why) in &imports.missing {
        whole.front.leave(line.shown(), *why, &line.place);
    }
    whole.sites(all)?;
    let Whole { mut front, exact } = whole;
    exact.settle(&mut front);
    Ok(front)
}

#[derive(Default)]
struct Whole {
    front: Front,
    exact: Exact,
}

/// Which requests come to a place of the file.
#[derive(Clone)]
struct Scope {
    hosts: Vec<(Option<String>, bool)>,
    /// The paths, each with whether what is below it belongs to it; `None` for all.
    paths: Option<Vec<(String, bool)>>,
    /// Why nothing of it can be taken over.
    why: Option<&'static str>,
}

impl Whole {
    fn sites(&mut self, all: Vec<Line>) -> Result<(), PlanError> {
        // A file about one site alone needs no braces.
        let first = all.iter().find(|line| !line.words.is_empty());
        if let Some(first) = first.filter(|line| line.block.is_none()) {
            let hosts = self.addresses(first);
            let at = all.iter().position(|line| line.place == first.place).unwrap_or(0) + 1;
            return self.site(hosts, &all[at..]);
        }
        for line in &all {
            if line.words.is_empty() || line.name().starts_with("&(") {
                continue;
            }
            match &line.block {
                Some(inner) => {
                    let hosts = self.addresses(line);
                    self.site(hosts, inner)?;
                }
                None => {
                    self.front.leave(line.shown(), "it stands outside of all sites", &line.place);
                }
            }
        }
        Ok(())
    }

    fn site(
        &mut self,
        hosts: Vec<(Option<String>, bool)>,
        inner: &[Line],
    ) -> Result<(), PlanError> {
        if hosts.is_empty() {
            return Ok(());
        }
        let named = matcher::named(inner);
        self.lines(&Scope { hosts, paths: None, why: None }, &named, inner)
    }

    fn addresses(&mut self, line: &Line) -> Vec<(Option<String>, bool)> {
        let mut hosts = Vec::new();
        let words = line.words.iter().flat_map(|word| word.split(',')).filter(|w| !w.is_empty());
        for word in words {
            match address(word) {
                Some(host) if hosts.contains(&host) => {}
                Some(host) => hosts.push(host),
                None => {
                    let why = "wharf knows names and all below a name, and no other patterns";
                    self.front.leave(format!("site {word}"), why, &line.place);
                }
            }
        }
        hosts
    }

    fn lines(
        &mut self,
        scope: &Scope,
        named: &BTreeMap<&str, Matcher>,
        lines: &[Line],
    ) -> Result<(), PlanError> {
        let mut scope = scope.clone();
        if lines.iter().any(|line| REWRITES.contains(&line.name())) {
            scope.why = Some("the path is rewritten, and wharf passes paths on as they are");
        }
        for line in lines {
            let (matcher, rest) = matcher::inline(line.arguments(), named);
            match line.name() {
                "reverse_proxy" => self.proxies(&scope.within(matcher), rest, line)?,
                "handle" | "route" => {
                    self.lines(&scope.within(matcher), named, line.inner())?;
                }
                "handle_path" => {
                    let mut scope = scope.within(matcher);
                    scope.why = Some("the path is cut off, and wharf passes paths on as they are");
                    self.lines(&scope, named, line.inner())?;
                }
                name if LEFT.contains(&name) => {
                    let why = "wharf passes requests on, and does nothing else with them";
                    self.front.leave(line.shown(), why, &line.place);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn proxies(&mut self, scope: &Scope, rest: &[String], line: &Line) -> Result<(), PlanError> {
        if let Some(why) = scope.why {
            self.front.leave(line.shown(), why, &line.place);
            return Ok(());
        }
        let more = line.inner().iter().filter(|line| line.name() == "to");
        let mut servers = rest.iter().chain(more.flat_map(|line| line.arguments()));
        let Some(first) = servers.next() else {
            let why = "which servers those are cannot be told from here";
            self.front.leave(line.shown(), why, &line.place);
            return Ok(());
        };
        for other in servers {
            let why = "a name of wharf's leads to one server: the first is taken; several copies of a service are its \
                       `instances`";
            self.front.leave(format!("{other} of reverse_proxy"), why, &line.place);
        }
        if line.inner().iter().any(|line| REWRITES.contains(&line.name())) {
            let why = "the path is rewritten, and wharf passes paths on as they are";
            self.front.leave(line.shown(), why, &line.place);
            return Ok(());
        }
        match upstream(first) {
            Ok(upstream) => self.routes(scope, &upstream, &line.place),
            Err(why) => {
                self.front.leave(line.shown(), why, &line.place);
                Ok(())
            }
        }
    }

    fn routes(
        &mut self,
        scope: &Scope,
        upstream: &Upstream,
        place: &Place,
    ) -> Result<(), PlanError> {
        let all = [("/".to_owned(), true)];
        let paths = scope.paths.as_deref().unwrap_or(&all);
        for (host, is_wildcard) in &scope.hosts {
            for (path, is_prefix) in paths {
                let route = Route {
                    host: host.clone(),
                    is_wildcard: *is_wildcard,
                    path: path_of(path),
                    upstream: upstream.clone(),
                    place: place.clone(),
                };
                match is_prefix {
                    true => self.front.add(route)?,
                    false => self.exact.add(route)?,
                }
            }
        }
        Ok(())
    }
}

impl Scope {
    /// What is left of it where a matcher is asked as well.
    fn within(&self, matcher: Option<Matcher>) -> Scope {
        let mut scope = self.clone();
        match matcher {
            None => {}
            Some(Matcher::Other) => {
                scope.why = Some("wharf knows names and paths, and no other matchers");
            }
            Some(Matcher::Below(host)) => scope.hosts = vec![(Some(host), true)],
            Some(Matcher::Paths(paths)) => {
                let both = match &self.paths {
                    None => paths,
                    Some(outer) => of_both(outer, &paths),
                };
                if both.is_empty() {
                    scope.why = Some("no request is of all the matchers that stand around it");
                }
                scope.paths = Some(both);
            }
        }
        scope
    }
}

/// The paths that are of both: of each two the one that lies below the other.
fn of_both(outer: &[(String, bool)], inner: &[(String, bool)]) -> Vec<(String, bool)> {
    let below = |(path, all): &(String, bool), (above, all_above): &(String, bool)| {
        if path == above {
            return Some((path.clone(), *all && *all_above));
        }
        (*all_above && path.starts_with(above.as_str())).then(|| (path.clone(), *all))
    };
    let mut both = Vec::new();
    for one in outer {
        let with = inner.iter().filter_map(|other| below(other, one).or_else(|| below(one, other)));
        for path in with {
            if !both.contains(&path) && both.len() < PATHS_MAX {
                both.push(path);
            }
        }
    }
    both
}

/// The host of a site's address; `None` where it is no single one.
fn address(text: &str) -> Option<(Option<String>, bool)> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if rest.contains(['{', '/']) {
        return None;
    }
    let host = match rest.rfind(']') {
        Some(end) => &rest[..=end],
        None => rest.split(':').next().unwrap_or_default(),
    };
    match host.strip_prefix("*.") {
        _ if host == "*" => Some((None, false)),
        Some(below) if !below.contains('*') => Some((host_of(below), true)),
        None if !host.contains('*') => Some((host_of(host), false)),
        _ => None,
    }
}

/// The server of a `reverse_proxy`.
fn upstream(text: &str) -> Result<Upstream, &'static str> {
    if text.starts_with("unix/") {
        return Err("it is a Unix socket, and wharf leads to ports");
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (tls, usual) = match scheme {
        "http" | "h2c" => (false, 80),
        "https" => (true, 443),
        _ => return Err("it is neither http nor https"),
    };
    let upstream = Upstream::of(rest, tls, usual)?;
    match &upstream.host {
        Host::Address(address) if !address.is_loopback() => {
            Err("it is another machine, and wharf leads to this one")
        }
        _ => Ok(upstream),
    }
}

#[cfg(test)]
mod tests;
