//! Names that a user gives, and requests, over the control socket of a daemon without a proxy.

mod harness;
#[path = "../../wharf-control/tests/schema/mod.rs"]
mod schema;

use harness::{DEADLINE, Home, block_on, instance, own_process, port, raw};
use serde_json::Value;
use wharf_control::names::{AliasRequest, TcpRequest};
use wharf_control::requests::{InspectRequest, RequestNoticeKind};
use wharf_control::{CallError, Code};
use wharf_model::State;

#[test]
fn as_a_daemon() {
    harness::be_daemon_if_asked();
}

fn code(error: CallError) -> Code {
    error.code().unwrap_or_else(|| panic!("{error}"))
}

fn to(target: &str) -> AliasRequest {
    AliasRequest { target: target.into(), checkout: None }
}

#[test]
fn an_alias_is_acknowledged_only_once_it_is_kept() {
    let home = Home::new();
    let daemon = home.start();
    let client = home.client();
    let given = block_on(client.put_alias("db-admin", &to("5000"))).unwrap();
    assert_eq!(given.aliases[0].target, "http://localhost:5000");
    assert_eq!(given.aliases[0].url, None, "no proxy listens");
    daemon.kill();
    let _daemon = home.start();
    let kept = block_on(client.aliases()).unwrap();
    assert_eq!(kept.aliases[0].name, "db-admin");
    assert_eq!(block_on(client.delete_alias("db-admin")).unwrap(), kept);
    assert_eq!(code(block_on(client.delete_alias("db-admin")).unwrap_err()), Code::NotFound);
    let mut web = instance("i-1", 8000, own_process(), State::Ready);
    web.url = "http://shop.localhost".into();
    block_on(client.put_instance(&web)).unwrap();
    let taken = block_on(client.put_alias("shop", &to("5000"))).unwrap_err();
    assert_eq!(code(taken), Code::NameTaken);
    let elsewhere = block_on(client.put_alias("x", &to("http://10.0.0.1:80"))).unwrap_err();
    assert_eq!(code(elsewhere), Code::BadRequest);
}

#[test]
fn a_service_without_a_proxy_says_why_it_does_not_listen() {
    let home = Home::new();
    let _daemon = home.start();
    let client = home.client();
    let given =
        block_on(client.put_tcp_name("db", &TcpRequest { to: Some(port(5432)), agent: None }))
            .unwrap();
    let service = &given.services[0];
    assert_eq!((service.port, service.listeners.len()), (None, 0));
    assert!(service.note.as_deref().unwrap().contains("proxy is off"), "{service:?}");
    assert_eq!(home.snapshot().leases, [], "a port that is not listened on is not leased");
    let follows =
        block_on(client.put_tcp_name("shop", &TcpRequest { to: None, agent: None })).unwrap_err();
    assert_eq!(code(follows), Code::NotFound);
    assert_eq!(block_on(client.delete_tcp_name("db")).unwrap().services, given.services);
    assert_eq!(block_on(client.tcp_names()).unwrap().services, []);
}

#[test]
fn odd_paths_are_no_names() {
    let home = Home::new();
    let _daemon = home.start();
    let send = |method: &str, path: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        raw(&home.paths, &format!("{head}Content-Length: 2\r\n\r\n{{}}")).0
    };
    for path in ["/v1/aliases/", "/v1/aliases/a_b", "/v1/aliases/A", "/v1/tcp/a/b", "/v1/tcp/%61"] {
        assert_eq!(send("PUT", path), 404, "{path}");
    }
    for (method, path) in [
        ("POST", "/v1/aliases"),
        ("GET", "/v1/aliases/a"),
        ("POST", "/v1/tcp/a"),
        ("PUT", "/v1/requests"),
        ("GET", "/v1/requests/inspect"),
    ] {
        assert_eq!(send(method, path), 405, "{method} {path}");
    }
    assert_eq!(send("PUT", "/v1/aliases/a"), 400, "an alias needs a target");
    assert_eq!(send("POST", "/v1/requests/inspect"), 400);
}

#[test]
fn answers_fit_the_committed_schema() {
    let home = Home::new();
    let _daemon = home.start();
    let client = home.client();
    block_on(client.put_alias("a", &to("5000"))).unwrap();
    block_on(client.put_tcp_name("b", &TcpRequest { to: Some(port(5432)), agent: None })).unwrap();
    for (path, name) in [
        ("/v1/aliases", "alias_list"),
        ("/v1/tcp", "tcp_list"),
        ("/v1/requests/kept", "request_list"),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let (status, body) = raw(&home.paths, &head);
        assert_eq!(status, 200, "{path}: {body}");
        let document: Value = serde_json::from_str(&body).unwrap();
        schema::Schema::committed().assert_fits(name, &document);
    }
}

#[test]
fn whoever_follows_is_told_of_the_end() {
    let home = Home::new();
    let _daemon = home.start();
    let client = home.client();
    block_on(async {
        let mut stream = client.requests().await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!(first.kind, RequestNoticeKind::Subscribed);
        assert!(client.kept_requests().await.unwrap().followed);
        let on = client.inspect(&InspectRequest { inspect: true }).await.unwrap();
        assert!(on.inspecting && client.kept_requests().await.unwrap().inspecting);
        client.stop().await.unwrap();
        let end = tokio::time::timeout(DEADLINE, stream.next()).await.unwrap();
        assert_eq!(end.unwrap(), None);
    });
}
