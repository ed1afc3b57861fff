//! Docker Compose beside wharf: what is read, what siblings are told, whose the ports are. Nothing of Docker's runs.

mod sandbox;

use sandbox::Sandbox;

const COMPOSE: &str = "services:
  db:
    image: postgres:16
    ports: [\"${DB_PORT:-5432}:5432\"]
  mail:
    image: mailpit
    profiles: [mail]
    ports: [\"8025:8025\"]
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox
}

#[test]
fn what_docker_starts_is_imported() {
    let sandbox = sandbox();
    let nothing = sandbox.output(&["import", "compose"]);
    assert!(nothing.code == 3 && nothing.err.contains("compose.yaml"), "{nothing:?}");
    sandbox.file("dev/base.yml", COMPOSE);
    sandbox.file("dev/.env", "DB_PORT=5440\n");
    let files = ["import", "compose", "dev/base.yml", "--profile", "mail"];
    let text = sandbox.output(&files);
    for line in [
        "files = [\"dev/base.yml\"]",
        "profiles = [\"mail\"]",
        "#   port 5440 to 5432/tcp",
        "#   for services: {db.port}, WHARF_DB_PORT",
        "#   port 8025 to 8025/tcp",
    ] {
        assert!(text.out.lines().any(|known| known == line), "{line}: {text:?}");
    }
    let read = sandbox.output(&[&files[..], &["--json"]].concat()).json();
    let db = &read["compose"]["services"][0];
    assert_eq!((&read["schema"], &db["name"]), (&1.into(), &"db".into()), "{read:#}");
    assert_eq!(db["published"][0]["target"], 5432);
    // From then on the file says which compose files are read.
    assert_eq!(sandbox.output(&[&files[..], &["-o", "wharf.toml"]].concat()).code, 0);
    let told = sandbox.output(&["explain", "--project", "--json"]).json();
    let ports = |at: usize| told["external"][at]["ports"].clone();
    assert_eq!((ports(0), ports(1)), (vec![5440].into(), vec![8025].into()), "{told:#}");
}

#[test]
fn what_docker_would_refuse_is_refused_by_an_import_alone() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", "services:\n  db:\n    image: ${IMAGE:?choose one}\n");
    let refused = sandbox.output(&["import", "compose"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("compose.yaml line 3"), "{refused:?}");
    assert!(refused.err.contains("choose one"), "{refused:?}");
    assert!(refused.err.contains("`.env`"), "{refused:?}");
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\n");
    let told = sandbox.output(&["explain", "--project"]);
    assert!(told.code == 0 && told.out.contains("choose one"), "{told:?}");
    let mut with = sandbox.wharf(&["import", "compose"]);
    with.env("IMAGE", "postgres");
    assert_eq!(sandbox::answer(with).code, 0);
}

#[test]
fn services_are_told_where_dockers_are() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", COMPOSE);
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\nenv = { DATABASE = \"{db.host}:{db.port}\" }\n",
    );
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    let env = sandbox.output(&["env", "web", "--json"]).json()["env"].clone();
    assert_eq!(
        (&env["DATABASE"], &env["WHARF_DB_PORT"]),
        (&"127.0.0.1:5432".into(), &"5432".into())
    );
    sandbox.output(&["down"]);
    // One that publishes nothing is found nowhere.
    sandbox.file("compose.yaml", "services:\n  db: {image: x}\n");
    let refused = sandbox.output(&["up", "-d"]);
    assert!(refused.code == 2 && refused.err.contains("`db`"), "{refused:?}");
}
