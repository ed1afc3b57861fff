//! From a name to a server: which one, whether it serves, and what is said where none does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::{Client, HOST, House, Line, Message, Stage, Upstream, get, many, route};
use wharf_model::{Condition, Route, Upstream as Target};
use wharf_proxy::Ownership;

/// What a client says it wants to have, and what it gets.
const FORMS: [(&str, &str); 3] = [
    ("", "text/plain"),
    ("Accept: text/html,*/*\r\n", "text/html"),
    ("Accept: application/json\r\n", "application/json"),
];

fn ask(client: &mut Client, host: &str, lines: &str) -> Message {
    client.send(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"));
    client.answer("GET")
}

/// A server that answers with its name.
fn named(name: &'static str) -> Upstream {
    Upstream::new(Arc::new(move |line: &mut Line| {
        while line.request().is_some() {
            line.answer(name);
        }
    }))
}

#[test]
fn a_name_without_a_route_is_told_nothing() {
    let stage = Stage::echo();
    let port = stage.house.port;
    let mut hosts: Vec<String> = [
        "other.localhost",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "shop.localhost.",
        "shop.localhost.evil.example",
        "evil.example",
        "shop.evil.example",
        "shop.127.0.0.1.nip.io",
        "xshop.localhost",
        "a.shop.localhost",
        "shop.test",
        "shop.local",
        "shop",
        "..",
        ".",
        "-",
        "_",
        "shop..localhost",
        ".shop.localhost",
        "shop.localhost:1",
        "shop.localhost:65535",
    ]
    .map(str::to_owned)
    .into();
    hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")));
    let mut client = stage.client();
    for (lines, kind) in FORMS {
        let first = ask(&mut client, "unknown.localhost", lines);
        assert_eq!(first.status(), 421);
        assert!(first.one("content-type").unwrap().starts_with(kind), "{first:?}");
        let names: Vec<String> =
            first.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let never = |name: &String| name.starts_with("access-control") || name == "set-cookie";
        assert!(!names.iter().any(never), "{first:?}");
        assert!(!first.text().contains(".localhost"), "{}", first.text());
        for host in &hosts {
            assert_eq!(ask(&mut client, host, lines), first, "{host}");
        }
    }
    let mut own = stage.client();
    assert_eq!(ask(&mut own, &format!("shop.localhost:{port}"), "").status(), 200);
    assert_eq!(stage.end().requests.len(), 1);
}

/// What stands in the request comes back in no answer of the proxy's own.
#[test]
fn a_refusal_reflects_nothing() {
    let stage = Stage::echo();
    let mut client = stage.client();
    for (lines, _) in FORMS {
        for host in ["<script>", "reflected.localhost", "reflected:x"] {
            let mut one = stage.client();
            one.send(format!("GET /reflected?reflected HTTP/1.1\r\nHost: {host}\r\nCookie: reflected\r\n{lines}\r\n"));
            let answer = one.answer("GET");
            assert!(!answer.text().contains("reflected"), "{answer:?}");
            assert!(!answer.text().contains("<script"), "{answer:?}");
        }
    }
    assert_eq!(client.get("/a").status(), 200);
}

#[test]
fn exact_before_wildcard_and_long_before_short() {
    let servers = ["exact", "wild", "far", "api", "deep"].map(|name| (name, named(name)));
    let at = |name: &str| servers.iter().find(|(one, _)| *one == name).unwrap().1.address;
    let below =
        |host: &str, path: &str, name: &str| Route { path: path.into(), ..route(host, at(name)) };
    let house = House::new([
        below("shop.localhost", "/", "exact"),
        below("shop.localhost", "/api", "api"),
        below("shop.localhost", "/api/deep/", "deep"),
        below("*.shop.localhost", "/", "far"),
        below("*.a.shop.localhost", "/", "wild"),
    ]);
    let mut client = house.client();
    for (host, path, want) in [
        ("shop.localhost", "/", "exact"),
        ("SHOP.localhost", "/", "exact"),
        ("shop.localhost", "/api", "api"),
        ("shop.localhost", "/api/", "api"),
        ("shop.localhost", "/api?x", "api"),
        ("shop.localhost", "/api/x/y", "api"),
        ("shop.localhost", "/apix", "exact"),
        ("shop.localhost", "/API", "exact"),
        ("shop.localhost", "/%61pi", "exact"),
        ("shop.localhost", "/x/../api", "exact"),
        ("shop.localhost", "//api", "exact"),
        ("shop.localhost", "/api/deep", "deep"),
        ("shop.localhost", "/api/deep/x", "deep"),
        ("shop.localhost", "/api/deepx", "api"),
        ("b.shop.localhost", "/api", "far"),
        ("c.b.shop.localhost", "/", "far"),
        ("b.a.shop.localhost", "/", "wild"),
        ("a.shop.localhost", "/", "far"),
    ] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.answer("GET").text(), want, "{host}{path}");
        client.send(format!("GET http://{host}{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(client.answer("GET").text(), want, "{host}{path} as a URL");
    }
    drop(house);
    for (_, server) in servers {
        server.end();
    }
}

#[test]
fn routes_change_under_load_and_no_request_fails() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 150;
    let (one, two) = (named("one"), named("two"));
    let house = House::new([route(HOST, one.address)]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = house.client();
                    for number in 0..REQUESTS {
                        let text = client.get(&format!("/{number}")).text();
                        assert!(text == "one" || text == "two", "{text}");
                    }
                })
            })
            .collect();
        let changing = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                house.set([route(HOST, two.address), route("b.localhost", one.address)]);
                assert_eq!(house.client().get("/two").text(), "two");
                house.set([route(HOST, one.address)]);
                assert_eq!(house.client().get("/one").text(), "one");
            }
        });
        let failed = clients.into_iter().any(|client| client.join().is_err());
        done.store(true, Ordering::SeqCst);
        changing.join().unwrap();
        assert!(!failed);
    });
    let mut client = house.client();
    client.get("/");
    house.set([]);
    assert_eq!(client.get("/").status(), 421, "a connection outlives no route");
    drop(house);
    assert!(one.end().faults.is_empty() && two.end().faults.is_empty());
}

/// An instance in this condition, by the name `shop`.
fn instance(address: SocketAddr, condition: Condition) -> Route {
    let mut route = route(HOST, address);
    route.upstream.name = "shop".into();
    route.upstream.instance = Some("i1".into());
    route.upstream.condition = condition;
    route
}

fn ended() -> Condition {
    let last_lines = vec!["<script>boom()</script>".to_owned(), "Error: no".to_owned()];
    Condition::Ended { exit_code: Some(3), failed: true, last_lines }
}

/// Whether a client has not been answered yet, once another's request has come and gone.
fn is_held(house: &House, client: &Client) -> bool {
    assert_eq!(ask(&mut house.client(), "echo.localhost", "").status(), 200);
    client.stream.set_nonblocking(true).unwrap();
    let peeked = client.stream.peek(&mut [0]);
    client.stream.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn requests_wait_for_a_server_that_is_starting() {
    let server = Upstream::new(Arc::new(Line::echo));
    let echo = route("echo.localhost", server.address);
    let house = House::new([instance(server.address, Condition::Starting), echo.clone()]);
    let mut waiting: Vec<(Client, &str)> = Vec::new();
    for (sent, method) in [
        (get("/a"), "GET"),
        (get("/a").replace("\r\n\r\n", "\r\nAccept: text/html\r\n\r\n"), "GET"),
        ("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi".into(), "POST"),
        ("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into(), "POST"),
    ] {
        let mut client = house.client();
        client.send(sent);
        assert!(is_held(&house, &client), "{method}");
        waiting.push((client, method));
    }
    house.set([instance(server.address, Condition::Starting), echo.clone()]);
    assert!(waiting.iter().all(|(client, _)| is_held(&house, client)), "a change is no start");
    house.set([instance(server.address, Condition::Up), echo]);
    for (mut client, method) in waiting {
        let answer = client.answer(method);
        assert_eq!(answer.text(), format!("{method} /a"));
        assert_eq!(answer.one("x-wharf-instance"), Some("i1"));
    }
    drop(house);
    let log = server.end();
    assert_eq!(log.requests.iter().filter(|request| request.text() == "hi").count(), 2);
}

#[test]
fn whoever_waits_for_a_server_that_never_starts_is_told_so() {
    let server = Upstream::new(Arc::new(Line::echo));
    let house = House::new([instance(server.address, Condition::Starting)]);
    std::thread::scope(|scope| {
        for (lines, kind) in FORMS {
            let house = &house;
            scope.spawn(move || {
                let answer = ask(&mut house.client(), HOST, lines);
                assert_eq!(answer.status(), 503);
                assert_eq!(answer.one("retry-after"), Some("1"));
                assert!(answer.one("content-type").unwrap().starts_with(kind));
                let text = answer.text();
                let again = text.contains("<meta http-equiv=\"refresh\" content=\"1\">");
                assert_eq!(again, kind == "text/html", "{text}");
                assert_eq!(text.contains("\"code\":\"starting\""), kind == "application/json");
                assert!(text.contains("shop is starting"), "{text}");
            });
        }
    });
    drop(house);
    assert_eq!(server.end().connections, 0);
}

#[test]
fn whoever_waits_for_a_server_that_ends_is_told_at_once() {
    let server = Upstream::new(Arc::new(Line::echo));
    let echo = route("echo.localhost", server.address);
    let house = House::new([instance(server.address, Condition::Starting), echo.clone()]);
    let mut waiting: Vec<Client> = FORMS
        .iter()
        .map(|(lines, _)| {
            let mut client = house.client();
            client.send(format!("GET /a HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"));
            assert!(is_held(&house, &client));
            client
        })
        .collect();
    house.set([instance(server.address, ended()), echo]);
    for (client, (_, kind)) in waiting.iter_mut().zip(FORMS) {
        let answer = client.answer("GET");
        let text = answer.text();
        assert_eq!(answer.status(), 502, "{text}");
        assert!(answer.one("content-type").unwrap().starts_with(kind));
        assert!(text.contains("exit code 3") && text.contains("Error: no"), "{text}");
        assert!(kind != "text/html" || !text.contains("<script"), "{text}");
        assert!(!text.contains("refresh"), "{text}");
    }
    drop(house);
    server.end();
}

#[test]
fn no_more_than_1024_requests_wait() {
    many();
    let server = Upstream::new(Arc::new(Line::echo));
    let echo = route("echo.localhost", server.address);
    let house = House::new([instance(server.address, Condition::Starting), echo.clone()]);
    let mut waiting: Vec<Client> = (0..1024)
        .map(|_| {
            let mut client = house.client();
            client.send(get("/a"));
            client
        })
        .collect();
    assert!(waiting.iter().rev().take(3).all(|client| is_held(&house, client)));
    let crowded = house.client().get("/a");
    assert_eq!((crowded.status(), crowded.one("retry-after")), (503, Some("1")));
    house.set([instance(server.address, Condition::Up), echo]);
    for client in &mut waiting {
        assert_eq!(client.answer("GET").text(), "GET /a");
    }
    drop((house, waiting));
    server.end();
}

/// A port that is taken, where nobody listens.
fn closed_port() -> (rustix::fd::OwnedFd, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    (socket, address)
}

#[test]
fn a_server_that_does_not_listen_is_told_of() {
    let (_socket, address) = closed_port();
    let house = House::new([route(HOST, address)]);
    let mut client = house.client();
    for (lines, kind) in FORMS {
        let answer = ask(&mut client, HOST, lines);
        assert_eq!(answer.status(), 502);
        assert!(answer.one("content-type").unwrap().starts_with(kind));
        assert!(answer.text().contains("does not take connections"), "{}", answer.text());
    }
    let mut nowhere = route(HOST, address);
    nowhere.upstream.addresses.clear();
    house.set([nowhere]);
    assert_eq!(client.get("/a").status(), 502);
}

#[test]
fn the_first_address_that_answers_is_taken() {
    let (_socket, closed) = closed_port();
    let stage = Stage::echo();
    let mut both = route(HOST, closed);
    both.upstream.addresses.push(stage.upstream.address);
    stage.house.set([both]);
    assert_eq!(stage.client().get("/a").text(), "GET /a");
}

/// Between the end of one process and the start of the next a port refuses.
#[test]
fn an_instance_that_restarts_is_waited_for() {
    let (socket, address) = closed_port();
    let server = Upstream::new(Arc::new(Line::echo));
    let echo = route("echo.localhost", server.address);
    let house = House::new([instance(address, Condition::Up), echo]);
    let mut client = house.client();
    client.send(get("/a"));
    assert!(is_held(&house, &client));
    rustix::net::listen(&socket, 1).unwrap();
    let (accepted, _) = std::net::TcpListener::from(socket).accept().unwrap();
    let mut reader = crate::stage::message::Reader::new(accepted.try_clone().unwrap());
    assert_eq!(reader.request().unwrap().target(), "/a");
    std::io::Write::write_all(&mut &accepted, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert_eq!(client.answer("GET").status(), 204);
}

struct Nobody;

impl Ownership for Nobody {
    fn verify(&self, _: &Target, address: SocketAddr) -> Result<(), String> {
        Err(format!("port {} is held by user 1001", address.port()))
    }
}

#[test]
fn a_stranger_who_listens_hears_not_one_byte() {
    let server = Upstream::new(Arc::new(|line: &mut Line| {
        line.reader.drain();
    }));
    let house = House::with([route(HOST, server.address)], Arc::new(Nobody));
    let mut client = house.client();
    for sent in [
        get("/a"),
        get("/ws").replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ] {
        client.send(sent);
        let answer = client.answer("GET");
        assert_eq!(answer.status(), 502);
        assert!(answer.text().contains("is held by user 1001"), "{}", answer.text());
    }
    let mut sends = house.client();
    sends.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(sends.answer("POST").status(), 502);
    drop(house);
    let log = server.end();
    assert_eq!((log.connections, log.bytes()), (3, 0));
}

#[test]
fn a_front_that_others_can_reach_serves_only_what_says_so() {
    let stage = Stage::echo();
    let lan = stage.house.lan();
    let open = |lan| Route { lan, ..route(HOST, stage.upstream.address) };
    let mut client = Client::new(lan);
    assert_eq!(client.get("/a").status(), 421);
    stage.house.set([open(true)]);
    assert_eq!(client.get("/b").status(), 200);
    stage.house.set([open(false)]);
    assert_eq!(client.get("/c").status(), 421);
    assert_eq!(stage.end().asked(), ["GET /b"]);
}
