//! Whether a page of another site asks. Every instance is behind this gate: most development servers
//! have none of their own, and many of those that have one let too much through.

use wharf_model::{Route, RouteTable};

use crate::authority::Origin;
use crate::head::Head;

/// What the gate knows besides the request.
pub(crate) struct Surroundings<'a> {
    pub(crate) table: &'a RouteTable,
    /// The ports that browsers reach us on, with whether each speaks TLS.
    pub(crate) fronts: &'a [(u16, bool)],
}

/// Refused, with the origin that would have to be listed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) origin: Option<String>,
}

/// Judges a request for a route. `upgrade` is a WebSocket that is about to be opened.
pub(crate) fn judge(
    head: &Head<'_>,
    route: &Route,
    around: &Surroundings<'_>,
    upgrade: bool,
) -> Result<(), Foreign> {
    if !route.guarded {
        return Ok(());
    }
    let origin = head.one("origin").unwrap_or(Some(b"null"));
    if upgrade {
        // Browsers always send it here, and no other check stands in the way of a WebSocket.
        return match origin {
            Some(origin) if !is_welcome(origin, route, around) => Err(foreign(Some(origin))),
            _ => Ok(()),
        };
    }
    let site = head.one("sec-fetch-site").unwrap_or(Some(b"cross-site"));
    match site {
        // Only a browser tells, and it tells the truth; then `Origin: null` may be a privacy setting.
        Some(b"same-origin" | b"same-site" | b"none") => Ok(()),
        Some(_) if is_visit(head) => Ok(()),
        Some(_) => match origin {
            Some(origin) if is_welcome(origin, route, around) => Ok(()),
            origin => Err(foreign(origin)),
        },
        None if head.is_safe() => Ok(()),
        None => match origin {
            Some(origin) if !is_welcome(origin, route, around) => Err(foreign(Some(origin))),
            _ => Ok(()),
        },
    }
}

/// Somebody follows a link, or a form is sent to a page of its own (OAuth): what the user sees then
/// is this site, in a window of its own.
fn is_visit(head: &Head<'_>) -> bool {
    head.one("sec-fetch-mode") == Ok(Some(b"navigate"))
        && head.one("sec-fetch-dest") == Ok(Some(b"document"))
}

/// An origin of the route's own, of a sibling, or a listed one.
fn is_welcome(origin: &[u8], route: &Route, around: &Surroundings<'_>) -> bool {
    if route.origins.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some(origin) = Origin::parse(origin) else { return false };
    around.fronts.contains(&(origin.port, origin.https))
        && is_sibling(&origin.host, &route.site)
        && around.table.knows(&origin.host)
}

fn is_sibling(host: &str, site: &str) -> bool {
    match host.strip_suffix(site) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

fn foreign(origin: Option<&[u8]>) -> Foreign {
    let readable = |origin: &&[u8]| Origin::parse(origin).is_some();
    let origin = origin.filter(readable).and_then(|origin| std::str::from_utf8(origin).ok());
    Foreign { origin: origin.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Field;
    use wharf_model::{Condition, OriginForm, Owner, Protocol, Upstream};

    fn route(host: &str, guarded: bool) -> Route {
        Route {
            host: host.into(),
            path: "/".into(),
            site: "shop.localhost".into(),
            origins: vec!["https://app.example".into()],
            guarded,
            origin_form: OriginForm::Plain,
            lan: false,
            upstream: Upstream {
                name: "shop".into(),
                instance: None,
                addresses: Vec::new(),
                protocol: Protocol::Http1,
                owner: Owner::User,
                condition: Condition::Up,
            },
        }
    }

    fn passes(method: &str, fields: &[(&str, &str)], upgrade: bool) -> bool {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let head = Head { method, target: "/", fields: &fields };
        let routes = ["shop.localhost", "api.shop.localhost", "other.localhost"];
        let table = RouteTable::new(routes.map(|host| route(host, true)));
        let around = Surroundings { table: &table, fronts: &[(80, false), (4443, true)] };
        judge(&head, &route("shop.localhost", true), &around, upgrade).is_ok()
    }

    #[test]
    fn a_websocket_is_opened_by_its_own_pages_and_by_programs() {
        let open = |origin: &str| passes("GET", &[("Origin", origin)], true);
        assert!(passes("GET", &[], true));
        for own in [
            "http://shop.localhost",
            "http://SHOP.localhost:80",
            "https://shop.localhost:4443",
            "http://api.shop.localhost",
            "https://app.example",
        ] {
            assert!(open(own), "{own}");
        }
        for foreign in [
            "null",
            "",
            "http://evil.example",
            "http://other.localhost",
            "http://shop.localhost.evil.example",
            "http://xshop.localhost",
            "http://shop.localhost:8000",
            "https://shop.localhost",
            "http://new.shop.localhost",
            "http://shop.localhost@evil.example",
            "http://127.0.0.1",
            "http://[::1]",
            "http://localhost",
            "https://app.example:444",
        ] {
            assert!(!open(foreign), "{foreign}");
        }
        let twice = [("Origin", "http://shop.localhost"), ("Origin", "http://evil.example")];
        assert!(!passes("GET", &twice, true));
    }

    #[test]
    fn another_sites_page_can_follow_a_link_and_nothing_else() {
        let from = |site: &str, mode: &str, dest: &str, method: &str| {
            let fields =
                [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)];
            passes(method, &fields, false)
        };
        assert!(from("cross-site", "navigate", "document", "GET"));
        assert!(from("cross-site", "navigate", "document", "POST"));
        assert!(!from("cross-site", "navigate", "iframe", "GET"));
        assert!(!from("cross-site", "no-cors", "script", "GET"));
        assert!(!from("cross-site", "cors", "empty", "OPTIONS"));
        assert!(!from("nonsense", "cors", "empty", "GET"));
        for near in ["same-origin", "same-site", "none"] {
            assert!(from(near, "cors", "empty", "POST"), "{near}");
        }
    }

    #[test]
    fn without_fetch_metadata_the_origin_decides_what_changes_something() {
        let post = |fields: &[(&str, &str)]| passes("POST", fields, false);
        assert!(post(&[]), "a program");
        assert!(post(&[("Origin", "http://shop.localhost")]));
        assert!(!post(&[("Origin", "null")]));
        assert!(!post(&[("Origin", "http://evil.example")]));
        assert!(passes("GET", &[("Origin", "http://evil.example")], false));
        assert!(!passes("DELETE", &[("Origin", "http://evil.example")], false));
        let privacy = [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")];
        assert!(post(&privacy), "a page of its own that hides where it is");
    }

    #[test]
    fn an_open_route_takes_everything() {
        let fields = [Field { name: "Origin", value: b"http://evil.example" }];
        let head = Head { method: "POST", target: "/", fields: &fields };
        let table = RouteTable::default();
        let around = Surroundings { table: &table, fronts: &[] };
        assert_eq!(judge(&head, &route("shop.localhost", false), &around, true), Ok(()));
    }
}
