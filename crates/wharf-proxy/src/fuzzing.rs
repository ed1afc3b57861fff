//! What fuzz targets and property tests ask of the path from a client's bytes to a server's: each
//! function panics where a promise is broken.

use wharf_model::{
    Condition, OriginForm, Owner, Protocol, Route, RouteTable, Upstream as Destination,
};

use crate::authority::Authority;
use crate::forward::Arrival;
use crate::gate::{self, Surroundings};
use crate::head::{Field, Head};
use crate::http1::asked::Asked;
use crate::http1::chunked::{Chunks, Step};
use crate::http1::parse::{self, Finder, Found};

/// A head as the specifications have it, read without a line of the proxy's own parsers.
#[derive(Debug)]
struct Model {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    length: Length,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunks,
}

impl Model {
    fn read(head: &[u8]) -> Option<Model> {
        let text: String = head.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
        let start: Vec<&str> = lines.next()?.split(' ').collect();
        let [method, target, version @ ("HTTP/1.0" | "HTTP/1.1")] = start[..] else { return None };
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let value = value.trim_matches([' ', '\t']);
            if !is_token(name) || value.chars().any(|c| (c < ' ' && c != '\t') || c == '\x7f') {
                return None;
            }
            fields.push((name.to_ascii_lowercase(), value.chars().map(|c| c as u8).collect()));
        }
        if !is_token(method) || target.is_empty() || target.chars().any(|c| c <= ' ' || c == '\x7f')
        {
            return None;
        }
        let all = |name: &str| -> Vec<&Vec<u8>> {
            fields.iter().filter(|(one, _)| one == name).map(|(_, value)| value).collect()
        };
        let length = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
            ([], []) => Length::Bytes(0),
            ([digits], []) if digits.iter().all(u8::is_ascii_digit) => {
                Length::Bytes(std::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && version == "HTTP/1.1" => {
                Length::Chunks
            }
            _ => return None,
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        Some(Model { method, target, fields, length })
    }

    fn all(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(one, _)| one == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

fn is_token(text: &str) -> bool {
    let is = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is)
}

/// What the proxy itself says to a server, and no client can.
const OWN: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];
const HOP_BY_HOP: [&str; 7] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
    "connection",
];

/// A head that a client sends: it is refused, or a server reads the same request in what it is sent.
/// Whether it went on.
pub fn request_head(bytes: &[u8]) -> bool {
    let bytes = &bytes[parse::blank_lines(bytes)..];
    let Found::Head(length) = Finder::default().look(bytes, true) else { return false };
    let head = &bytes[..length];
    let mut store = parse::store();
    let Ok(request) = parse::request(head, &mut store) else { return false };
    let Ok(asked) = Asked::read(&request) else { return false };
    let arrival = Arrival { client: [127, 0, 0, 1].into(), https: false, port: 80 };
    let written = asked.written(arrival, OriginForm::Plain);
    let came = Model::read(head).expect("what went on is strict HTTP");
    let went = Model::read(&written).expect("what is sent is strict HTTP");
    assert_eq!(came.method, went.method);
    assert_eq!(came.length, went.length);
    assert!(went.target.starts_with('/') && !went.target.contains('#'));
    assert!(came.target.ends_with(&went.target) || went.target == "/");
    assert_eq!(went.all("host").len(), 1);
    assert_eq!(went.all("host")[0].to_ascii_lowercase(), named(&came));
    let old = head.windows(11).any(|window| window == b" HTTP/1.0\r\n");
    for own in OWN {
        assert_eq!(went.all(own).len(), 1, "{own}");
    }
    for hop in HOP_BY_HOP {
        let ours = asked.upgrade && matches!(hop, "connection" | "upgrade");
        assert_eq!(went.all(hop).len(), usize::from(ours), "{hop}");
    }
    for kept in ["cookie", "authorization", "origin", "content-type", "sec-fetch-site"] {
        assert_eq!(came.all(kept), went.all(kept), "{kept}");
    }
    assert!(!old || (!asked.upgrade && went.all("expect").is_empty()));
    // Everything else is a part of what came, in its order.
    let mut rest = came.fields.iter();
    let ours = |name: &str| OWN.contains(&name) || HOP_BY_HOP.contains(&name);
    let framing = ["host", "content-length", "transfer-encoding"];
    for field in went.fields.iter().filter(|(name, _)| !ours(name) && !framing.contains(&&**name)) {
        assert!(rest.any(|one| one == field), "{field:?} was not sent, or not there");
    }
    true
}

/// The name that a request is for, in small letters.
fn named(came: &Model) -> Vec<u8> {
    match came.target.find("://") {
        Some(at) if !came.target.starts_with('/') => {
            let rest = &came.target[at + 3..];
            let name = rest.split(['/', '?']).next().unwrap_or_default();
            name.to_ascii_lowercase().into_bytes()
        }
        _ => came.all("host")[0].to_ascii_lowercase(),
    }
}

/// A chunked body in pieces of this size: it ends where it would in one piece, or is refused.
pub fn chunks(bytes: &[u8], piece: usize) {
    assert_eq!(dechunked(bytes, piece.max(1)), dechunked(bytes, bytes.len().max(1)));
}

/// The body and how many bytes it took; none where it is refused or has no end.
fn dechunked(bytes: &[u8], piece: usize) -> Option<(Vec<u8>, usize)> {
    let (mut chunks, mut body, mut at) = (Chunks::new(), Vec::new(), 0);
    while at < bytes.len() {
        let input = &bytes[at..bytes.len().min(at + piece)];
        match chunks.step(input).ok()? {
            Step::Framing(length) => at += length,
            Step::Data(length) => {
                body.extend_from_slice(&input[..length]);
                at += length;
            }
            Step::End(length) => {
                chunks.trailers(&mut |_, _| {}).ok()?;
                return Some((body, at + length));
            }
        }
    }
    None
}

fn route(host: &str) -> Route {
    Route {
        host: host.into(),
        path: "/".into(),
        site: "shop.localhost".into(),
        origins: vec!["https://app.example".into()],
        guarded: true,
        origin_form: OriginForm::Plain,
        lan: false,
        upstream: Destination {
            name: host.into(),
            instance: None,
            addresses: Vec::new(),
            protocol: Protocol::Http1,
            owner: Owner::User,
            condition: Condition::Up,
        },
    }
}

/// A Host field leads to a server only if its name is registered.
pub fn authority(host: &[u8]) -> bool {
    let table = RouteTable::new(["shop.localhost", "*.wild.localhost"].map(route));
    let Some(authority) = Authority::parse(host) else { return false };
    let text = std::str::from_utf8(host).expect("a host is text").to_ascii_lowercase();
    let name = match authority.port {
        Some(port) => {
            let (name, digits) = text.rsplit_once(':').expect("a port has a colon");
            assert_eq!(digits.parse(), Ok(port));
            name
        }
        None => &text,
    };
    let below = name.strip_suffix(".wild.localhost");
    let registered = name == "shop.localhost" || below.is_some();
    let found = table.find(&authority.host, "/").is_some();
    assert_eq!(found, registered, "{text:?}");
    found
}

/// A page may call only if it is registered or listed.
pub fn origin(origin: &[u8]) -> bool {
    let table = RouteTable::new(["shop.localhost", "api.shop.localhost"].map(route));
    let around = Surroundings { table: &table, fronts: &[(80, false), (4443, true)] };
    let fields = [Field { name: "Origin", value: origin }];
    let head = Head { method: "GET", target: "/", fields: &fields };
    let socket = gate::judge(&head, &route("shop.localhost"), &around, true).is_ok();
    let head = Head { method: "POST", ..head };
    let post = gate::judge(&head, &route("shop.localhost"), &around, false).is_ok();
    assert_eq!(socket, post);
    let known = ["http://", "http://api."].map(|start| format!("{start}shop.localhost"));
    let secure = ["https://", "https://api."].map(|start| format!("{start}shop.localhost:4443"));
    let text = origin.to_ascii_lowercase();
    let is = |known: &String| text == known.as_bytes();
    let with_port = |known: &String| text == format!("{known}:80").as_bytes();
    let welcome = known.iter().any(|one| is(one) || with_port(one)) || secure.iter().any(is);
    assert_eq!(socket, welcome || text == b"https://app.example", "{:?}", origin.escape_ascii());
    socket
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts of requests, good and bad, that are put together in any order.
    const PARTS: [&str; 40] = [
        "GET ",
        "POST ",
        "CONNECT ",
        "/",
        "/a?b",
        "http://shop.localhost",
        "*",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "HTTP/1.1\n",
        "Host: shop.localhost\r\n",
        "Host: a, b\r\n",
        "Host:",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: +5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Connection: close, X-A, Cookie\r\n",
        "Connection: upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: h2c\r\n",
        "X-A: 1\r\n",
        "Cookie: a=b\r\n",
        "X-Forwarded-For: 6.6.6.6\r\n",
        "x_forwarded_for: 6\r\n",
        "Forwarded: for=6\r\n",
        "Via: 1.1 wharf\r\n",
        "Expect: 100-continue\r\n",
        "TE: trailers\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        ":",
        " ",
        "\t",
        "\u{e4}",
    ];

    fn soup() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            8 => prop::sample::select(&PARTS[..]).prop_map(|part| part.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
    }

    /// A request that is good but for at most a few bytes.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let line = prop::sample::select(&PARTS[10..31]);
        let lines = prop::collection::vec(line, 0..6);
        let start = prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "POST /a?b HTTP/1.1\r\n",
            "GET http://shop.localhost:80/x HTTP/1.1\r\n",
            "GET /a HTTP/1.0\r\n",
        ]);
        let wound = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        (start, lines, wound).prop_map(|(start, lines, wound)| {
            let mut head =
                format!("{start}Host: shop.localhost\r\n{}\r\n", lines.concat()).into_bytes();
            for (at, byte) in wound {
                let at = at.index(head.len());
                head[at] = byte;
            }
            head
        })
    }

    /// A text that is near to what is registered.
    fn close_to(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            8 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..3),
        ];
        prop::collection::vec(word, 0..6).prop_map(|words| words.concat())
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        close_to(&[
            "5\r\nhello\r\n",
            "1;x=\"y\"\r\n!\r\n",
            "0\r\n",
            "\r\n",
            "X: y\r\n",
            "a",
            ";",
            "\n",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_refused_or_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            request_head(&bytes);
        }

        #[test]
        fn any_parts_of_requests_are_refused_or_read_alike(bytes in soup()) {
            request_head(&bytes);
        }

        #[test]
        fn a_wounded_request_is_refused_or_read_alike(bytes in nearly()) {
            request_head(&bytes);
        }

        #[test]
        fn a_chunked_body_ends_where_it_ends(bytes in body(), piece in 1..20_usize) {
            chunks(&bytes, piece);
        }

        #[test]
        fn only_registered_names_lead_anywhere(
            host in close_to(&["shop", ".", "localhost", ":80", ":", "wild", "[::1]", "SHOP", "@"])
        ) {
            authority(&host);
        }

        #[test]
        fn only_registered_and_listed_pages_are_let_in(
            text in close_to(&["http://", "https://", "shop.localhost", "api.", ":80", ":4443", "app.example", "null"])
        ) {
            origin(&text);
        }
    }

    /// The properties above would hold for a proxy that refuses everything.
    #[test]
    fn good_ones_pass() {
        assert!(request_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nTE: x\r\nCookie: b\r\n\r\n"));
        assert!(request_head(b"GET http://a/b HTTP/1.0\r\nExpect: x\r\n\r\n"));
        assert!(authority(b"SHOP.localhost:80") && authority(b"a.b.wild.localhost"));
        assert!(origin(b"http://shop.localhost") && origin(b"https://APP.example"));
        assert!(!origin(b"null") && !authority(b"localhost"));
        assert_eq!(dechunked(b"2\r\nhi\r\n0\r\n\r\nrest", 3), Some((b"hi".to_vec(), 12)));
    }
}
