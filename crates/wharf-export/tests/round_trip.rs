//! What is written for another program comes back from that program's file: import(export(x)) is x, as far as the
//! format can say it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use wharf_export::{Front, Handover, Key, Launch, Server, Target};
use wharf_model::service::{Restart, Run};
use wharf_model::{OriginForm, Protocol};
use wharf_plan::fronts::{self, Front as Read};
use wharf_plan::project::Project;

/// Texts that formats trip over.
const AWKWARD: &str = "[a-z\"'\\\\`#;:%!*?~|&<>() =@,.é日-]{1,16}";

/// A path of a host: nothing that a format cannot say is left out here, but left to the exporters to refuse.
const PATH: &str = "/[a-z\"'\\\\`#;:%!*?~$|&<>() =@,.{}é日\n-]{0,12}[a-z]";

#[derive(Clone, Debug)]
struct Sketch {
    paths: Vec<String>,
    wildcard: bool,
    tls: bool,
    command: String,
    value: String,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let paths = prop::collection::vec(PATH, 0..3);
    (paths, any::<bool>(), any::<bool>(), AWKWARD, AWKWARD).prop_map(
        |(paths, wildcard, tls, command, value)| Sketch { paths, wildcard, tls, command, value },
    )
}

fn handover(sketches: &[Sketch]) -> Handover {
    let servers = sketches.iter().zip(8001..).enumerate().map(|(number, (sketch, port))| Server {
        key: Key { service: format!("s{number}"), instance: 1 },
        checkout: String::new(),
        hosts: vec![format!("s{number}.shop.localhost")],
        wildcard: sketch.wildcard,
        site: "shop.localhost".to_owned(),
        paths: sketch.paths.clone(),
        address: Ipv4Addr::LOCALHOST.into(),
        port,
        conventional: 8000,
        protocol: if sketch.tls { Protocol::Tls } else { Protocol::Http1 },
        origin_form: OriginForm::Plain,
        runs: true,
        declared: Some(Run::Shell(format!("./serve {} $PORT", sketch.command))),
        declared_env: vec![("NOTE".to_owned(), sketch.value.clone())],
        here: Launch { argv: vec!["./serve".into()], env: Vec::new() },
        passed: None,
        within: Launch::default(),
        dir: PathBuf::from("/src/shop"),
        depends_on: Vec::new(),
        is_step: false,
        restart: Restart::No,
        stop_signal: "TERM".to_owned(),
        stop_grace: Duration::from_secs(5),
        language: None,
        has_dockerfile: false,
        source: sketch.value.clone(),
    });
    Handover {
        name: "shop".to_owned(),
        root: PathBuf::from("/src/shop"),
        servers: servers.collect(),
        front: Front { port: 8088, tls: None },
        path: None,
    }
}

/// A name, whether all below it, a path, and the server.
type Row = (Option<String>, bool, Option<String>, String);

/// What a handover says. Of two servers with one path the first of the file has it.
fn said(handover: &Handover) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for server in &handover.servers {
        let scheme = if server.protocol == Protocol::Tls { "https" } else { "http" };
        let to = format!("{scheme}://{}", server.socket());
        for host in &server.hosts {
            rows.push((Some(host.clone()), false, None, to.clone()));
            if server.wildcard {
                rows.push((Some(host.clone()), true, None, to.clone()));
            }
        }
        for path in &server.paths {
            let row = (Some(server.site.clone()), false, Some(path.clone()), to.clone());
            if !rows.iter().any(|known| known.0 == row.0 && known.2 == row.2) {
                rows.push(row);
            }
        }
    }
    rows.sort();
    rows
}

fn read(front: &Read) -> Vec<Row> {
    let row = |route: &fronts::Route| {
        (route.host.clone(), route.is_wildcard, route.path.clone(), route.upstream.to_string())
    };
    let mut rows: Vec<Row> = front.routes.iter().map(row).collect();
    rows.sort();
    rows
}

proptest! {
    #[test]
    fn nginx(sketches in prop::collection::vec(sketch(), 1..4)) {
        let handover = handover(&sketches);
        match Target::Nginx.write(&handover) {
            Ok(files) => {
                let front = fronts::nginx::of_text(&files[0].name, &files[0].text).unwrap();
                prop_assert_eq!(read(&front), said(&handover), "{}", files[0].text);
            }
            Err(_) => {
                let hard = |p: &String| p.contains(['$', '?', '#', '%']);
                prop_assert!(sketches.iter().any(|s| s.paths.iter().any(hard)));
            }
        }
    }

    #[test]
    fn caddy(sketches in prop::collection::vec(sketch(), 1..4)) {
        let handover = handover(&sketches);
        match Target::Caddy.write(&handover) {
            Ok(files) => {
                let front = fronts::caddy::of_text(&files[0].name, &files[0].text).unwrap();
                prop_assert_eq!(read(&front), said(&handover), "{}", files[0].text);
            }
            Err(_) => {
                let hard = |p: &String| p.contains(['{', '\n', '*', '%', '`', '?', '#', '[', '\\']);
                prop_assert!(sketches.iter().any(|s| s.paths.iter().any(hard)));
            }
        }
    }
}

proptest! {
    // Each of them is a folder of files, and two shells.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn procfile(sketches in prop::collection::vec(sketch(), 1..4)) {
        let handover = handover(&sketches);
        let file = &Target::Procfile.write(&handover).unwrap()[0];
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Procfile"), &file.text).unwrap();
        let project = Project::of(dir.path(), None);
        let found = wharf_plan::services::detect(&project, dir.path()).unwrap();
        prop_assert_eq!(found.services.len(), sketches.len());
        for (service, (number, sketch)) in found.services.iter().zip(sketches.iter().enumerate()) {
            prop_assert_eq!(&service.name, &format!("s{number}"));
            let Some(Run::Shell(text)) = &service.run else { panic!("{service:?}") };
            let command = format!("./serve {} $PORT", sketch.command);
            let before = text.strip_suffix(command.trim_end());
            let before = before.unwrap_or_else(|| panic!("{command}\n{text}"));
            // What stands before the command sets the variable, by the judgement of a shell.
            let line = format!("{before}printf %s \"$NOTE\"");
            let done = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            prop_assert_eq!(String::from_utf8(done.stdout).unwrap(), sketch.value.as_str());
        }
    }

    #[test]
    fn dotenv_and_direnv(sketches in prop::collection::vec(sketch(), 1..4)) {
        let handover = handover(&sketches);
        let dir = tempfile::tempdir().unwrap();
        let file = &Target::Env.write(&handover).unwrap()[0];
        std::fs::write(dir.path().join(".env"), &file.text).unwrap();
        std::fs::write(dir.path().join("Procfile"), "web: ./serve\n").unwrap();
        let found = wharf_plan::services::detect(&Project::of(dir.path(), None), dir.path()).unwrap();
        for server in &handover.servers {
            let name = format!("WHARF_{}_PORT", server.key.service.to_ascii_uppercase());
            prop_assert_eq!(found.services[0].env.get(&name), Some(&server.port.to_string()));
        }
        let direnv = &Target::Direnv.write(&handover).unwrap()[0];
        let line = format!("{}\nprintf %s \"$WHARF_S0_URL\"", direnv.text);
        let done = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        let url = found.services[0].env.get("WHARF_S0_URL").cloned();
        prop_assert_eq!(String::from_utf8(done.stdout).ok(), url);
    }
}
