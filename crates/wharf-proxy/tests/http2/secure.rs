//! TLS: which host a connection is for, and what comes in its place.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};
use wharf_model::Route;

use crate::peer::Peer;
use crate::stage::{Client, HOST, Line, Upstream, get, route, tls};
use crate::way::{Door, Set, WAYS, Way, connect};

type Secure = StreamOwned<ClientConnection, TcpStream>;

/// A connection by TLS after its handshake; or what the client was told.
fn shaken(port: u16, config: ClientConfig, name: &str) -> Result<Secure, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(port));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
    }
    Ok(stream)
}

/// Asks with these bytes, and hears the answer to its end.
fn told(mut stream: Secure, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // An end that is not announced would be an error here.
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn asked(host: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn both_versions_of_tls_and_every_choice_of_protocol() {
    let set = Set::echo(Way::Tls);
    for (version, name) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for offered in [&[][..], &[&b"http/1.1"[..]], &[b"x", b"http/1.1"]] {
            let stream = shaken(set.door.port, tls::client(offered, &[version]), HOST).unwrap();
            assert_eq!(stream.conn.protocol_version(), Some(name));
            let answer = told(stream, &asked(HOST));
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{offered:?} {answer}");
            assert!(answer.ends_with("GET /a"), "{offered:?} {answer}");
        }
        for offered in [&[&b"h2"[..]][..], &[b"http/1.1", b"h2"]] {
            let stream = shaken(set.door.port, tls::client(offered, &[version]), HOST).unwrap();
            assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
        }
        let refused = shaken(set.door.port, tls::client(&[b"spdy/3"], &[version]), HOST);
        assert!(refused.unwrap_err().contains("NoApplicationProtocol"));
    }
    assert_eq!(set.end().requests.len(), 6);
}

#[test]
fn a_name_that_is_not_served_gets_an_alert() {
    let set = Set::echo(Way::Tls);
    for name in ["evil.example", "localhost", "x.shop.localhost", "127.0.0.1", "::1"] {
        let told = shaken(set.door.port, tls::client(&[b"h2"], rustls::ALL_VERSIONS), name);
        assert!(told.unwrap_err().contains("AccessDenied"), "{name}");
    }
    let mut nameless = tls::client(&[b"h2"], rustls::ALL_VERSIONS);
    nameless.enable_sni = false;
    assert!(shaken(set.door.port, nameless, HOST).unwrap_err().contains("AccessDenied"));
    assert_eq!(set.end().connections, 0);
}

/// The certificate that the client has seen is for one host: the others are not to be had there.
#[test]
fn a_connection_is_for_the_host_of_its_certificate_alone() {
    for way in WAYS {
        let upstream = Upstream::new(Arc::new(Line::echo));
        let door = Door::new(
            way,
            [route(HOST, upstream.address), route("other.localhost", upstream.address)],
        );
        let other = match way {
            Way::Clear => 200,
            Way::Tls => 421,
        };
        let mut peer = Peer::new(&door);
        let port = door.port;
        for (host, status) in [
            (HOST.to_owned(), 200),
            (format!("{HOST}:{port}"), 200),
            ("SHOP.LocalHost".to_owned(), 200),
            ("other.localhost".to_owned(), other),
            (format!("other.localhost:{port}"), other),
        ] {
            let uri = format!("{}://{host}/a", way.scheme());
            let request = hyper::http::Request::get(uri).body(()).unwrap();
            assert_eq!(peer.ask(request).unwrap().status, status, "{way:?} {host}");
        }
        drop(door);
        assert_eq!(upstream.end().requests.len(), if way == Way::Tls { 3 } else { 5 });
    }
}

#[test]
fn so_it_is_by_http1() {
    let upstream = Upstream::new(Arc::new(Line::echo));
    let door = Door::new(
        Way::Tls,
        [route(HOST, upstream.address), route("other.localhost", upstream.address)],
    );
    let config = || tls::client(&[b"http/1.1"], rustls::ALL_VERSIONS);
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (shown, host, status) in [
        (HOST, HOST, 200),
        ("Shop.Localhost", HOST, 200),
        ("other.localhost", "OTHER.localhost", 200),
        (HOST, "other.localhost", 421),
        ("other.localhost", HOST, 421),
    ] {
        let stream = shaken(door.port, config(), shown).unwrap();
        let answer = told(stream, &asked(host));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown} {host}: {answer}");
    }
    // A URL as the target counts more than Host, and is no way around.
    let absolute = "GET http://other.localhost/a HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n";
    let upgrade = format!("GET /ws HTTP/1.1\r\nHost: other.localhost\r\n{socket}\r\n");
    for request in [absolute, &upgrade] {
        let mut stream = shaken(door.port, config(), HOST).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 421");
    }
    drop(door);
    assert_eq!(upstream.end().requests.len(), 3);
}

#[test]
fn plain_http_is_sent_to_https() {
    let set = Set::echo(Way::Tls);
    let port = set.door.port;
    let own = format!("{HOST}:{port}");
    for (host, target, status, location) in [
        (HOST, "/a?b", 308, Some(format!("https://{HOST}/a?b"))),
        (own.as_str(), "/", 308, Some(format!("https://{own}/"))),
        ("evil.example", "/", 421, None),
        ("localhost", "/", 421, None),
        ("127.0.0.1", "/", 421, None),
        ("x.shop.localhost", "/", 421, None),
    ] {
        let mut client = Client::new(port);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let answer = client.answer("GET");
        assert_eq!(
            (answer.status(), answer.one("location")),
            (status, location.as_deref()),
            "{host}"
        );
        assert!(client.ends(), "{host}");
    }
    assert_eq!(set.end().connections, 0);
}

/// What has a route at the front of this machine is nobody's business beyond it.
#[test]
fn plain_http_from_beyond_learns_only_of_what_is_for_it() {
    let upstream = Upstream::new(Arc::new(Line::echo));
    let open = Route { lan: true, ..route("other.localhost", upstream.address) };
    let door = Door::new(Way::Tls, [route(HOST, upstream.address), open]);
    let port = door.house.lan_tls();
    for (host, status) in [(HOST, 421), ("other.localhost", 308), ("evil.example", 421)] {
        let mut client = Client::new(port);
        client.send(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.answer("GET").status(), status, "{host}");
    }
    drop(door);
    assert_eq!(upstream.end().connections, 0);
}

#[test]
fn what_is_not_spoken_at_a_front_ends_the_connection() {
    let set = Set::echo(Way::Tls);
    // TLS where it is not spoken.
    let refused = shaken(set.door.house.port, tls::client(&[], rustls::ALL_VERSIONS), HOST);
    assert!(refused.is_err());
    // What only begins like TLS; and what ends at once.
    for sent in
        [&b"\x16\x03\x01\xff\xff"[..], b"\x16GET / HTTP/1.1\r\n\r\n", b"\x16", b"", b"\x80\x2e\x01"]
    {
        let mut client = Client::new(set.door.port);
        client.send(sent);
        client.finish();
        client.reader.drain();
    }
    // HTTP/1.1 where HTTP/2 was agreed on, and the other way round.
    let h2 = tls::client(&[b"h2"], rustls::ALL_VERSIONS);
    let mut stream = shaken(set.door.port, h2, HOST).unwrap();
    stream.write_all(get("/a").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() != ErrorKind::WouldBlock));
    assert!(!answer.starts_with(b"HTTP/1"), "{}", answer.escape_ascii());
    let h1 = tls::client(&[b"http/1.1"], rustls::ALL_VERSIONS);
    let mut stream = shaken(set.door.port, h1, HOST).unwrap();
    stream.write_all(crate::raw::PREFACE).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 400");
    // The front serves on.
    assert_eq!(Peer::new(&set.door).get("/next").text(), "GET /next");
    assert_eq!(set.end().requests.len(), 1);
}

#[test]
fn the_origin_of_a_page_by_tls_is_put_as_the_server_sees_itself() {
    let set = Set::echo(Way::Tls);
    let mut peer = Peer::new(&set.door);
    let own = format!("https://{HOST}:{}", set.door.port);
    let uri = format!("{own}/a");
    let request = hyper::http::Request::post(uri).header("origin", &own);
    assert_eq!(peer.ask(request.body(()).unwrap()).unwrap().status, 200);
    let port = set.door.port;
    let log = set.end();
    assert_eq!(log.requests[0].one("origin"), Some(&*format!("http://{HOST}:{port}")));
    assert_eq!(log.requests[0].one("x-forwarded-proto"), Some("https"));
    assert_eq!(log.requests[0].one("x-forwarded-port"), Some(&*port.to_string()));
}
