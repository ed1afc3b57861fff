//! Whether another site's page asks: every combination of what browsers tell, against the rule as the
//! design has it.

use crate::stage::{Client, HOST, House, Line, Stage, Upstream, route};
use std::sync::Arc;
use wharf_model::Route;

const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"];
const MODES: [Option<(&str, &str)>; 7] = [
    None,
    Some(("navigate", "document")),
    Some(("navigate", "iframe")),
    Some(("navigate", "empty")),
    Some(("cors", "empty")),
    Some(("no-cors", "script")),
    Some(("cors", "document")),
];
const SITES: [&str; 8] =
    ["", "same-origin", "same-site", "none", "cross-site", "Same-Origin", "x", "two"];

/// The origins that a page may have, with whether they may call.
fn origins(port: u16) -> Vec<(Option<String>, bool)> {
    let good = ["http://shop.localhost", "http://SHOP.localhost", "http://api.shop.localhost"];
    let own = good.map(|origin| (Some(format!("{origin}:{port}")), true));
    let foreign = [
        "null",
        "",
        "http://evil.example",
        "http://shop.localhost",
        "http://shop.localhost:1",
        "http://127.0.0.1",
        "http://[::1]",
        "http://localhost",
        "file://",
        "https://app.example.evil",
        "https://app.example:8443",
        "http://app.example",
        "chrome-extension://a",
    ];
    let close = [
        format!("https://shop.localhost:{port}"),
        format!("http://shop.localhost.evil.example:{port}"),
        format!("http://xshop.localhost:{port}"),
        format!("http://new.shop.localhost:{port}"),
        format!("http://other.localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://shop.localhost:{port}@evil.example"),
        format!("http://shop.localhost:{port}/"),
        format!("http://shop.localhost:{port} http://evil.example"),
        format!("http://u@shop.localhost:{port}"),
        format!("http://shop.localhost.:{port}"),
        format!("HTTP://evil.example:{port}"),
    ];
    let mut all = vec![(None, true), (Some("https://app.example".to_owned()), true)];
    all.extend(own);
    all.extend(foreign.map(|origin| (Some(origin.to_owned()), false)));
    all.extend(close.map(|origin| (Some(origin), false)));
    all
}

/// One request.
struct Ask<'a> {
    method: &'a str,
    origin: &'a Option<String>,
    /// Whether that origin, or its absence, may call.
    welcome: bool,
    site: &'a str,
    mode: Option<(&'a str, &'a str)>,
    upgrade: bool,
}

impl Ask<'_> {
    fn text(&self) -> String {
        let mut lines = String::new();
        if let Some(origin) = self.origin {
            lines.push_str(&format!("Origin: {origin}\r\n"));
        }
        match self.site {
            "" => {}
            "two" => lines.push_str("Sec-Fetch-Site: none\r\nSec-Fetch-Site: same-origin\r\n"),
            site => lines.push_str(&format!("Sec-Fetch-Site: {site}\r\n")),
        }
        if let Some((mode, dest)) = self.mode {
            lines.push_str(&format!("Sec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {dest}\r\n"));
        }
        if self.upgrade {
            lines.push_str("Connection: Upgrade\r\nUpgrade: websocket\r\n");
        }
        format!("{} /a HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n", self.method)
    }

    /// D2 and D3 of the design, word for word.
    fn passes(&self) -> bool {
        if self.upgrade {
            return self.welcome;
        }
        let listed = self.origin.is_some() && self.welcome;
        match self.site {
            "same-origin" | "same-site" | "none" => true,
            "" => matches!(self.method, "GET" | "HEAD" | "OPTIONS") || self.welcome,
            _ => self.mode == Some(("navigate", "document")) || listed,
        }
    }
}

fn routes(upstream: &Upstream, guarded: bool) -> Vec<Route> {
    let hosts = [HOST, "api.shop.localhost", "other.localhost"];
    let route = |host| Route {
        origins: vec!["https://app.example".into()],
        guarded,
        ..route(host, upstream.address)
    };
    hosts.map(route).into()
}

/// Sends every combination; the failures, and how many were let through.
fn ask_all(house: &House) -> (Vec<String>, usize) {
    let (mut client, mut failures, mut passed) = (house.client(), Vec::new(), 0);
    for (origin, welcome) in &origins(house.port) {
        for site in SITES {
            for mode in MODES {
                for (method, upgrade) in
                    METHODS.map(|method| (method, false)).into_iter().chain([("GET", true)])
                {
                    let ask = Ask { method, origin, welcome: *welcome, site, mode, upgrade };
                    let want = if ask.passes() { 200 } else { 403 };
                    passed += usize::from(want == 200);
                    let got = tell(&mut client, &ask);
                    if got != want {
                        failures.push(format!("want {want}, got {got}: {:?}", ask.text()));
                    }
                }
            }
        }
    }
    (failures, passed)
}

fn tell(client: &mut Client, ask: &Ask<'_>) -> u16 {
    client.send(ask.text());
    let answer = client.answer(ask.method);
    let shares =
        |(name, _): &(String, String)| name.to_ascii_lowercase().starts_with("access-control");
    assert!(!answer.fields.iter().any(shares), "{answer:?}");
    answer.status()
}

#[test]
fn the_gate_is_the_rule() {
    let upstream = Upstream::new(Arc::new(Line::echo));
    let house = House::new(routes(&upstream, true));
    let (failures, passed) = ask_all(&house);
    assert!(failures.is_empty(), "{}\n{}", failures.len(), failures.join("\n"));
    drop(house);
    assert_eq!(upstream.end().requests.len(), passed, "what is refused never arrives");
}

#[test]
fn a_route_without_a_guard_takes_everything() {
    let upstream = Upstream::new(Arc::new(Line::echo));
    let house = House::new(routes(&upstream, false));
    let mut client = house.client();
    for (origin, welcome) in &origins(house.port) {
        for upgrade in [false, true] {
            let method = if upgrade { "GET" } else { "POST" };
            let (site, mode) = ("cross-site", Some(("cors", "empty")));
            let ask = Ask { method, origin, welcome: *welcome, site, mode, upgrade };
            assert_eq!(tell(&mut client, &ask), 200, "{:?}", ask.text());
        }
    }
}

#[test]
fn two_origins_are_none() {
    let stage = Stage::echo();
    let mut client = stage.client();
    let own = format!("Origin: http://shop.localhost:{}\r\n", stage.house.port);
    for lines in [format!("{own}Origin: http://evil.example\r\n"), format!("{own}{own}")] {
        client.send(format!("DELETE /a HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"));
        assert_eq!(client.answer("DELETE").status(), 403, "{lines:?}");
    }
    assert_eq!(stage.end().requests.len(), 0);
}

#[test]
fn a_refusal_says_which_line_lets_the_page_in() {
    let stage = Stage::echo();
    let mut client = stage.client();
    for (origin, said) in [
        ("http://evil.example", "origins = [\"http://evil.example\"]"),
        ("null", "origins = [\"https://that.example\"]"),
        ("http://evil.example/<script>", "origins = [\"https://that.example\"]"),
    ] {
        client.send(format!(
            "DELETE /a HTTP/1.1\r\nHost: shop.localhost\r\nOrigin: {origin}\r\n\r\n"
        ));
        let text = client.answer("DELETE").text();
        assert!(text.contains(said) && !text.contains("<script"), "{text}");
    }
}

/// The body of a refused request is not taken for a request.
#[test]
fn what_is_refused_takes_its_body_along() {
    let stage = Stage::echo();
    let mut client = stage.client();
    let hidden = crate::stage::get("/smuggled");
    client.send(format!("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nOrigin: null\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()));
    let (answers, _) = client.answers("POST");
    assert_eq!(answers.iter().map(|answer| answer.status()).collect::<Vec<u16>>(), [403]);
    assert_eq!(stage.end().requests.len(), 0);
}
