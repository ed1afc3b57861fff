//! Every document of the wire fits the committed schema, in each of its forms.

mod schema;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wharf_control::api::*;
use wharf_control::error::ErrorReply;
use wharf_control::focus::*;
use wharf_control::names::*;
use wharf_control::requests::*;
use wharf_control::{Code, ErrorBody};
use wharf_model::lease::Displaced;
use wharf_model::{
    Agent, Holder, Instance, Lease, LeaseKind, Listener, PathText, Port, PortRequest, ProcessId,
    Remap, Remapped, ServiceKey, State, Why,
};

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn process() -> ProcessId {
    ProcessId { pid: 7, start_ticks: u64::MAX, boot_id: "boot".into() }
}

fn key() -> ServiceKey {
    ServiceKey {
        project: PathText::from_text("/src/shop".into()),
        worktree: String::new(),
        service: "web".into(),
        instance: 1,
    }
}

fn holder() -> Holder {
    Holder {
        key: Some(key()),
        pid: Some(1),
        command: Some("node".into()),
        folder: Some("~".into()),
        user: Some("anna".into()),
        age_s: Some(1),
        note: Some("a note".into()),
    }
}

fn agent() -> Agent {
    Agent::new("Claude Code".into(), Some("4721".into())).unwrap()
}

fn leases() -> Vec<Lease> {
    let displaced = Displaced { wanted: port(8000), holder: holder(), foreign: true };
    let whys = [
        Why::Asked,
        Why::Conventional,
        Why::Home { instead_of: None },
        Why::Home { instead_of: Some(Box::new(displaced.clone())) },
        Why::NextFree(Box::new(displaced)),
        Why::LeftToMain { wanted: port(8000) },
    ];
    let requests = [
        PortRequest::Exactly(port(1)),
        PortRequest::AtLeast(port(65535)),
        PortRequest::Conventional(port(8000)),
        PortRequest::Remembered(port(8000)),
    ];
    let kinds = [LeaseKind::Process(process()), LeaseKind::Ttl(60)];
    let lease = |(id, why): (usize, Why)| Lease {
        id: i64::try_from(id).unwrap(),
        port: port(8000),
        key: (id % 2 == 0).then(key),
        request: requests[id % requests.len()],
        kind: kinds[id % 2].clone(),
        granted_at: 1,
        why,
        agent: (id % 3 == 0).then(agent),
    };
    whys.into_iter().enumerate().map(lease).collect()
}

fn instance(state: State) -> Instance {
    let listener = |text: &str| Listener { address: text.parse().unwrap(), port: 1, pid: Some(1) };
    Instance {
        id: "7-ab".into(),
        key: key(),
        root: PathText::from_text("/src/shop".into()),
        framework: Some("vite".into()),
        state,
        port: 8000,
        requested_port: 8000,
        listeners: vec![listener("::1"), listener("0.0.0.0")],
        remap: Remap::Cooperative,
        remapped: vec![Remapped { named: 8000, port: 8001 }],
        held: false,
        access: wharf_model::Access::default(),
        url: "http://shop.localhost:8000".into(),
        direct_url: "http://127.0.0.1:8000".into(),
        pid: Some(8),
        pilot_pid: 7,
        pilot: process(),
        started_at: 1,
        revive: true,
        last_lines: vec!["no such table".into()],
        definition: Some([("run".to_owned(), "npm run dev".to_owned())].into()),
        restarts: 0,
        ready_ms: Some(5),
        exit_code: Some(-1),
        command: vec!["npm".into()],
        agent: Some(agent()),
    }
}

/// It fits, and it is read back as it was written.
fn both_ways<T: Serialize + DeserializeOwned>(name: &str, document: &T) {
    let written = serde_json::to_value(document).unwrap();
    schema::Schema::committed().assert_fits(name, &written);
    let read: T = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), written);
}

fn proxy_status() -> ProxyStatus {
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    let route = RouteReport {
        host: "shop.localhost".into(),
        path: "/".into(),
        upstream: "shop".into(),
        addresses: vec![(address, 8000).into()],
        condition: "up".into(),
        lan: false,
        alias: true,
    };
    ProxyStatus {
        schema: SCHEMA,
        listeners: vec![ProxyListener { scheme: "http".into(), address, port: 80 }],
        routes: vec![route],
        connections: 1,
        notes: vec!["a sentence".into()],
    }
}

#[test]
fn replies_fit() {
    let warnings = vec!["a sentence".to_owned()];
    both_ways(
        "status",
        &Status {
            schema: SCHEMA,
            pid: 1,
            version: "0.1.0".into(),
            socket: "/s".into(),
            uptime_s: 1,
            store: StoreReport { path: "/d".into(), writable: true, warnings: warnings.clone() },
            leases: 1,
            instances: 1,
        },
    );
    both_ways(
        "lease_reply",
        &LeaseReply {
            schema: SCHEMA,
            leases: leases(),
            label: Some("shop".into()),
            warnings,
            proxy: ProxyPorts { http: Some(80), https: None },
        },
    );
    let reply = LeaseReply {
        schema: SCHEMA,
        leases: leases(),
        label: None,
        warnings: Vec::new(),
        proxy: ProxyPorts::default(),
    };
    both_ways("lease_batch_reply", &LeaseBatchReply { schema: SCHEMA, replies: vec![reply] });
    both_ways("proxy_status", &proxy_status());
    both_ways("release_reply", &ReleaseReply { schema: SCHEMA, leases: leases() });
    both_ways("done", &Done { schema: SCHEMA });
    both_ways("stopping", &Stopping { schema: SCHEMA, pid: 1 });
    let states = [
        State::Planned,
        State::Leased,
        State::Starting,
        State::Ready,
        State::Unready,
        State::Stopping,
        State::Exited,
        State::Failed,
    ];
    let instances = states.into_iter().map(instance).collect();
    let homes = vec![HomeReport { key: key(), port: port(8000), last_use: 1 }];
    both_ways(
        "snapshot",
        &Snapshot {
            schema: SCHEMA,
            version: Some("0.1.0".into()),
            leases: leases(),
            instances,
            homes,
            looks_after: Some(4_026_531_840),
        },
    );
}

#[test]
fn requests_fit() {
    let key = KeyRequest {
        project: PathText::from_text("/src".into()),
        worktree: "fix".into(),
        service: "web".into(),
        instance: None,
    };
    both_ways(
        "lease_request",
        &LeaseRequest {
            request_id: "r".into(),
            key: Some(key),
            request: PortRequest::Conventional(port(8000)),
            slots: 2,
            owner: LeaseKind::Process(process()),
            busy: vec![BusyPort { port: port(8000), holder: Some(holder()) }],
            agent: Some(agent()),
        },
    );
    let request = LeaseRequest {
        request_id: "r".into(),
        key: None,
        request: PortRequest::AtLeast(port(8000)),
        slots: 1,
        owner: LeaseKind::Ttl(60),
        busy: Vec::new(),
        agent: None,
    };
    both_ways("lease_batch", &LeaseBatch { requests: vec![request] });
    for release in [
        Released::AllTtl,
        Released::Ports(vec![port(1)]),
        Released::Key(self::key()),
        Released::Leases(vec![1]),
        Released::Unused(self::key()),
        Released::Homes(vec![self::key()]),
    ] {
        both_ways("release_request", &ReleaseRequest { release, by: Some(process()) });
    }
}

#[test]
fn what_a_script_may_leave_out_is_filled_in() {
    let short = json!({"request_id": "r", "request": {"at_least": 9000}, "owner": {"ttl": 60}});
    schema::Schema::committed().assert_fits("lease_request", &short);
    let request: LeaseRequest = serde_json::from_value(short).unwrap();
    assert_eq!((request.slots, request.key, request.busy), (1, None, Vec::new()));
    for bad in [json!({"name": ""}), json!({"name": "a\u{1b}[2J"}), json!({"name": "x".repeat(65)})]
    {
        let mut bad_request =
            json!({"request_id": "r", "request": {"at_least": 1}, "owner": {"ttl": 1}});
        bad_request["agent"] = bad;
        assert!(serde_json::from_value::<LeaseRequest>(bad_request).is_err());
    }
    for bad in [json!({"at_least": 0}), json!({"at_least": 65536}), json!({"most": 1})] {
        let bad = json!({"request_id": "r", "request": bad, "owner": {"ttl": 60}});
        assert!(serde_json::from_value::<LeaseRequest>(bad).is_err());
    }
}

#[test]
fn notices_fit() {
    let lease = || Box::new(leases().remove(0));
    for kind in [
        NoticeKind::Subscribed,
        NoticeKind::LeaseGranted { lease: lease() },
        NoticeKind::LeaseReleased { lease: lease() },
        NoticeKind::Instance { instance: Box::new(instance(State::Ready)) },
        NoticeKind::InstanceForgotten { id: "7-ab".into() },
        NoticeKind::LookAgain { ids: vec!["7-ab".into(), "8-cd".into()] },
        NoticeKind::Store { message: "text".into() },
        NoticeKind::Lagged { missed: 3 },
        NoticeKind::Stopping,
    ] {
        both_ways("notice", &Notice { schema: SCHEMA, time_ms: 1, kind });
    }
}

#[test]
fn names_fit() {
    let alias = AliasReport {
        name: "db-admin".into(),
        url: Some("http://db-admin.localhost:4080".into()),
        target: "http://localhost:5000".into(),
        shadowed: false,
        since: 1,
        checkout: Some(PathText::from_text("/src".into())),
    };
    let unreached = AliasReport { url: None, shadowed: true, ..alias.clone() };
    both_ways("alias_list", &AliasList { schema: SCHEMA, aliases: vec![alias, unreached] });
    both_ways(
        "alias_request",
        &AliasRequest { target: "5000".into(), checkout: Some(PathText::from_text("/src".into())) },
    );
    let listens = TcpReport {
        name: "db".into(),
        port: Some(15432),
        listeners: vec![([127, 0, 0, 1], 15432).into()],
        to: Some(port(5432)),
        addresses: vec![([127, 0, 0, 1], 5432).into()],
        note: None,
        since: 1,
    };
    let waits = TcpReport {
        port: None,
        listeners: Vec::new(),
        to: None,
        addresses: Vec::new(),
        note: Some("a sentence".into()),
        ..listens.clone()
    };
    both_ways("tcp_list", &TcpList { schema: SCHEMA, services: vec![listens, waits] });
    both_ways("tcp_request", &TcpRequest { to: Some(port(5432)), agent: None });
    let agent = Agent::of_text("Codex", Some("7"));
    both_ways("tcp_request", &TcpRequest { to: None, agent: agent.clone() });
    schema::Schema::committed().assert_fits("tcp_request", &json!({}));
}

#[test]
fn focuses_fit() {
    let listens = FocusReport {
        port: port(3000),
        listeners: vec![([127, 0, 0, 1], 3000).into()],
        key: key(),
        tcp: false,
        url: Some("http://shop.localhost".into()),
        live: true,
        addresses: vec![([127, 0, 0, 1], 3001).into()],
        note: None,
        since: 1,
    };
    let waits = FocusReport {
        listeners: Vec::new(),
        tcp: true,
        url: None,
        live: false,
        addresses: Vec::new(),
        note: Some("a sentence".into()),
        ..listens.clone()
    };
    both_ways("focus_list", &FocusList { schema: SCHEMA, focuses: vec![listens, waits] });
    both_ways(
        "focus_request",
        &FocusRequest { key: key(), tcp: true, agent: Agent::of_text("Codex", None) },
    );
}

#[test]
fn requests_through_the_proxy_fit() {
    let request = RequestReport {
        time_ms: 1,
        host: "shop.localhost".into(),
        method: "GET".into(),
        path: "/?token=…".into(),
        status: 200,
        micros: 1,
        bytes: 1,
        upstream: Some("shop".into()),
        instance: Some("7-ab".into()),
        https: false,
        upgraded: false,
    };
    let refused = RequestReport { upstream: None, instance: None, ..request.clone() };
    let requests = vec![request.clone(), refused];
    let list = RequestList { schema: SCHEMA, inspecting: true, followed: false, requests };
    both_ways("request_list", &list);
    both_ways("inspect_request", &InspectRequest { inspect: true });
    both_ways("inspecting", &Inspecting { schema: SCHEMA, inspecting: true });
    for kind in [
        RequestNoticeKind::Subscribed,
        RequestNoticeKind::Request { request: Box::new(request) },
        RequestNoticeKind::Missed { missed: 3 },
    ] {
        both_ways("request_notice", &RequestNotice { schema: SCHEMA, kind });
    }
}

#[test]
fn refusals_fit() {
    let all = [
        Code::BadRequest,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::TooLarge,
        Code::PortTaken,
        Code::InstanceRunning,
        Code::NoFreePort,
        Code::LeaseHeld,
        Code::OwnerGone,
        Code::RequestIdReused,
        Code::NameTaken,
        Code::PermissionDenied,
        Code::Forbidden,
        Code::Timeout,
        Code::Stopping,
        Code::Busy,
        Code::Internal,
    ];
    for code in all {
        let bare = ErrorBody::new(code, "text");
        let full = ErrorBody {
            port: Some(1),
            holder: Some(Box::new(holder())),
            help: Some("help".into()),
            ..bare.clone()
        };
        both_ways("error", &ErrorReply { schema: SCHEMA, error: bare });
        both_ways("error", &ErrorReply { schema: SCHEMA, error: full });
    }
}

#[test]
fn the_checker_bites() {
    let schema = schema::Schema::committed();
    let refuses = |name: &str, document: Value| {
        let name = name.to_owned();
        let schema = schema::Schema::committed();
        std::panic::catch_unwind(move || schema.assert_fits(&name, &document)).is_err()
    };
    assert!(refuses("done", json!({"schema": 2})));
    assert!(refuses("done", json!({})));
    assert!(refuses("done", json!({"schema": 1, "more": true})));
    assert!(refuses("port", json!(65536)));
    assert!(refuses("notice", json!({"schema": 1, "time_ms": 1, "event": "unheard"})));
    assert!(schema.names().len() > 20);
}
