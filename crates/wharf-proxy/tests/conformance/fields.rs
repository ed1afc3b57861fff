//! Fields: what is about one hop stays there, who asks is said by the proxy alone, and circles end.

use std::net::TcpListener;

use crate::stage::{HOST, House, Message, Stage, route};

/// What the server sees of a request with these lines among its fields.
fn seen(lines: &str) -> Message {
    let stage = Stage::echo();
    let mut client = stage.client();
    client.send(format!("GET /a HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"));
    assert_eq!(client.answer("GET").status(), 200, "{lines:?}");
    let log = stage.end();
    assert_eq!((log.requests.len(), log.faults.len()), (1, 0), "{lines:?}");
    log.requests[0].clone()
}

/// What the client sees of an answer with these lines among its fields.
fn answered(lines: &str) -> Message {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{lines}\r\nhi");
    let stage = Stage::new(move |line| {
        while line.request().is_some() {
            line.send(&head);
        }
    });
    let answer = stage.client().get("/a");
    assert_eq!(answer.text(), "hi", "{lines:?}");
    stage.end();
    answer
}

#[test]
pub(crate) fn what_is_about_one_hop_does_not_go_up() {
    for (lines, gone) in [
        ("Connection: keep-alive\r\n", "connection"),
        ("Keep-Alive: timeout=5\r\n", "keep-alive"),
        ("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", "keep-alive"),
        ("Proxy-Connection: keep-alive\r\n", "proxy-connection"),
        ("Proxy-Authorization: Basic eDp5\r\n", "proxy-authorization"),
        ("Proxy-Authenticate: Basic\r\n", "proxy-authenticate"),
        ("TE: trailers\r\n", "te"),
        ("Connection: TE\r\nTE: gzip\r\n", "te"),
        ("Upgrade: h2c\r\n", "upgrade"),
        ("Connection: upgrade\r\nUpgrade: h2c\r\n", "upgrade"),
        (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
            "http2-settings",
        ),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", "http2-settings"),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\n", "upgrade"),
        ("Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", "upgrade"),
        ("Connection: Upgrade\r\nUpgrade: h2c, TLS/1.2\r\n", "connection"),
        ("Connection: X-Mine\r\nX-Mine: 1\r\n", "x-mine"),
        ("X-Mine: 1\r\nConnection: close, x-mine\r\n", "x-mine"),
        ("Connection: ,, x-MINE ,\r\nX-Mine: 1\r\n", "x-mine"),
        ("Connection: a\r\nConnection: x-mine\r\nX-Mine: 1\r\nX-Mine: 2\r\n", "x-mine"),
        ("Connection: Accept-Encoding\r\nAccept-Encoding: br\r\n", "accept-encoding"),
        ("Transfer_Encoding: chunked\r\n", "transfer_encoding"),
    ] {
        let request = seen(lines);
        assert_eq!(request.all(gone), [""; 0], "{lines:?}: {request:?}");
    }
}

#[test]
fn no_list_hides_what_a_server_must_know() {
    for (name, value) in [
        ("Host", "shop.localhost"),
        ("Cookie", "a=b"),
        ("Authorization", "Bearer x"),
        ("Content-Type", "text/plain"),
        ("Origin", "http://evil.example"),
        ("Referer", "http://evil.example/"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-WebSocket-Key", "x"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "shop.localhost"),
        ("X-Forwarded-Proto", "http"),
    ] {
        let line = match name {
            "Host" => String::new(),
            name => format!("{name}: {value}\r\n"),
        };
        let request = seen(&format!("Connection: {name}, close\r\n{line}"));
        assert_eq!(request.one(name), Some(value), "{request:?}");
    }
    let stage = Stage::echo();
    let mut client = stage.client();
    client.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Content-Length\r\nContent-Length: 2\r\n\r\nhi");
    client.answer("POST");
    client.send("POST /b HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    client.answer("POST");
    let log = stage.end();
    assert!(log.requests.iter().all(|request| request.text() == "hi"), "{log:?}");
    assert_eq!(log.requests.len(), 2);
}

#[test]
pub(crate) fn all_other_fields_go_up_as_they_came_and_in_their_order() {
    let request = seen(
        "X-A: 1\r\nx-b:  two words \r\nX-A: 2\r\nX-Empty:\r\nX-\u{e9}: no\r\n"
            .replace("X-\u{e9}: no\r\n", "X-Obs: \u{e9}\r\nDNT: 1\r\n")
            .as_str(),
    );
    assert_eq!(request.all("x-a"), ["1", "2"]);
    assert_eq!(request.one("x-b"), Some("two words"));
    assert_eq!(request.one("x-empty"), Some(""));
    assert_eq!(request.one("x-obs"), Some("\u{c3}\u{a9}"), "two bytes, as they came");
    let names: Vec<&str> = request.fields.iter().map(|(name, _)| name.as_str()).collect();
    let at = |name: &str| names.iter().position(|one| *one == name).unwrap();
    assert!(at("X-A") < at("x-b") && at("x-b") < at("X-Empty") && at("X-Empty") < at("DNT"));
}

#[test]
fn who_asks_is_said_by_the_proxy_alone() {
    for forged in [
        "X-Forwarded-For: 6.6.6.6\r\n",
        "x-forwarded-for: 6.6.6.6\r\nX-FORWARDED-FOR: 7.7.7.7\r\n",
        "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n",
        "X-Forwarded-Server: a\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Ssl: on\r\n",
        "X-Real-IP: 6.6.6.6\r\n",
        "Forwarded: for=6.6.6.6;host=evil.example\r\n",
        "X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Host: evil.example\r\nX_Real_IP: 6.6.6.6\r\n",
        "Connection: X-Forwarded-For, Forwarded\r\nX-Forwarded-For: 6.6.6.6\r\n",
    ] {
        let request = seen(forged);
        let told = |name: &str| request.one(name).unwrap_or_else(|| panic!("{name}: {request:?}"));
        assert_eq!(told("x-forwarded-for"), "127.0.0.1", "{forged:?}");
        assert_eq!(told("x-forwarded-host"), "shop.localhost");
        assert_eq!(told("x-forwarded-proto"), "http");
        assert!(told("x-forwarded-port").parse::<u16>().is_ok_and(|port| port > 1));
        assert_eq!(told("forwarded"), "for=127.0.0.1;host=\"shop.localhost\";proto=http");
        let text = format!("{:?}", request.fields);
        for word in ["6.6.6.6", "7.7.7.7", "evil", "/x", "on\""] {
            assert!(!text.contains(word), "{forged:?}: {text}");
        }
    }
}

#[test]
fn the_name_goes_up_as_it_was_written() {
    let stage = Stage::echo();
    let mut client = stage.client();
    let named = format!("SHOP.localhost:{}", stage.house.port);
    client.send(format!("GET /a HTTP/1.1\r\nHost: {named}\r\n\r\n"));
    client.answer("GET");
    client.send(format!("GET http://{named}/b HTTP/1.1\r\nHost: x\r\n\r\n"));
    client.answer("GET");
    client.send("GET http://shop.localhost/c HTTP/1.0\r\n\r\n");
    client.answer("GET");
    let log = stage.end();
    let hosts: Vec<Option<&str>> = log.requests.iter().map(|request| request.one("host")).collect();
    assert_eq!(hosts, [Some(named.as_str()), Some(named.as_str()), Some("shop.localhost")]);
    assert_eq!(log.asked(), ["GET /a", "GET /b", "GET /c"]);
}

#[test]
pub(crate) fn what_is_about_one_hop_does_not_come_back() {
    for (lines, gone) in [
        ("Connection: keep-alive\r\n", "connection"),
        ("Keep-Alive: timeout=5\r\n", "keep-alive"),
        ("Proxy-Connection: close\r\n", "proxy-connection"),
        ("Proxy-Authenticate: Basic\r\n", "proxy-authenticate"),
        ("Upgrade: h2c\r\n", "upgrade"),
        ("Connection: upgrade\r\nUpgrade: h2\r\n", "connection"),
        ("Connection: X-Mine\r\nX-Mine: 1\r\n", "x-mine"),
        ("X-Mine: 1\r\nConnection: x-a, X-MINE\r\n", "x-mine"),
        ("TE: trailers\r\n", "te"),
    ] {
        let answer = answered(lines);
        assert_eq!(answer.all(gone), [""; 0], "{lines:?}: {answer:?}");
    }
}

#[test]
pub(crate) fn all_other_fields_come_back_as_they_are_and_none_is_added() {
    let lines = "Server: s\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nLocation: http://localhost:8001/\r\nX-Empty:\r\nVary: *\r\nDate: now\r\n";
    let answer = answered(lines);
    let mut names: Vec<String> =
        answer.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    let all = "content-length date location server set-cookie set-cookie vary x-empty";
    assert_eq!(names.join(" "), all);
    assert_eq!(answer.all("set-cookie"), ["a=b; Path=/", "c=d"]);
    assert_eq!(answer.one("location"), Some("http://localhost:8001/"));
    for never in ["access-control-allow-origin", "strict-transport-security", "via"] {
        assert!(answer.all(never).is_empty(), "{never}");
    }
}

#[test]
pub(crate) fn a_request_says_that_it_was_here() {
    assert_eq!(seen("").one("via"), Some("1.1 wharf"));
    assert_eq!(seen("Via: 1.0 fred, 1.1 p\r\n").one("via"), Some("1.0 fred, 1.1 p, 1.1 wharf"));
    assert_eq!(seen("Via: 1.0 a\r\nVia: 1.1 b\r\n").one("via"), Some("1.0 a, 1.1 b, 1.1 wharf"));
    assert_eq!(seen("Connection: via\r\nVia: 1.0 a\r\n").one("via"), Some("1.0 a, 1.1 wharf"));
}

#[test]
pub(crate) fn a_request_that_has_been_here_too_often_goes_no_further() {
    let stage = Stage::echo();
    let mut client = stage.client();
    for (via, status) in [
        ("1.1 wharf, ".repeat(7) + "1.1 x", 200),
        ("1.1 wharf, ".repeat(8) + "1.1 x", 508),
        ("1.1 WHARF (again), ".repeat(8), 508),
        ("1.1 wharfs, ".repeat(8), 200),
    ] {
        client.send(format!("GET /a HTTP/1.1\r\nHost: shop.localhost\r\nVia: {via}\r\n\r\n"));
        assert_eq!(client.answer("GET").status(), status, "{via}");
    }
    let fields = "Via: 1.1 wharf\r\n".repeat(8);
    client.send(format!("GET /a HTTP/1.1\r\nHost: shop.localhost\r\n{fields}\r\n"));
    assert_eq!(client.answer("GET").status(), 508, "in fields of their own");
    assert_eq!(stage.end().requests.len(), 2);
}

/// A server that proxies back to the name it is reached by would otherwise ask itself for ever.
#[test]
fn two_proxies_that_lead_to_each_other_end_the_circle() {
    let one = TcpListener::bind("127.0.0.1:0").unwrap();
    let two = House::new([route(HOST, one.local_addr().unwrap())]);
    let first = House::at(one, [route(HOST, ([127, 0, 0, 1], two.port).into())]);
    let answer = first.client().get("/");
    assert_eq!(answer.status(), 508);
    assert!(answer.text().contains("circle"), "{}", answer.text());
}

#[test]
fn a_front_is_nobodys_server() {
    let house = House::new([]);
    house.set([route(HOST, ([127, 0, 0, 1], house.port).into())]);
    assert_eq!(house.client().get("/").status(), 508);
}
