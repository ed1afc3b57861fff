//! nginx's configuration (<https://nginx.org/en/docs/>): servers by name, locations by prefix, upstreams.

mod passed;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use super::files::Files;
use super::{Exact, Front, Host, Place, Route, Upstream, host_of, path_of};
use crate::error::PlanError;

use passed::{Pass, pass};
use tree::{Directive, Reader};

/// What changes answers and has no word of wharf's.
const LEFT: &[&str] = &[
    "root",
    "alias",
    "try_files",
    "return",
    "rewrite",
    "if",
    "auth_basic",
    "auth_request",
    "sub_filter",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "memcached_pass",
    "deny",
    "limit_except",
    "limit_req",
    "perl",
    "js_content",
    "content_by_lua_block",
    "content_by_lua_file",
    "mirror",
    "split_clients",
];

/// Reads a configuration and what it includes.
///
/// # Errors
/// A file cannot be read, is too large, or is none of nginx's.
pub fn read(path: &Path) -> Result<Front, PlanError> {
    let mut files = Files::new();
    let text = files.first(path)?;
    let mut front = of(path, &text, &mut files)?;
    front.files = files.read;
    Ok(front)
}

/// Reads a text alone, whatever it includes.
///
/// # Errors
/// It is none of nginx's.
pub fn of_text(path: &Path, text: &str) -> Result<Front, PlanError> {
    of(path, text, &mut Files::none())
}

fn of(path: &Path, text: &str, files: &mut Files) -> Result<Front, PlanError> {
    let beside = path.parent().unwrap_or(Path::new("."));
    let directives = Reader::new(beside, files).read(path, text)?;
    let mut whole = Whole::default();
    whole.upstreams(&directives);
    whole.servers(&directives)?;
    let Whole { mut front, exact, .. } = whole;
    exact.settle(&mut front);
    Ok(front)
}

/// A server of an `upstream` block.
enum Member {
    Server(String),
    /// It has none that is up.
    None,
}

#[derive(Default)]
struct Whole {
    front: Front,
    exact: Exact,
    upstreams: BTreeMap<String, Member>,
}

/// The server that a location stands in.
struct Site {
    hosts: Vec<(Option<String>, bool)>,
}

impl Whole {
    fn upstreams(&mut self, directives: &[Directive]) {
        for directive in directives {
            match (directive.name(), directive.arguments()) {
                ("http", _) => self.upstreams(directive.inner()),
                ("upstream", [name]) => {
                    let member = self.upstream(name, directive);
                    self.upstreams.insert(name.to_ascii_lowercase(), member);
                }
                _ => {}
            }
        }
    }

    fn upstream(&mut self, name: &str, block: &Directive) -> Member {
        let is_used = |one: &&Directive| {
            let rest = one.arguments().get(1..).unwrap_or_default();
            !rest.iter().any(|word| word == "down" || word == "backup")
        };
        let servers = block.inner().iter().filter(|one| one.name() == "server").filter(is_used);
        let mut servers = servers.filter_map(|one| Some((one.arguments().first()?, &one.place)));
        let first = servers.next().map(|(address, _)| address.clone());
        for (address, place) in servers {
            let what = format!("server {address} of upstream {name}");
            let why = "a name of wharf's leads to one server: the first is taken; several copies of a service are its \
                       `instances`";
            self.front.leave(what, why, place);
        }
        first.map_or(Member::None, Member::Server)
    }

    fn servers(&mut self, directives: &[Directive]) -> Result<(), PlanError> {
        for directive in directives {
            match directive.name() {
                "http" => self.servers(directive.inner())?,
                "server" => self.server(directive)?,
                "stream" | "mail" => {
                    let why = "it is not about HTTP; `wharf tcp` gives names to servers of other protocols";
                    self.front.leave(directive.shown(), why, &directive.place);
                }
                "include" => self.missing(directive),
                _ => {}
            }
        }
        Ok(())
    }

    fn missing(&mut self, directive: &Directive) {
        if let Some(why) = directive.missing {
            self.front.leave(directive.shown(), why, &directive.place);
        }
    }

    fn server(&mut self, block: &Directive) -> Result<(), PlanError> {
        let mut hosts = Vec::new();
        for names in block.inner().iter().filter(|one| one.name() == "server_name") {
            for name in names.arguments() {
                self.name(name, &names.place, &mut hosts);
            }
        }
        let is_named = block.inner().iter().any(|one| one.name() == "server_name");
        if hosts.is_empty() && is_named {
            return Ok(());
        }
        if hosts.is_empty() {
            hosts.push((None, false));
        }
        self.locations(&Site { hosts }, None, block.inner())
    }

    fn name(&mut self, name: &str, place: &Place, hosts: &mut Vec<(Option<String>, bool)>) {
        let mut add = |host: (Option<String>, bool)| {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        };
        let why = "wharf knows names and all below a name, and no other patterns";
        if name.starts_with('~') || name.contains('$') || name.ends_with(".*") {
            self.front.leave(format!("server_name {name}"), why, place);
        } else if let Some(host) = name.strip_prefix("*.") {
            add((host_of(host), true));
        } else if let Some(host) = name.strip_prefix('.') {
            add((host_of(host), false));
            add((host_of(host), true));
        } else {
            add((host_of(name), false));
        }
    }

    /// What stands in a server, or in a location of it.
    fn locations(
        &mut self,
        site: &Site,
        path: Option<&At>,
        directives: &[Directive],
    ) -> Result<(), PlanError> {
        let rewrites = directives.iter().any(|one| one.name() == "rewrite");
        for directive in directives {
            match directive.name() {
                "location" => {
                    if let Some(at) = self.at(directive) {
                        self.locations(site, Some(&at), directive.inner())?;
                    }
                }
                "proxy_pass" | "grpc_pass" if rewrites => {
                    let why = "the path is rewritten, and wharf passes paths on as they are";
                    self.front.leave(directive.shown(), why, &directive.place);
                }
                "proxy_pass" | "grpc_pass" => self.passes(site, path, directive)?,
                "include" => self.missing(directive),
                name if LEFT.contains(&name) => {
                    let why = "wharf passes requests on, and does nothing else with them";
                    self.front.leave(directive.shown(), why, &directive.place);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where a location is; `None` where wharf has no word for that.
    fn at(&mut self, location: &Directive) -> Option<At> {
        let (path, is_exact) = match location.arguments() {
            [path] if path.starts_with('/') => (path, false),
            [sign, path] if sign == "^~" && path.starts_with('/') => (path, false),
            [sign, path] if sign == "=" && path.starts_with('/') => (path, true),
            [name] if name.starts_with('@') => return None,
            _ => {
                let why = "wharf knows paths by their beginning, and no other patterns";
                self.front.leave(location.shown(), why, &location.place);
                return None;
            }
        };
        Some(At { path: path.clone(), is_exact })
    }

    fn passes(
        &mut self,
        site: &Site,
        at: Option<&At>,
        directive: &Directive,
    ) -> Result<(), PlanError> {
        let upstream = match self.passed(at, directive) {
            Ok(upstream) => upstream,
            Err(why) => {
                self.front.leave(directive.shown(), why, &directive.place);
                return Ok(());
            }
        };
        for (host, is_wildcard) in &site.hosts {
            let route = Route {
                host: host.clone(),
                is_wildcard: *is_wildcard,
                path: at.and_then(|at| path_of(&at.path)),
                upstream: upstream.clone(),
                place: directive.place.clone(),
            };
            match at.is_some_and(|at| at.is_exact) {
                true => self.exact.add(route)?,
                false => self.front.add(route)?,
            }
        }
        Ok(())
    }

    fn passed(&self, at: Option<&At>, directive: &Directive) -> Result<Upstream, &'static str> {
        let [url] = directive.arguments() else { return Err("it is no single URL") };
        let Pass { tls, to, rest } = pass(url)?;
        let is_same = |rest: &str| rest == at.map_or("/", |at| at.path.as_str());
        if rest.is_some_and(|rest| !is_same(rest)) {
            return Err("the path is rewritten, and wharf passes paths on as they are");
        }
        let usual = if tls { 443 } else { 80 };
        match self.upstreams.get(&to.to_ascii_lowercase()) {
            Some(Member::Server(address)) if address.starts_with("unix:") => {
                Err("it is a Unix socket, and wharf leads to ports")
            }
            // Of an upstream's server the port is 80 where none is named, whatever is spoken.
            Some(Member::Server(address)) => Upstream::of(address, tls, 80),
            Some(Member::None) => Err("its upstream has no server that is up"),
            None => Upstream::of(to, tls, usual),
        }
        .and_then(|upstream| match &upstream.host {
            Host::Address(address) if !address.is_loopback() => {
                Err("it is another machine, and wharf leads to this one")
            }
            _ => Ok(upstream),
        })
    }
}

/// The path of a location.
struct At {
    path: String,
    is_exact: bool,
}

#[cfg(test)]
mod tests;
