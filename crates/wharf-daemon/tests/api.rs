//! What the control socket answers, and that it fits the committed schema.

mod harness;
#[path = "../../wharf-control/tests/schema/mod.rs"]
mod schema;

use std::net::TcpListener;

use harness::{
    DEADLINE, Home, QUIET, block_on, instance, key, lease, own_process, port, raw, request,
};
use wharf_control::api::{NoticeKind, ReleaseRequest, Released};
use wharf_control::{CallError, Code};
use wharf_model::{LeaseKind, PortRequest, State, Why};

#[test]
fn as_a_daemon() {
    harness::be_daemon_if_asked();
}

fn code(error: CallError) -> Code {
    error.code().unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn a_life_of_leases_and_instances() {
    let home = Home::new();
    let daemon = home.start();
    let client = home.client();
    let own = LeaseKind::Process(own_process());
    let first = lease(&home, &request("a", Some(key("web")), own.clone()));
    assert!(first.port.get() >= QUIET);
    assert_eq!(lease(&home, &request("a", Some(key("web")), own.clone())), first);
    let second = lease(&home, &request("b", Some(key("web")), own));
    assert_eq!(second.key.as_ref().map(|key| key.instance), Some(2));
    assert_ne!(second.port, first.port);

    let number = first.port.get();
    let mut shown = instance("i-1", number, own_process(), State::Ready);
    block_on(client.put_instance(&shown)).unwrap();
    shown.state = State::Unready;
    block_on(client.put_instance(&shown)).unwrap();
    let snapshot = home.snapshot();
    assert_eq!(snapshot.instances, [shown]);
    assert_eq!(snapshot.leases, [first.clone(), second.clone()]);
    let status = block_on(client.status()).unwrap();
    assert_eq!((status.leases, status.instances, status.pid), (2, 1, daemon.pid()));
    assert!(status.store.writable && status.store.warnings.is_empty());

    block_on(client.delete_instance("i-1")).unwrap();
    assert_eq!(code(block_on(client.delete_instance("i-1")).unwrap_err()), Code::NotFound);
    let release = Released::Leases(vec![first.id, second.id]);
    let mut asked = ReleaseRequest { release, by: None };
    assert_eq!(code(block_on(client.release(&asked)).unwrap_err()), Code::LeaseHeld);
    asked.by = Some(own_process());
    assert_eq!(block_on(client.release(&asked)).unwrap().len(), 2);
    assert_eq!(code(block_on(client.release(&asked)).unwrap_err()), Code::NotFound);
    assert!(home.snapshot().leases.is_empty());
}

#[test]
fn a_stranger_on_the_port_is_named() {
    let home = Home::new();
    let _daemon = home.start();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = port(stranger.local_addr().unwrap().port());
    let mut asked = request("a", None, LeaseKind::Ttl(60));
    asked.request = PortRequest::Exactly(taken);
    let CallError::Refused(refusal) = block_on(home.client().lease(&asked)).unwrap_err() else {
        panic!("not refused");
    };
    assert_eq!((refusal.code, refusal.port), (Code::PortTaken, Some(taken.get())));
    let holder = refusal.holder.unwrap();
    assert_eq!(holder.pid, Some(std::process::id()));
    assert!(holder.command.is_some() && holder.folder.is_some() && holder.age_s.is_some());

    asked.request = PortRequest::Conventional(taken);
    let Why::NextFree(displaced) = lease(&home, &asked).why else { panic!("not displaced") };
    assert!(displaced.foreign);
    assert_eq!(displaced.holder.pid, Some(std::process::id()));
}

#[test]
fn listeners_of_every_family_and_address_are_seen() {
    let home = Home::new();
    let _daemon = home.start();
    for address in ["127.0.0.1:0", "127.0.0.2:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let stranger = TcpListener::bind(address).unwrap();
        let mut asked = request(address, None, LeaseKind::Ttl(60));
        asked.request = PortRequest::Exactly(port(stranger.local_addr().unwrap().port()));
        let error = block_on(home.client().lease(&asked)).unwrap_err();
        assert_eq!(code(error), Code::PortTaken, "{address}");
    }
}

#[test]
fn real_documents_fit_the_schema() {
    let home = Home::new();
    let _daemon = home.start();
    let committed = schema::Schema::committed();
    let fits = |name: &str, request: String, status: u16| {
        let (found, body) = raw(&home.paths, &request);
        assert_eq!(found, status, "{body}");
        committed.assert_fits(name, &serde_json::from_str(&body).unwrap());
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let send = |method: &str, path: &str, body: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let asked = |id: &str| {
        let request = request(id, Some(key("web")), LeaseKind::Process(own_process()));
        serde_json::to_string(&request).unwrap()
    };
    fits("status", get("/v1/status"), 200);
    fits("lease_reply", send("POST", "/v1/leases", &asked("a")), 200);
    fits("lease_reply", send("POST", "/v1/leases", &asked("b")), 200);
    let shown = instance("i-1", QUIET, own_process(), State::Ready);
    fits("done", send("PUT", "/v1/instances/i-1", &serde_json::to_string(&shown).unwrap()), 200);
    fits("snapshot", get("/v1/snapshot"), 200);
    fits("error", send("POST", "/v1/release", r#"{"release":{"ports":[1]}}"#), 404);
    fits("error", send("POST", "/v1/release", r#"{"release":{"leases":[1]}}"#), 409);
    fits("release_reply", send("POST", "/v1/release", r#"{"release":"all_ttl"}"#), 200);
    fits("done", send("DELETE", "/v1/instances/i-1", ""), 200);
    fits("error", get("/v1/nothing"), 404);
    fits("stopping", send("POST", "/v1/stop", ""), 200);
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let home = Home::new();
    let _daemon = home.start();
    let send = |method: &str, path: &str, headers: &str, body: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}");
        raw(&home.paths, &format!("{head}\r\n{body}"))
    };
    let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
    for path in [
        "/",
        "/v1",
        "/v2/status",
        "/v1/status/",
        "/v1/instances/",
        "/v1/instances/a/b",
        "/v1/instances/a%2fb",
        "http://evil/v1/nothing",
    ] {
        assert_eq!(send("GET", path, "", "").0, 404, "{path}");
    }
    for (method, path) in [
        ("POST", "/v1/status"),
        ("GET", "/v1/leases"),
        ("DELETE", "/v1/stop"),
        ("GET", "/v1/instances/a"),
    ] {
        assert_eq!(send(method, path, "", "").0, 405, "{method} {path}");
    }
    for body in [
        "",
        "{",
        "[]",
        r#"{"request_id":1}"#,
        "\u{0}",
        r#"{"request_id":"a","request":{"exactly":0},"owner":{"ttl":1}}"#,
    ] {
        let (status, reply) = send("POST", "/v1/leases", &length(body), body);
        assert_eq!(status, 400, "{body}: {reply}");
        assert!(reply.contains("the body is not what is expected"), "{reply}");
    }
    for (slots, ttl) in [(0, 60), (65, 60), (1, 0), (1, u64::MAX)] {
        let body = format!(
            r#"{{"request_id":"a","request":{{"exactly":9000}},"slots":{slots},"owner":{{"ttl":{ttl}}}}}"#
        );
        assert_eq!(send("POST", "/v1/leases", &length(&body), &body).0, 400, "{body}");
    }
    // Too large, said beforehand and found out while it arrives.
    assert_eq!(send("POST", "/v1/leases", "Content-Length: 1048577\r\n", "").0, 413);
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x100000));
    let chunks = format!("{chunk}{chunk}0\r\n\r\n");
    assert_eq!(send("POST", "/v1/leases", "Transfer-Encoding: chunked\r\n", &chunks).0, 413);
    let shown = instance("other", QUIET, own_process(), State::Ready);
    let body = serde_json::to_string(&shown).unwrap();
    assert_eq!(send("PUT", "/v1/instances/i-1", &length(&body), &body).0, 400);
    // A head that never ends does no harm either.
    let (status, _) =
        raw(&home.paths, &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(20_000)));
    assert_eq!(status, 431);
    assert!(block_on(home.client().status()).is_ok());
}

#[test]
fn events_are_told_as_they_happen() {
    let home = Home::new();
    let _daemon = home.start();
    let client = home.client();
    let told = block_on(async {
        let mut events = client.events().await.unwrap();
        let mut told = Vec::new();
        assert_eq!(events.next().await.unwrap().unwrap().kind, NoticeKind::Subscribed);
        let request = request("a", Some(key("web")), LeaseKind::Ttl(60));
        client.lease(&request).await.unwrap();
        let ready = instance("i-1", QUIET, own_process(), State::Ready);
        client.put_instance(&ready).await.unwrap();
        client.delete_instance("i-1").await.unwrap();
        let all = ReleaseRequest { release: Released::AllTtl, by: None };
        client.release(&all).await.unwrap();
        client.stop().await.unwrap();
        while let Some(notice) = events.next().await.unwrap() {
            told.push(notice.kind);
        }
        told
    });
    let names: Vec<&str> = told
        .iter()
        .map(|kind| match kind {
            NoticeKind::LeaseGranted { .. } => "granted",
            NoticeKind::LeaseReleased { .. } => "released",
            NoticeKind::Instance { .. } => "instance",
            NoticeKind::InstanceForgotten { .. } => "forgotten",
            NoticeKind::Stopping => "stopping",
            _ => "other",
        })
        .collect();
    assert_eq!(names, ["granted", "instance", "forgotten", "released", "stopping"]);
}

#[test]
fn a_reader_that_does_not_read_is_dropped_and_costs_nobody_else() {
    let home = Home::new();
    let _daemon = home.start();
    let client = home.client();
    block_on(async {
        let mut slow = client.events().await.unwrap();
        let mut shown = instance("i-1", QUIET, own_process(), State::Ready);
        // More than the socket's buffers and the daemon's queue hold together.
        shown.command = vec!["x".repeat(10_000)];
        for restarts in 0..1000 {
            // What is no news is told to nobody.
            shown.restarts = restarts;
            client.put_instance(&shown).await.unwrap();
        }
        let mut last = None;
        let read = async {
            while let Some(notice) = slow.next().await.unwrap() {
                last = Some(notice.kind);
            }
        };
        tokio::time::timeout(DEADLINE, read).await.unwrap();
        assert!(matches!(last, Some(NoticeKind::Lagged { missed: 1.. })), "{last:?}");
    });
}

#[test]
fn an_owner_that_has_ended_gets_nothing() {
    let home = Home::new();
    let _daemon = home.start();
    let sleeper = harness::Sleeper::new();
    let mut gone = sleeper.process();
    sleeper.kill();
    let refused = |owner| {
        let asked = request("a", None, LeaseKind::Process(owner));
        code(block_on(home.client().lease(&asked)).unwrap_err())
    };
    assert_eq!(refused(gone.clone()), Code::OwnerGone);
    // The number of a living process with another start time is another process.
    gone.pid = std::process::id();
    assert_eq!(refused(gone), Code::OwnerGone);
}
