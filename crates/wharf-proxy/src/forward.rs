//! The fields that go on, and those that do not: the same rules whichever version of HTTP comes in and
//! goes out.

use std::io::Write;
use std::net::IpAddr;

use wharf_model::OriginForm;

use crate::head::{Field, all, tokens};

/// What is about one hop only (RFC 9110, section 7.6.1), in lower case.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What no list in a Connection field takes away: a client must not be able to hide from the server
/// what the proxy has judged by, nor who sent it.
const KEPT: [&str; 9] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "origin",
    "referer",
    "via",
    "forwarded",
];

/// What we add to Via.
const VIA: &[u8] = b"1.1 wharf";

/// How a client reached us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The client's address.
    pub(crate) client: IpAddr,
    pub(crate) https: bool,
    /// The port of the front.
    pub(crate) port: u16,
}

impl Arrival {
    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// Which fields of a request go on, in which form.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) arrival: Arrival,
    /// `host[:port]` as the client named it.
    pub(crate) authority: &'a str,
    pub(crate) origin_form: OriginForm,
    /// Whether Expect goes on: it does not from HTTP/1.0.
    pub(crate) expect: bool,
}

/// Gives every field that goes to the upstream; framing, Host and Connection are the caller's.
pub(crate) fn request_fields<'a>(
    fields: &'a [Field<'a>],
    rules: &Rules<'_>,
    emit: &mut dyn FnMut(&str, &[u8]),
) {
    let listed = Listed::of(fields);
    for field in fields {
        if !listed.lets_on(field.name) || is_ours(field.name) {
            continue;
        }
        if !rules.expect && field.name.eq_ignore_ascii_case("expect") {
            continue;
        }
        match rewritten(field, rules) {
            Some(value) => emit(field.name, &value),
            None => emit(field.name, field.value),
        }
    }
    tell_arrival(rules, emit);
    // Mostly there is none, and nothing to put together.
    let via: Vec<&[u8]> = all(fields, "via").chain([VIA]).collect();
    match via[..] {
        [own] => emit("via", own),
        ref several => emit("via", &several.join(&b", "[..])),
    }
}

/// What the caller writes itself, or what a client must not be believed in.
fn is_ours(name: &str) -> bool {
    let own = ["host", "content-length", "forwarded", "via", "x-real-ip"];
    own.iter().any(|own| is_read_as(name, own))
        || name.get(..12).is_some_and(|start| is_read_as(start, "x-forwarded-"))
}

/// Whether a server may take a name for this one, which is in lower case: CGI and WSGI make the same
/// variable of `X_Forwarded_For` and `X-Forwarded-For`.
fn is_read_as(name: &str, known: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == known.len() && name.bytes().map(plain).eq(known.bytes())
}

fn tell_arrival(rules: &Rules<'_>, emit: &mut dyn FnMut(&str, &[u8])) {
    let Rules { arrival, authority, .. } = rules;
    let (client, scheme) = (arrival.client.to_canonical(), arrival.scheme());
    // One text for every field that has to be put together: this is written for each request.
    let mut text = Vec::with_capacity(authority.len() + 96);
    let (before, after) = if client.is_ipv4() { ("for=", "") } else { ("for=\"[", "]\"") };
    text.extend_from_slice(before.as_bytes());
    // Writing to memory does not fail.
    let _ = write!(text, "{client}");
    let client = before.len()..text.len();
    for part in [after, ";host=\"", authority, "\";proto=", scheme] {
        text.extend_from_slice(part.as_bytes());
    }
    let forwarded = 0..text.len();
    let _ = write!(text, "{}", arrival.port);
    emit("x-forwarded-for", &text[client]);
    emit("x-forwarded-host", authority.as_bytes());
    emit("x-forwarded-proto", scheme.as_bytes());
    emit("x-forwarded-port", &text[forwarded.end..]);
    emit("forwarded", &text[forwarded]);
}

/// Over https a server that is reached by http compares the page's origin with its own idea of itself.
/// Only the route's very own origin is told in that form; a foreign one stays what it is.
fn rewritten(field: &Field<'_>, rules: &Rules<'_>) -> Option<Vec<u8>> {
    if !rules.arrival.https || rules.origin_form == OriginForm::Forwarded {
        return None;
    }
    let is_origin = field.name.eq_ignore_ascii_case("origin");
    if !is_origin && !field.name.eq_ignore_ascii_case("referer") {
        return None;
    }
    let rest = field.value.strip_prefix(b"https://")?;
    let own = rest.get(..rules.authority.len())?;
    if !own.eq_ignore_ascii_case(rules.authority.as_bytes()) {
        return None;
    }
    let after = &rest[own.len()..];
    let ends = after.is_empty() || (!is_origin && matches!(after[0], b'/' | b'?' | b'#'));
    ends.then(|| [b"http://", rest].concat())
}

/// Gives every field that goes back to the client; framing and Connection are the caller's.
pub(crate) fn answer_fields<'a>(fields: &'a [Field<'a>], emit: &mut dyn FnMut(&str, &[u8])) {
    let listed = Listed::of(fields);
    for field in fields.iter().filter(|field| listed.lets_on(field.name)) {
        if !field.name.eq_ignore_ascii_case("content-length") {
            emit(field.name, field.value);
        }
    }
}

/// What the Connection fields name, beyond what is about one hop anyway.
struct Listed<'a> {
    names: Vec<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(fields: &'a [Field<'a>]) -> Listed<'a> {
        let usual = |name: &&str| {
            ["close", "keep-alive", "upgrade"].iter().any(|one| name.eq_ignore_ascii_case(one))
        };
        let names = all(fields, "connection").flat_map(tokens).filter(|name| !usual(name));
        Listed { names: names.filter(|name| !is_kept(name)).collect() }
    }

    fn lets_on(&self, name: &str) -> bool {
        !HOP_BY_HOP.iter().any(|hop| is_read_as(name, hop))
            && !self.names.iter().any(|listed| name.eq_ignore_ascii_case(listed))
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))
        || name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sec-"))
}

/// How often a request has been here.
pub(crate) fn hops(fields: &[Field<'_>]) -> usize {
    let ours = |member: &&str| {
        member.split_ascii_whitespace().nth(1).is_some_and(|by| by.eq_ignore_ascii_case("wharf"))
    };
    all(fields, "via").map(|value| tokens(value).filter(ours).count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)], https: bool, form: OriginForm) -> Vec<(String, String)> {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let arrival = Arrival { client: [127, 0, 0, 1].into(), https, port: 443 };
        let rules = Rules { arrival, authority: "a.localhost", origin_form: form, expect: true };
        let mut out = Vec::new();
        request_fields(&fields, &rules, &mut |name, value| {
            out.push((name.to_owned(), String::from_utf8(value.to_vec()).unwrap()));
        });
        out
    }

    fn value<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
        let named = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn what_is_about_one_hop_stays_there() {
        let out = sent(
            &[
                ("Connection", "close, X-Secret, Cookie, Sec-Fetch-Site"),
                ("X-Secret", "1"),
                ("Cookie", "a=b"),
                ("Sec-Fetch-Site", "none"),
                ("TE", "trailers"),
                ("Keep-Alive", "5"),
                ("Proxy-Connection", "x"),
                ("Upgrade", "h2c"),
                ("X-Other", "2"),
            ],
            false,
            OriginForm::Plain,
        );
        for gone in ["connection", "x-secret", "te", "keep-alive", "proxy-connection", "upgrade"] {
            assert!(value(&out, gone).is_empty(), "{gone}");
        }
        assert_eq!(value(&out, "cookie"), ["a=b"]);
        assert_eq!(value(&out, "sec-fetch-site"), ["none"]);
        assert_eq!(value(&out, "x-other"), ["2"]);
    }

    #[test]
    fn who_asks_is_said_by_us_alone() {
        let forged = [
            ("X-Forwarded-For", "6.6.6.6"),
            ("x-forwarded-proto", "gopher"),
            ("X-Forwarded-Prefix", "/x"),
            ("Forwarded", "for=6.6.6.6"),
            ("X-Real-IP", "6.6.6.6"),
            ("Via", "1.0 fred"),
        ];
        let out = sent(&forged, true, OriginForm::Plain);
        assert_eq!(value(&out, "x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(value(&out, "x-forwarded-proto"), ["https"]);
        assert_eq!(value(&out, "x-forwarded-port"), ["443"]);
        assert_eq!(value(&out, "x-forwarded-host"), ["a.localhost"]);
        assert_eq!(value(&out, "forwarded"), ["for=127.0.0.1;host=\"a.localhost\";proto=https"]);
        assert_eq!(value(&out, "via"), ["1.0 fred, 1.1 wharf"]);
        assert!(
            value(&out, "x-forwarded-prefix").is_empty() && value(&out, "x-real-ip").is_empty()
        );
    }

    #[test]
    fn over_https_a_plain_server_hears_of_its_own_origin_alone() {
        let origin = |text: &str, https: bool, form| {
            value(&sent(&[("Origin", text)], https, form), "origin")[0].to_owned()
        };
        let plain = OriginForm::Plain;
        assert_eq!(origin("https://a.localhost", true, plain), "http://a.localhost");
        for foreign in
            ["https://a.localhost.evil", "https://b.localhost", "http://a.localhost", "null"]
        {
            assert_eq!(origin(foreign, true, plain), foreign);
        }
        assert_eq!(origin("https://a.localhost", false, plain), "https://a.localhost");
        let forwarded = OriginForm::Forwarded;
        assert_eq!(origin("https://a.localhost", true, forwarded), "https://a.localhost");
        let referer =
            [("Referer", "https://a.localhost/x?y"), ("Referer", "https://a.localhostx/")];
        let out = sent(&referer, true, plain);
        assert_eq!(value(&out, "referer"), ["http://a.localhost/x?y", "https://a.localhostx/"]);
    }

    #[test]
    fn hops_are_counted_by_name() {
        let via = |text: &'static str| hops(&[Field { name: "Via", value: text.as_bytes() }]);
        assert_eq!(via("1.1 wharf, 1.1 fred, 1.0 Wharf (x)"), 2);
        assert_eq!(via("1.1 wharfs"), 0);
    }
}
