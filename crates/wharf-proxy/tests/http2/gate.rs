//! Whether another site's page asks. The rule is that of HTTP/1.1, whose suite has every combination.

use crate::peer::Peer;
use crate::stage::{HOST, Line, Upstream, route};
use crate::way::{Door, WAYS};

const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");

/// A method, fields, and the status that comes of them.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

#[test]
fn another_sites_page_is_refused() {
    for way in WAYS {
        let upstream = Upstream::new(std::sync::Arc::new(Line::echo));
        let door = Door::new(
            way,
            [route(HOST, upstream.address), route("api.shop.localhost", upstream.address)],
        );
        let mut peer = Peer::new(&door);
        let own = format!("{}://{HOST}:{}", way.scheme(), door.port);
        let sibling = format!("{}://api.{HOST}:{}", way.scheme(), door.port);
        let rows: &[Row<'_>] = &[
            ("POST", &[], 200),
            ("POST", &[("origin", &own)], 200),
            ("DELETE", &[("origin", &sibling)], 200),
            ("POST", &[("origin", "null")], 403),
            ("POST", &[("origin", "http://evil.example")], 403),
            ("POST", &[("origin", "http://127.0.0.1")], 403),
            ("POST", &[("origin", &own), ("origin", &own)], 403),
            ("GET", &[("origin", "http://evil.example")], 200),
            ("GET", &[CROSS], 403),
            ("GET", &[CROSS, ("origin", "http://evil.example")], 403),
            ("GET", &[CROSS, ("origin", &sibling)], 200),
            ("GET", &[CROSS, NAVIGATE, DOCUMENT], 200),
            ("POST", &[CROSS, NAVIGATE, DOCUMENT], 200),
            ("GET", &[CROSS, NAVIGATE, ("sec-fetch-dest", "iframe")], 403),
            ("GET", &[CROSS, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")], 403),
            ("OPTIONS", &[CROSS, ("sec-fetch-mode", "cors")], 403),
            ("POST", &[("sec-fetch-site", "same-origin"), ("origin", "null")], 200),
            ("GET", &[("sec-fetch-site", "none")], 200),
            ("GET", &[("sec-fetch-site", "none"), ("sec-fetch-site", "same-origin")], 403),
        ];
        for (method, fields, status) in rows {
            let mut request = peer.request(method, "/a");
            for (name, value) in *fields {
                request = request.header(*name, *value);
            }
            let answer = peer.ask(request.body(()).unwrap()).unwrap();
            assert_eq!(answer.status, *status, "{way:?} {method} {fields:?}");
            let shares =
                |name: &&hyper::http::HeaderName| name.as_str().starts_with("access-control");
            assert_eq!(answer.fields.keys().find(shares), None);
        }
        drop(door);
        let passed = rows.iter().filter(|(_, _, status)| *status == 200).count();
        assert_eq!(upstream.end().requests.len(), passed, "what is refused never arrives");
    }
}
