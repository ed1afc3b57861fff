//! Names and where their requests go: the whole of what the proxy knows of instances.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// Who may hold the listener that an upstream is dialled at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The tree of this pilot, and nobody else.
    Pilot(ProcessId),
    /// Any process of this user.
    User,
}

/// What an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    Http1,
    /// HTTP/2 in the clear, with prior knowledge (RFC 9113, section 3.3).
    H2c,
    /// TLS, with HTTP/2 where it is agreed on, else HTTP/1.1.
    Tls,
}

/// How an upstream is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It serves, or is to be asked all the same.
    Up,
    /// It was launched and does not serve yet.
    Starting,
    /// It is launched by the first connection.
    Dormant,
    /// It ended without ever serving, or after it had served.
    Ended {
        /// Its exit code, where it is known.
        exit_code: Option<i32>,
        /// Whether it ended without ever serving.
        failed: bool,
        /// Its last lines of output, where they were kept.
        last_lines: Vec<String>,
    },
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// What people call it: an instance's short host, or an alias.
    pub name: Arc<str>,
    /// The id of the instance, where it is one of wharf's.
    pub instance: Option<Arc<str>>,
    /// What it really listens on, the first that answers is taken.
    pub addresses: Vec<SocketAddr>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Who may hold that listener.
    pub owner: Owner,
    /// How it is.
    pub condition: Condition,
}

/// In which form a server that is reached by plain HTTP wants to hear of the `https` in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginForm {
    /// It compares `Origin` with the scheme that it sees itself: `http`.
    #[default]
    Plain,
    /// It believes `X-Forwarded-Proto`, and compares with that.
    Forwarded,
}

/// Who may ask an instance by its name, and how it wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Whether requests that another site's page makes are refused.
    pub guarded: bool,
    /// Further origins whose pages may call it, such as `https://app.example`.
    pub origins: Vec<String>,
    /// Whether its name is served beyond this machine.
    pub lan: bool,
    /// In which form it wants to hear of `https`.
    pub origin_form: OriginForm,
    /// Whether it takes HTTP/2 without being asked for it first.
    pub h2c: bool,
    /// Paths of the project's own host that lead to it, such as `/api`.
    pub paths: Vec<String>,
    /// Whether every name below its own leads to it as well, where nothing else has it.
    pub wildcard: bool,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            guarded: true,
            origins: Vec::new(),
            lan: false,
            origin_form: OriginForm::Plain,
            h2c: false,
            paths: Vec::new(),
            wildcard: false,
        }
    }
}

/// One name, and the paths below it, and where they go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The host in lower case, without a port; `*.` in front stands for one label or more.
    pub host: String,
    /// The beginning of the path, `/` for all. `/api` is `/api` and what is below `/api/`.
    pub path: String,
    /// The host of the project: what lies at or below it are siblings, whose pages may call this one.
    pub site: String,
    /// Further origins whose pages may call it, such as `https://app.example`.
    pub origins: Vec<String>,
    /// Whether requests that another site's page makes are refused.
    pub guarded: bool,
    /// In which form it wants to hear of `https`.
    pub origin_form: OriginForm,
    /// Whether it may be reached from beyond this machine.
    pub lan: bool,
    /// Where requests go.
    pub upstream: Upstream,
}

/// All routes at one moment. It is never changed, only exchanged for another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    exact: HashMap<String, Vec<Arc<Route>>>,
    wildcards: HashMap<String, Vec<Arc<Route>>>,
}

impl RouteTable {
    /// The table of these routes. Of two with the same host and path the first counts.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> RouteTable {
        let mut table = RouteTable::default();
        for route in routes {
            let (map, host) = match route.host.strip_prefix("*.") {
                Some(parent) => (&mut table.wildcards, parent.to_owned()),
                None => (&mut table.exact, route.host.clone()),
            };
            map.entry(host).or_default().push(Arc::new(route));
        }
        for routes in table.exact.values_mut().chain(table.wildcards.values_mut()) {
            // The longest path is asked first; the sort is stable.
            routes.sort_by_key(|route| std::cmp::Reverse(route.path.trim_end_matches('/').len()));
        }
        table
    }

    /// The route of a host in lower case and a path as it came: an exact host before a wildcard, a
    /// near wildcard before a far one, a long path before a short one.
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        let exact = self.exact.get(host).into_iter();
        let parents = parents(host).filter_map(|parent| self.wildcards.get(parent));
        exact.chain(parents).flatten().find(|route| is_below(path, &route.path))
    }

    /// Whether a host in lower case has a route at all.
    pub fn knows(&self, host: &str) -> bool {
        self.exact.contains_key(host)
            || parents(host).any(|parent| self.wildcards.contains_key(parent))
    }

    /// Every route, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.exact.values().chain(self.wildcards.values()).flatten()
    }
}

/// `b.c` and `c` of `a.b.c`.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').map(|(dot, _)| &host[dot + 1..])
}

/// Paths are compared as they came: what a server makes of `%2f` and `..` is its own affair, and every
/// gap between two readings has been somebody's way in.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.is_empty() || rest.is_empty() || rest.starts_with(['/', '?']),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, path: &str) -> Route {
        Route {
            host: host.into(),
            path: path.into(),
            site: "shop.localhost".into(),
            origins: Vec::new(),
            guarded: true,
            origin_form: OriginForm::Plain,
            lan: false,
            upstream: Upstream {
                name: format!("{host}{path}").into(),
                instance: None,
                addresses: Vec::new(),
                protocol: Protocol::Http1,
                owner: Owner::User,
                condition: Condition::Up,
            },
        }
    }

    fn found<'a>(table: &'a RouteTable, host: &str, path: &str) -> Option<&'a str> {
        table.find(host, path).map(|route| &*route.upstream.name)
    }

    #[test]
    fn exact_before_wildcard_and_long_before_short() {
        let table = RouteTable::new([
            route("*.shop.localhost", "/"),
            route("*.a.shop.localhost", "/"),
            route("a.shop.localhost", "/"),
            route("shop.localhost", "/"),
            route("shop.localhost", "/api"),
            route("shop.localhost", "/api/v2/"),
        ]);
        assert_eq!(found(&table, "a.shop.localhost", "/"), Some("a.shop.localhost/"));
        assert_eq!(found(&table, "b.shop.localhost", "/"), Some("*.shop.localhost/"));
        assert_eq!(found(&table, "c.b.shop.localhost", "/"), Some("*.shop.localhost/"));
        assert_eq!(found(&table, "c.a.shop.localhost", "/"), Some("*.a.shop.localhost/"));
        assert_eq!(found(&table, "shop.localhost", "/api"), Some("shop.localhost/api"));
        assert_eq!(found(&table, "shop.localhost", "/api/v2/x"), Some("shop.localhost/api/v2/"));
        assert_eq!(found(&table, "shop.localhost", "/apix"), Some("shop.localhost/"));
        assert_eq!(found(&table, "shop.localhost", "/%61pi"), Some("shop.localhost/"));
    }

    #[test]
    fn what_is_not_registered_is_not_found() {
        let table = RouteTable::new([route("shop.localhost", "/api"), route("*.x.localhost", "/")]);
        for host in ["localhost", "xshop.localhost", "shop.localhost.evil", "x.localhost", "", "."]
        {
            assert_eq!(found(&table, host, "/api"), None, "{host}");
        }
        assert_eq!(found(&table, "shop.localhost", "/"), None, "no route for this path");
        assert!(table.knows("shop.localhost"));
        assert!(table.knows("a.x.localhost"));
        assert!(!table.knows("x.localhost"));
    }
}
