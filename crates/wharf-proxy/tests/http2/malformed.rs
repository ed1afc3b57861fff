//! Requests that are none, and requests that could become two on their way to HTTP/1.

use crate::raw::{DATA, END_HEADERS, END_STREAM, Fate, Field, HEADERS, Raw, WHOLE, block, frame};
use crate::stage::HOST;
use crate::way::{Set, WAYS};

/// What must come of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The stream or the connection ends, or it is answered with 400.
    Refused,
    Status(u16),
    /// The server is asked once, for this target.
    Passed(&'static str),
}

/// Sends a request of its own connection and server; what is wrong.
fn ask(name: &str, want: Want, send: &dyn Fn(&mut Raw)) -> Vec<String> {
    let attempt = |way| {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        send(&mut raw);
        let fate = raw.fate(1);
        // What hides behind would have arrived by now.
        if matches!(fate, Fate::Reset(_) | Fate::Answered(_)) {
            raw.answers();
        }
        let log = set.end();
        let right = match want {
            Want::Refused => fate.is_refusal() && log.requests.is_empty(),
            Want::Status(status) => fate == Fate::Answered(status) && log.requests.is_empty(),
            Want::Passed(target) => fate == Fate::Answered(200) && log.asked() == [target],
        };
        let bad = log.faults.iter().any(|fault| matches!(fault, crate::stage::Fault::Bad(_)));
        let said = || {
            format!(
                "{way:?} {name}: want {want:?}, got {fate:?}, {:?} {:?}",
                log.requests, log.faults
            )
        };
        (!right || bad).then(said)
    };
    WAYS.into_iter().filter_map(attempt).collect()
}

fn check(rows: &[(&str, Vec<Field<'_>>, Want)]) {
    let wrong: Vec<String> = rows
        .iter()
        .flat_map(|(name, fields, want)| {
            ask(name, *want, &|raw| send_in_parts(raw, 1, &block(fields)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A request with these pseudo-fields and fields, in this order.
fn plain<'a>(authority: &'a str, path: &'a str, fields: &[Field<'a>]) -> Vec<Field<'a>> {
    let start =
        [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", path)];
    [&start, fields].concat()
}

#[test]
fn fields_about_one_connection_and_names_that_are_none_are_refused() {
    let bad: &[Field<'_>] = &[
        ("connection", "close"),
        ("connection", "upgrade"),
        ("connection", "content-length"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("upgrade", "websocket"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("X-Upper", "a"),
        ("Host", HOST),
        ("Transfer-Encoding", "chunked"),
        ("x y", "a"),
        ("x:y", "a"),
        ("", "a"),
        ("x\r\ny", "a"),
        ("x\0", "a"),
        ("x\u{e4}", "a"),
        (":unknown", "a"),
        (":status", "200"),
        (":path", "/again"),
        ("x", "a\r\ny: b"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.localhost\r\n\r\n"),
        ("cookie", "a=1\r\nx: y"),
        ("host", "shop.localhost\r\nx: y"),
        ("content-length", "-1"),
        ("content-length", "+0"),
        ("content-length", "0x0"),
        ("content-length", ""),
        ("content-length", "0, 0"),
        ("content-length", "18446744073709551616"),
        ("content-length", "5"),
        ("content-length", "0\r\ntransfer-encoding: chunked"),
    ];
    let rows: Vec<(&str, Vec<Field<'_>>, Want)> =
        bad.iter().map(|field| (field.1, plain(HOST, "/a", &[*field]), Want::Refused)).collect();
    check(&rows);
}

#[test]
fn pseudo_fields_are_there_once_and_first() {
    let (method, scheme) = ((":method", "GET"), (":scheme", "http"));
    let (authority, path) = ((":authority", HOST), (":path", "/a"));
    let all = [method, scheme, authority, path];
    let refused = |name, fields: &[Field<'static>]| (name, fields.to_vec(), Want::Refused);
    let mut rows = vec![
        refused("none", &[("x", "y")]),
        refused("a field before", &[("x", "y"), method, scheme, authority, path]),
        refused("a field between", &[method, scheme, ("x", "y"), authority, path]),
        refused("a method that is none", &[(":method", "G T"), scheme, authority, path]),
        refused("an empty method", &[(":method", ""), scheme, authority, path]),
        refused(
            "a line in the method",
            &[
                (":method", "GET /smuggled HTTP/1.1\r\nhost: shop.localhost\r\n\r\nGET"),
                scheme,
                authority,
                path,
            ],
        ),
        refused("a scheme that is none", &[method, (":scheme", "h ttp"), authority, path]),
        refused(
            ":protocol and no CONNECT",
            &[method, scheme, authority, path, (":protocol", "websocket")],
        ),
        refused(
            "CONNECT with a path and no :protocol",
            &[(":method", "CONNECT"), scheme, authority, path],
        ),
    ];
    for (at, name) in [(0, "no method"), (1, "no scheme"), (3, "no path")] {
        let mut fields = all.to_vec();
        fields.remove(at);
        rows.push(refused(name, &fields));
    }
    for field in all {
        rows.push((field.0, [&all[..], &[field]].concat(), Want::Refused));
    }
    check(&rows);
}

#[test]
fn one_authority_and_only_one_that_is_known() {
    let (method, scheme, path) = ((":method", "GET"), (":scheme", "http"), (":path", "/a"));
    let hosted = |fields: &[Field<'static>]| [&[method, scheme, path], fields].concat();
    let named = |authority: &'static str| plain(authority, "/a", &[]);
    let rows = [
        ("both agree", plain(HOST, "/a", &[("host", HOST)]), Want::Passed("GET /a")),
        (
            "names have no case",
            plain(HOST, "/a", &[("host", "SHOP.localhost")]),
            Want::Passed("GET /a"),
        ),
        ("Host alone", hosted(&[("host", HOST)]), Want::Passed("GET /a")),
        ("neither", hosted(&[]), Want::Status(400)),
        ("another host", plain(HOST, "/a", &[("host", "api.shop.localhost")]), Want::Status(400)),
        ("another port", plain(HOST, "/a", &[("host", "shop.localhost:1")]), Want::Status(400)),
        ("an empty Host", plain(HOST, "/a", &[("host", "")]), Want::Status(400)),
        ("two Hosts", plain(HOST, "/a", &[("host", HOST), ("host", HOST)]), Want::Status(400)),
        ("two Hosts alone", hosted(&[("host", HOST), ("host", HOST)]), Want::Status(400)),
        ("an empty authority", named(""), Want::Refused),
        ("a user", named("u@shop.localhost"), Want::Refused),
        ("a space", named("shop.localhost x"), Want::Refused),
        ("a line", named("shop.localhost\r\nx: y"), Want::Refused),
        ("a path", named("shop.localhost/x"), Want::Refused),
        ("a port that is none", named("shop.localhost:x"), Want::Refused),
        ("an empty port", named("shop.localhost:"), Want::Refused),
        ("a list", named("shop.localhost,evil.example"), Want::Refused),
        ("unknown", named("evil.example"), Want::Status(421)),
        ("unknown by Host", hosted(&[("host", "evil.example")]), Want::Status(421)),
        ("another port of the name", named("shop.localhost:1"), Want::Status(421)),
        ("localhost", named("localhost"), Want::Status(421)),
        ("below the name", named("x.shop.localhost"), Want::Status(421)),
        ("the name as a beginning", named("shop.localhost.evil.example"), Want::Status(421)),
        ("a dot behind", named("shop.localhost."), Want::Status(421)),
        ("IPv4", named("127.0.0.1"), Want::Status(421)),
        ("IPv6", named("[::1]"), Want::Status(421)),
        ("a number", named("2130706433"), Want::Status(421)),
    ];
    check(&rows);
}

#[test]
fn a_target_is_a_path_and_stays_what_it_is() {
    let asked = |method: &'static str, path: &'static str| {
        vec![(":method", method), (":scheme", "http"), (":authority", HOST), (":path", path)]
    };
    let connect = |fields: &[Field<'static>]| {
        [&[(":method", "CONNECT"), (":authority", HOST)], fields].concat()
    };
    let long = format!("/{}", "a".repeat(32 * 1024));
    let rows = [
        ("as it is", asked("GET", "/%2e%2e/../a//b?c?d"), Want::Passed("GET /%2e%2e/../a//b?c?d")),
        ("a method that nobody knows", asked("BREW", "/a"), Want::Passed("BREW /a")),
        ("a URL", asked("GET", "http://evil.example/a"), Want::Refused),
        ("a URL of ours", asked("GET", "http://shop.localhost/a"), Want::Refused),
        ("no slash", asked("GET", "a"), Want::Refused),
        ("a host", asked("GET", "@evil.example/a"), Want::Refused),
        ("a query alone", asked("GET", "?a"), Want::Refused),
        ("empty", asked("GET", ""), Want::Refused),
        ("a space", asked("GET", "/a HTTP/1.1"), Want::Refused),
        ("a tab", asked("GET", "/a\tb"), Want::Refused),
        ("a line", asked("GET", "/a HTTP/1.1\r\nhost: x\r\n\r\n"), Want::Refused),
        ("NUL", asked("GET", "/a\0"), Want::Refused),
        ("all", asked("OPTIONS", "*"), Want::Status(405)),
        ("GET of all", asked("GET", "*"), Want::Status(405)),
        ("TRACE", asked("TRACE", "/a"), Want::Status(405)),
        ("CONNECT", connect(&[]), Want::Status(405)),
        (
            "CONNECT for another protocol",
            connect(&[(":scheme", "http"), (":path", "/a"), (":protocol", "connect-udp")]),
            Want::Status(405),
        ),
        ("too long", plain(HOST, &long, &[]), Want::Status(414)),
    ];
    check(&rows);
}

#[test]
fn heads_have_a_bound() {
    let many: Vec<String> = (0..201).map(|number| format!("x-{number}")).collect();
    let fields: Vec<Field<'_>> = many.iter().map(|name| (name.as_str(), "")).collect();
    let value = "a".repeat(16 * 1024);
    check(&[
        ("200 fields", plain(HOST, "/a", &fields[..200]), Want::Passed("GET /a")),
        ("201 fields", plain(HOST, "/a", &fields), Want::Status(431)),
    ]);
    for way in WAYS {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        // A cookie of 16 KiB is real, and arrives; five of them are more than a head may have.
        for (stream, count) in [(1, 1), (3, 5)] {
            let fields = vec![("cookie", value.as_str()); count];
            let bytes = block(&raw.ask("GET", "/a", &fields));
            send_in_parts(&mut raw, stream, &bytes);
            let fate = raw.fate(stream);
            let right = match count {
                1 => fate == Fate::Answered(200),
                _ => matches!(fate, Fate::Answered(431) | Fate::Reset(_) | Fate::Away(_)),
            };
            assert!(right, "{way:?} {count}: {fate:?}");
        }
        assert_eq!(set.end().requests.len(), 1);
    }
}

/// A block that does not fit into one frame.
fn send_in_parts(raw: &mut Raw, stream: u32, block: &[u8]) {
    const FRAME: usize = 16 * 1024;
    let parts = block.chunks(FRAME).count();
    for (at, part) in block.chunks(FRAME).enumerate() {
        let kind = if at == 0 { HEADERS } else { crate::raw::CONTINUATION };
        let last = if at + 1 == parts { END_HEADERS } else { 0 };
        let flags = last | if at == 0 { END_STREAM } else { 0 };
        raw.frame(kind, flags, stream, part);
    }
}

const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";

/// A name, a Content-Length, the DATA frames, and what comes of them.
type Body<'a> = (&'a str, Option<&'a str>, &'a [&'a [u8]], Want);

/// Bodies that do not fit their length, and bodies that would be a second request if somebody took the
/// end of the first for another one.
#[test]
fn no_body_becomes_a_second_request() {
    let length = SMUGGLED.len().to_string();
    let rows: &[Body<'_>] = &[
        ("a request as a body", Some(&length), &[SMUGGLED], Want::Passed("POST /a")),
        ("one of unknown length", None, &[SMUGGLED], Want::Passed("POST /a")),
        ("the end of a chunked body", None, &[b"0\r\n\r\n", SMUGGLED], Want::Passed("POST /a")),
        ("more than it says", Some("4"), &[b"four", SMUGGLED], Want::Refused),
        ("nothing, it says", Some("0"), &[SMUGGLED], Want::Refused),
        ("less than it says", Some("500"), &[SMUGGLED], Want::Refused),
    ];
    let mut wrong = Vec::new();
    for (name, length, body, want) in rows {
        wrong.extend(ask(name, *want, &|raw| {
            let fields: Vec<Field<'_>> =
                length.iter().map(|length| ("content-length", *length)).collect();
            let head = raw.ask("POST", "/a", &fields);
            // In one write, so that the body is there before anything is answered.
            let mut all = frame(HEADERS, END_HEADERS, 1, &block(&head));
            for (at, piece) in body.iter().enumerate() {
                let flags = if at + 1 == body.len() { END_STREAM } else { 0 };
                all.extend(frame(DATA, flags, 1, piece));
            }
            raw.send(&all);
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn trailers_are_fields_like_others() {
    let rows: &[(&str, &[Field<'_>])] = &[
        ("an upper-case name", &[("X-Sum", "a")]),
        ("a line", &[("x-sum", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.localhost")]),
        ("one connection's", &[("transfer-encoding", "chunked")]),
    ];
    let mut wrong = Vec::new();
    for (name, trailers) in rows {
        wrong.extend(ask(name, Want::Refused, &|raw| {
            let head = raw.ask("POST", "/a", &[]);
            let mut all = frame(HEADERS, END_HEADERS, 1, &block(&head));
            all.extend(frame(DATA, 0, 1, b"hello"));
            all.extend(frame(HEADERS, WHOLE, 1, &block(trailers)));
            raw.send(&all);
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
