//! What a pilot that does nothing while nothing happens still notices: by an event, since it looks seldom.

mod sandbox;

use sandbox::{Sandbox, until};
use wharf_control::Client;
use wharf_control::api::{KeyRequest, LeaseRequest, ReleaseRequest, Released, Snapshot};
use wharf_model::{LeaseKind, Port, PortRequest, ServiceKey};

/// How often the moment is looked for at which events come close together.
const ROUNDS: u32 = 20;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn client(sandbox: &Sandbox) -> Client {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    Client::new(status["socket"].as_str().unwrap())
}

fn snapshot(client: &Client) -> Snapshot {
    block_on(client.snapshot()).unwrap()
}

/// A lease for another service of the same checkout: each pilot of it looks at everything anew.
fn neighbour(number: u32, key: &ServiceKey) -> LeaseRequest {
    let key = KeyRequest {
        project: key.project.clone(),
        worktree: key.worktree.clone(),
        service: format!("other-{number}"),
        instance: None,
    };
    LeaseRequest {
        request_id: format!("neighbour-{number}"),
        key: Some(key),
        request: PortRequest::AtLeast(Port::new(21_000).unwrap()),
        slots: 1,
        owner: LeaseKind::Ttl(600),
        busy: Vec::new(),
        agent: None,
    }
}

#[test]
fn what_the_daemon_forgets_it_is_told_again_whatever_else_happens_at_that_moment() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.run(&["--", "python3", "-m", "http.server", "--bind", "127.0.0.1"]);
    running.event("ready");
    let client = client(&sandbox);
    let own = until(|| snapshot(&client).instances.into_iter().find(|i| i.ready_ms.is_some()));
    let own = own.expect("the daemon knows it");
    // Within the limit of a test there is no reminder: it comes by an event, or not at all.
    for round in 0..ROUNDS {
        block_on(async {
            client.lease(&neighbour(round, &own.key)).await.unwrap();
            client.delete_instance(&own.id).await.unwrap();
        });
        let again = until(|| snapshot(&client).instances.into_iter().find(|i| i.id == own.id));
        assert!(again.is_some(), "round {round}: it is known again");
    }
    let release = Released::Key(own.key.clone());
    let request = ReleaseRequest { release, by: Some(own.pilot.clone()) };
    assert_eq!(block_on(client.release(&request)).unwrap().len(), 1);
    let has_it =
        |snapshot: &Snapshot| snapshot.leases.iter().any(|l| l.key.as_ref() == Some(&own.key));
    assert!(until(|| has_it(&snapshot(&client)).then_some(())).is_some(), "it has its port again");
    running.signal("INT");
    running.code();
}

#[test]
fn a_daemon_without_memory_is_told_of_what_runs() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.run(&["--", "python3", "-m", "http.server", "--bind", "127.0.0.1"]);
    running.event("ready");
    let client = client(&sandbox);
    let pid = sandbox.output(&["daemon", "status", "--json"]).json()["pid"].as_u64().unwrap();
    let pid = u32::try_from(pid).unwrap();
    // Stopped, so that it does not write its database anew; and moved, since the next one comes at once.
    sandbox::signal(pid, "STOP");
    let state = sandbox.dir().join("home/.local/state/wharf");
    std::fs::rename(&state, sandbox.dir().join("old")).expect("the database was there");
    sandbox::signal(pid, "KILL");
    let known = until(|| {
        let snapshot = block_on(client.snapshot()).ok()?;
        snapshot.instances.into_iter().find(|i| i.ready_ms.is_some())
    });
    assert!(known.is_some(), "the next daemon knows it");
    running.signal("INT");
    running.code();
}

#[test]
fn a_listener_that_ends_with_one_of_several_processes_is_missed() {
    let sandbox = Sandbox::new();
    let program = "python3 -m http.server --bind 127.0.0.1 $PORT & wait; exec tail -f /dev/null\n";
    sandbox.file("serve.sh", program);
    let mut running = sandbox.run(&["--", "sh", "serve.sh"]);
    let pid = running.event("listening")["pid"].as_u64().unwrap();
    running.event("ready");
    sandbox::signal(u32::try_from(pid).unwrap(), "KILL");
    running.said("nothing listens on port");
    running.signal("TERM");
    running.code();
}

/// Closes its listener while its pilot no longer looks often, and lives on.
const CLOSER: &str = "import os, signal, socket, time
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
signal.signal(signal.SIGALRM, lambda *_: listener.close())
signal.alarm(14)
while listener.fileno() >= 0:
    try:
        listener.accept()[0].sendall(b'HTTP/1.1 204 No Content\\r\\nConnection: close\\r\\n\\r\\n')
    except OSError:
        pass
signal.pause()
";

#[test]
fn a_listener_that_is_closed_by_who_lives_on_is_missed() {
    let sandbox = Sandbox::new();
    sandbox.file("closer.py", CLOSER);
    let mut running = sandbox.run(&["--", "python3", "closer.py"]);
    running.event("ready");
    running.said("nothing listens on port");
    running.signal("TERM");
    running.code();
}
