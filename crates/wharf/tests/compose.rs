//! Docker Compose beside wharf: what is read, what siblings are told, whose the ports are. Nothing of Docker's runs.

mod sandbox;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sandbox::{Answer, Sandbox, answer};

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
    assert_eq!(answer(with).code, 0);
}

#[test]
fn what_a_compose_file_says_stays_text() {
    let sandbox = sandbox();
    let name = "\"db\\n[service.web]\\nrun = 'touch X'\\n#\"";
    sandbox.file("compose.yaml", &format!("services:\n  {name}: {{image: x, ports: ['1:1']}}\n"));
    let refused = sandbox.output(&["import", "compose", "-o", "wharf.toml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(!sandbox.project().join("wharf.toml").exists());
    sandbox.file("compose.yaml", "services:\n  db: {image: \"x\\e[2J\", ports: ['1:1']}\n");
    let told = sandbox.output(&["explain", "--project"]);
    assert!(told.code == 0 && !told.out.contains('\x1b'), "{told:?}");
}

#[test]
fn what_is_too_much_for_wharf_alone_is_said_so() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", "services:\n  a: {image: x, ports: ['1-65535:1-65535']}\n");
    let much = sandbox.output(&["import", "compose"]);
    assert!(much.code == 2 && much.err.contains("20000 ports"), "{much:?}");
    assert!(!much.err.contains("docker compose would not"), "{much:?}");
    sandbox.file("compose.yaml", "services:\n  a: 1\n");
    let wrong = sandbox.output(&["import", "compose"]);
    assert!(wrong.err.contains("docker compose would not"), "{wrong:?}");
}

#[test]
fn files_of_the_shell_that_are_not_there_are_named() {
    let sandbox = sandbox();
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\n");
    let asked = |args: &[&str]| {
        let mut command = sandbox.wharf(args);
        command.env("COMPOSE_FILE", "nope.yml");
        answer(command)
    };
    let told = asked(&["explain", "--project"]);
    assert!(told.code == 0 && told.out.contains("COMPOSE_FILE names nope.yml"), "{told:?}");
    let refused = asked(&["import", "compose"]);
    assert!(
        refused.code != 0 && refused.err.contains("COMPOSE_FILE names nope.yml"),
        "{refused:?}"
    );
}

#[test]
fn a_port_that_the_file_changes_is_left_and_the_new_one_kept() {
    let sandbox = sandbox();
    let runs = "python3 server.py";
    let file = |ports: &str| {
        sandbox.file("compose.yaml", &format!("services:\n  db: {{image: x, ports: [{ports}]}}\n"))
    };
    sandbox.file(
        "wharf.toml",
        &format!("[service.a]\nrun = \"{runs}\"\n[service.b]\nrun = \"{runs}\"\n"),
    );
    let kept = || {
        let listed = sandbox.output(&["ls", "--json"]).json();
        let leases = listed["leases"].as_array().unwrap();
        [5433, 5434].map(|port| leases.iter().any(|lease| lease["port"] == port))
    };
    file("'5433:5432'");
    assert_eq!(sandbox.output(&["up", "a", "-d"]).code, 0);
    assert_eq!(kept(), [true, false], "{:?}", sandbox.output(&["ls", "--json"]));
    file("'5434:5432'");
    let up = sandbox.output(&["up", "b", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(kept(), [false, true], "{:?}", sandbox.output(&["ls", "--json"]));
    sandbox.output(&["down"]);
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

/// A second checkout of the sandbox's project, as `git worktree add` makes it.
fn worktree(sandbox: &Sandbox, name: &str) -> PathBuf {
    let git = sandbox.project().join(".git/worktrees").join(name);
    let folder = sandbox.dir().join(name);
    for dir in [&git, &folder] {
        std::fs::create_dir_all(dir).unwrap();
    }
    std::fs::write(git.join("commondir"), "../..\n").unwrap();
    std::fs::write(git.join("gitdir"), format!("{}\n", folder.join(".git").display())).unwrap();
    std::fs::write(git.join("HEAD"), format!("ref: refs/heads/{name}\n")).unwrap();
    std::fs::write(folder.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
    folder
}

fn in_folder(sandbox: &Sandbox, folder: &Path, args: &[&str]) -> Answer {
    let mut command = sandbox.wharf(args);
    command.current_dir(folder);
    answer(command)
}

/// A listener of nobody's that wharf knows, under a name of its own.
fn listener(sandbox: &Sandbox, name: &str, port: u16) -> Started {
    let program = sandbox.dir().join(name);
    let python = answer({
        let mut command = sandbox.program("python3");
        command.args(["-c", "import sys; print(sys.executable)"]);
        command
    });
    std::os::unix::fs::symlink(python.out.trim(), &program).unwrap();
    let code = format!(
        "import socket, time\ns = socket.create_server(('127.0.0.1', {port}))\nprint('up', flush=True)\ntime.sleep(600)"
    );
    let mut command = sandbox.program(&program);
    command.args(["-c", &code]);
    Started::of(command)
}

/// A program that is ended with the test, however that ends.
struct Started(Child);

impl Started {
    /// Waits for its first word.
    fn of(mut command: Command) -> Started {
        let mut started = Started(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut first = [0; 3];
        std::io::Read::read_exact(started.0.stdout.as_mut().unwrap(), &mut first).unwrap();
        started
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const FIXED: &str = "name: shop
services:
  db:
    image: postgres:16
    container_name: shop-db
    ports: [\"5432:5432\", \"[::1]:5432:5432\"]
  web:
    image: nginx
    ports: [\"9000-9002:80\", \"81\", \"5353:53/udp\"]
  worker: {image: worker}
";

#[test]
fn two_checkouts_have_ports_and_names_of_their_own() {
    let sandbox = sandbox();
    let none = sandbox.output(&["export", "compose-override"]);
    assert!(none.code == 3 && none.err.contains("compose.yaml"), "{none:?}");
    sandbox.file("compose.yaml", FIXED);
    let main = sandbox.output(&["export", "compose-override"]);
    assert_eq!(main.code, 0, "{main:?}");
    for line in [
        "name: shop",
        "      - \"127.0.0.1:5432:5432\"",
        "      - \"[::1]:5432:5432\"",
        "      - \"127.0.0.1:9000:80\"",
        "      - \"127.0.0.1::81\"",
        "      - \"127.0.0.1:5353:53/udp\"",
    ] {
        assert!(main.out.lines().any(|known| known == line), "{line}: {main:?}");
    }
    assert!(!main.out.contains("container_name") && !main.out.contains("worker"), "{main:?}");
    let feature = worktree(&sandbox, "feature");
    std::fs::write(feature.join("compose.yaml"), FIXED).unwrap();
    let write = ["export", "compose-override", "-o", "compose.override.yaml"];
    let other = in_folder(&sandbox, &feature, &write);
    assert!(other.code == 0 && other.err.contains("left to the main checkout"), "{other:?}");
    let text = std::fs::read_to_string(feature.join("compose.override.yaml")).unwrap();
    for line in [
        "# `docker compose up` reads it beside compose.yaml.",
        "name: shop-feature",
        "    container_name: shop-db-feature",
        "      - \"127.0.0.1:5433:5432\"",
        "      - \"127.0.0.1:9001:80\"",
        "      - \"127.0.0.1:5354:53/udp\"",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    // The same each time, also while services live that are told of those ports, and while Docker listens there.
    let wharf_toml =
        "[service.api]\nrun = \"python3 server.py\"\nenv = { DATABASE = \"{db.port}\" }\n";
    std::fs::write(feature.join("wharf.toml"), wharf_toml).unwrap();
    std::fs::copy(sandbox.project().join("server.py"), feature.join("server.py")).unwrap();
    let docker = listener(&sandbox, "docker-proxy", 5433);
    let again = in_folder(&sandbox, &feature, &[&write[..], &["--diff"]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    let up = in_folder(&sandbox, &feature, &["up", "-d"]);
    assert!(up.code == 0 && !up.err.contains("publishes"), "{up:?}");
    let env = in_folder(&sandbox, &feature, &["env", "api", "--json"]).json();
    assert_eq!(env["env"]["DATABASE"], "5433", "{env:#}");
    let again = in_folder(&sandbox, &feature, &[&write[..], &["--diff"]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    in_folder(&sandbox, &feature, &["down"]);
    drop(docker);
}

#[test]
fn an_override_of_the_projects_own_is_left_alone() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", FIXED);
    sandbox.file("compose.override.yml", "services:\n  db: {ports: !override [\"5440:5432\"]}\n");
    let folder = sandbox.output(&["export", "compose-override", "-o", "."]);
    assert_eq!(folder.code, 0, "{folder:?}");
    let text = std::fs::read_to_string(sandbox.project().join("compose.wharf.yaml")).unwrap();
    assert!(text.contains("127.0.0.1:5440:5432"), "{text}");
    let way = "COMPOSE_FILE=compose.yaml:compose.override.yml:compose.wharf.yaml";
    assert!(text.contains(way), "{text}");
    // With that in `.env` it is read, and passed over when it is written again.
    sandbox.file(".env", &format!("{way}\n"));
    let read = sandbox.output(&["import", "compose", "--json"]).json();
    assert_eq!(read["compose"]["files"].as_array().unwrap().len(), 3, "{read:#}");
    let again =
        sandbox.output(&["export", "compose-override", "--diff", "-o", "compose.wharf.yaml"]);
    assert_eq!(again.code, 0, "{again:?}");
    let refused = sandbox.output(&["export", "compose-override", "--tls"]);
    assert!(refused.code == 2 && refused.err.contains("--tls"), "{refused:?}");
}

#[test]
fn files_that_wharf_toml_names_are_those_of_its_root() {
    let sandbox = sandbox();
    sandbox.file("docker/base.yml", FIXED);
    sandbox.file("wharf.toml", "[compose]\nfiles = [\"docker/base.yml\"]\n");
    sandbox.file("below/package.json", "{\"scripts\": {\"dev\": \"vite\"}}");
    let told = in_folder(&sandbox, &sandbox.project().join("below"), &["explain", "--project"]);
    assert!(told.code == 0 && told.out.contains("postgres:16"), "{told:?}");
    let over = sandbox.output(&["export", "compose-override"]);
    assert_eq!(over.code, 0, "{over:?}");
    assert!(over.out.contains("-f docker/base.yml -f compose.wharf.yaml"), "{over:?}");
    // From then on services are told its ports, and it is passed over when it is written again.
    let written = sandbox.output(&["export", "compose-override", "-o", "compose.wharf.yaml"]);
    assert_eq!(written.code, 0, "{written:?}");
    let told = sandbox.output(&["explain", "--project", "--json"]).json();
    assert_eq!(told["external"][0]["published"][0]["host_ip"], "127.0.0.1", "{told:#}");
    let again =
        sandbox.output(&["export", "compose-override", "--diff", "-o", "compose.wharf.yaml"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn the_name_of_a_worktree_is_one_that_docker_takes() {
    let sandbox = sandbox();
    let feature = worktree(&sandbox, "My Fé ature");
    std::fs::create_dir_all(feature.join("a b")).unwrap();
    std::fs::write(feature.join("a b/compose.yaml"), FIXED).unwrap();
    std::fs::write(feature.join("wharf.toml"), "[compose]\nfiles = [\"a b/compose.yaml\"]\n")
        .unwrap();
    let told = in_folder(&sandbox, &feature, &["export", "compose-override"]);
    for part in [
        "    container_name: shop-db-myfature\n",
        "-f 'a b/compose.yaml' -f compose.wharf.yaml up",
        "COMPOSE_FILE='a b/compose.yaml:compose.wharf.yaml' in",
    ] {
        assert!(told.code == 0 && told.out.contains(part), "{part}: {told:?}");
    }
}

#[test]
fn a_name_that_is_stronger_than_a_file_is_told() {
    let sandbox = sandbox();
    let feature = worktree(&sandbox, "feature");
    std::fs::write(feature.join("compose.yaml"), FIXED).unwrap();
    std::fs::write(feature.join(".env"), "COMPOSE_PROJECT_NAME=other\n").unwrap();
    let told = in_folder(&sandbox, &feature, &["export", "compose-override"]);
    assert!(told.code == 0 && told.err.contains("docker compose -p other-feature"), "{told:?}");
}

#[test]
fn who_is_in_dockers_way_is_said_before_anything_starts() {
    let sandbox = sandbox();
    let runs = "[service.api]\nrun = \"python3 server.py\"\n";
    sandbox.file("compose.yaml", "services:\n  db: {image: x, ports: [\"5432:5432\"]}\n");
    sandbox.file("wharf.toml", runs);
    // A stranger.
    let stranger = listener(&sandbox, "stranger", 5432);
    let told = sandbox.output(&["up", "-d"]);
    for part in ["Docker's `db` publishes port 5432", "`stranger`", "`wharf free 5432`"] {
        assert!(told.code == 0 && told.err.contains(part), "{part}: {told:?}");
    }
    let place = |text: &str| told.err.find(text).unwrap_or_else(|| panic!("{text}: {told:?}"));
    assert!(place("publishes port") < place("api is up"), "{told:?}");
    sandbox.output(&["down"]);
    drop(stranger);
    assert!(!sandbox.output(&["up", "-d"]).err.contains("publishes"));
    // The compose project of another checkout, and that of another folder.
    let other = sandbox.dir().join("other");
    std::fs::create_dir_all(other.join(".git")).unwrap();
    for folder in [worktree(&sandbox, "feature"), other] {
        for (name, text) in [
            ("compose.yaml", "services:\n  cache: {image: x, ports: [\"5432:6379\"]}\n"),
            ("wharf.toml", runs),
            ("server.py", include_str!("sandbox/server.py")),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let told = in_folder(&sandbox, &folder, &["up", "-d"]);
        let project = sandbox.project().display().to_string();
        let who = format!("`db` of Docker Compose in {project}");
        for part in ["Docker's `cache`", &who, "`wharf export compose-override"] {
            assert!(told.code == 0 && told.err.contains(part), "{part}: {told:?}");
        }
        in_folder(&sandbox, &folder, &["down"]);
        // Where Docker runs all of it, the same is said.
        std::fs::remove_file(folder.join("wharf.toml")).unwrap();
        std::fs::remove_file(folder.join("server.py")).unwrap();
        let told = in_folder(&sandbox, &folder, &["up", "-d"]);
        assert!(told.code == 0 && told.err.contains(&who), "{told:?}");
        assert!(told.err.contains("docker compose up"), "{told:?}");
    }
    sandbox.output(&["down"]);
}

#[test]
fn an_exported_project_says_which_of_its_ports_are_taken() {
    let sandbox = sandbox();
    sandbox.file("wharf.toml", "[service.api]\nrun = \"python3 server.py\"\nport = 8700\n");
    let quiet = sandbox.output(&["export", "compose"]);
    assert!(quiet.code == 0 && !quiet.err.contains("8700"), "{quiet:?}");
    let stranger = listener(&sandbox, "stranger", 8700);
    let told = sandbox.output(&["export", "compose"]);
    for part in ["`api` is to be published at port 8700", "`stranger`", "`wharf free 8700`"] {
        assert!(told.code == 0 && told.err.contains(part), "{part}: {told:?}");
    }
    drop(stranger);
}

/// An engine that lists one container of Docker Compose, and has its port.
const ENGINE: &str = r#"
import json, socket, sys
port = socket.create_server(('127.0.0.1', 5432)) if sys.argv[3] == 'tcp' else None
engine = socket.socket(socket.AF_UNIX)
engine.bind(sys.argv[1])
engine.listen(8)
print('up', flush=True)
listed = json.dumps([{'Id': '8dfafdbc3a40', 'Names': ['/other-db-1'], 'Image': 'postgres:17',
    'Labels': {'com.docker.compose.project.working_dir': sys.argv[2], 'com.docker.compose.service': 'db'},
    'Ports': [{'IP': '127.0.0.1', 'PrivatePort': 5432, 'PublicPort': 5432, 'Type': sys.argv[3]}]}])
while True:
    one, _ = engine.accept()
    one.recv(4096)
    head = f'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(listed)}\r\n\r\n'
    one.sendall((head + listed).encode())
    one.close()
"#;

#[test]
fn a_container_of_another_folder_is_in_the_way_and_the_projects_own_is_not() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", "services:\n  db: {image: x, ports: [\"5432:5432\"]}\n");
    sandbox.file("wharf.toml", "[service.api]\nrun = \"python3 server.py\"\n");
    let own = sandbox.project().display().to_string();
    let elsewhere = "/elsewhere/shop";
    // By UDP it has another port of the same number.
    let cases = [(elsewhere, "tcp", true), (elsewhere, "udp", false), (own.as_str(), "tcp", false)];
    for (at, (folder, transport, is_told)) in cases.into_iter().enumerate() {
        let socket = sandbox.dir().join(format!("engine-{at}.sock"));
        let mut command = sandbox.program("python3");
        command.args(["-c", ENGINE]).arg(&socket).args([folder, transport]);
        let engine = Started::of(command);
        let mut command = sandbox.wharf(&["up", "-d"]);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        let told = answer(command);
        let parts = [
            "the container other-db-1 of Docker Compose in /elsewhere/shop",
            "`docker stop other-db-1`",
        ];
        let is_said = parts.iter().all(|part| told.err.contains(part));
        assert_eq!((told.code, is_said), (0, is_told), "{told:?}");
        assert_eq!(told.err.contains("5432"), is_told, "{told:?}");
        sandbox.output(&["down"]);
        drop(engine);
    }
}
