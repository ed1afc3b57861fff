//! `cargo xtask handover`: the files of `wharf export` as other tools' own code reads them: the reference
//! implementation of Docker Compose's files, the types of Kubernetes, what reads
//! the files for editors and shells, Traefik, and what systemd starts with a socket.

mod activated;
mod paths;
mod tools;
mod traefik;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::sandbox;

/// Where the project, the server and the table of requests are that web servers are asked.
const PROJECT: &str = "../../crates/wharf/tests/export";

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the project says, with what stands for the port of another service filled in.
const NOTE: &str = "it's 100% \"$HOME\" ${x} $(y) \\ #: 9000\nnext ünï";

/// Does what `cargo xtask handover` says.
pub fn run() -> Result<(), String> {
    sandbox::judged("handover", ("handover/judge.sh", "handover/project"), LIMIT, judge)?;
    tools::run()?;
    activated::run()?;
    traefik::run()?;
    paths::run()
}

fn judge(work: &Path) -> Result<(), String> {
    let read = |name: &str| -> Result<Value, String> {
        let text = fs::read_to_string(work.join(name)).map_err(|e| format!("no {name}: {e}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
    };
    let mut wrong = Vec::new();
    let mut passed = 0;
    let mut check = |what: &str, found: &Value, expected: Value| {
        match *found == expected {
            true => passed += 1,
            false => wrong.push(format!("{what} is {found}, not {expected}")),
        };
    };
    compose(&read("compose.json")?, &mut check);
    let gateway = read("kubernetes.json")?;
    check(
        "kinds with a Gateway",
        &kinds(&gateway),
        json!([
            "Namespace",
            "Deployment",
            "Service",
            "HTTPRoute",
            "HTTPRoute",
            "Deployment",
            "Service",
            "HTTPRoute"
        ]),
    );
    kubernetes(&gateway, &mut check);
    let ingress = read("kubernetes--ingress.json")?;
    check(
        "kinds with Ingresses",
        &kinds(&ingress),
        json!([
            "Namespace",
            "Deployment",
            "Service",
            "Ingress",
            "Deployment",
            "Service",
            "Ingress"
        ]),
    );
    println!("handed over: {passed} passed, {} failed", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn compose(project: &Value, check: &mut impl FnMut(&str, &Value, Value)) {
    let services = &project["services"];
    let api = &services["api"];
    check("the project's name", &project["name"], json!("project"));
    check("a variable", &services["web"]["environment"]["NOTE"], json!(NOTE));
    check("an empty variable", &services["web"]["environment"]["EMPTY"], json!(""));
    check("a sibling", &services["web"]["environment"]["WHARF_API_URL"], json!("http://api:9000"));
    check(
        "the words of a command",
        &api["command"],
        json!(["python3", "-m", "http.server", "9000", "--directory", "a b$c"]),
    );
    for (service, published) in [("api", "9000"), ("api-2", "9001"), ("web", "8000")] {
        let port = &services[service]["ports"][0];
        check(service, &port["published"], json!(published));
        check(service, &port["host_ip"], json!("127.0.0.1"));
    }
    check("within", &services["api-2"]["ports"][0]["target"], json!(9000));
    check(
        "what a step is waited for",
        &services["web"]["depends_on"]["migrate"]["condition"],
        json!("service_completed_successfully"),
    );
    let rule = &services["web"]["labels"]["traefik.http.routers.project-web-path-0.rule"];
    check(
        "a label",
        rule,
        json!("Host(`project.localhost`) && (Path(`/web`) || PathPrefix(`/web/`))"),
    );
}

fn kinds(documents: &Value) -> Value {
    let all = documents.as_array().into_iter().flatten();
    all.map(|document| document["kind"].clone()).collect()
}

fn kubernetes(documents: &Value, check: &mut impl FnMut(&str, &Value, Value)) {
    let of = |kind: &str, name: &str| {
        let all = documents.as_array().into_iter().flatten();
        let is_it = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
        all.into_iter().find(|one| is_it(one)).cloned().unwrap_or(Value::Null)
    };
    let web = of("Deployment", "web");
    let env = &web["spec"]["template"]["spec"]["containers"][0]["env"];
    let note = env.as_array().into_iter().flatten().find(|one| one["name"] == "NOTE");
    // The reference's own escape of `$`, which the kubelet takes back.
    let note = note.map_or(Value::Null, |one| one["value"].clone());
    check("a variable in Kubernetes", &note, json!(NOTE.replace('$', "$$")));
    check("replicas", &of("Deployment", "api")["spec"]["replicas"], json!(2));
    check("a Service's port", &of("Service", "api")["spec"]["ports"][0]["port"], json!(9000));
    let route = of("HTTPRoute", "web-paths");
    check("a path", &route["spec"]["rules"][0]["matches"][0]["path"]["value"], json!("/web"));
    check("a host", &route["spec"]["hostnames"][0], json!("project.localhost"));
}
