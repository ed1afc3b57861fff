//! What is read of compose files. `cargo xtask handover` has compose-go read more of them.

use std::fs;

use wharf_model::External;

use super::*;

fn read(files: &[(&str, &str)]) -> Result<Vec<External>, PlanError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    external(dir.path(), Wish::plain(), &mut Found::new(dir.path()))
}

fn ports(text: &str) -> Vec<u16> {
    read(&[("compose.yaml", text)]).unwrap()[0].ports()
}

#[test]
fn what_docker_starts_and_publishes() {
    let text = "services:\n  db:\n    image: postgres:${V:-16}\n    ports: ['127.0.0.1:5432:5432']\n  \
                app:\n    build: {dockerfile: x}\n    image: own\n    ports:\n      - target: 80\n        \
                published: \"${P}\"\n      - \"9229:9229/udp\"\n      - 8081\n  other: {build: ./o}\n  none: {}\n";
    let all = read(&[("docker-compose.yml", text), (".env", "P=8080")]).unwrap();
    let short = |e: &External| (e.name.clone(), e.what.clone(), e.ports(), e.source.clone());
    let row = |name: &str, what: &str, ports: &[u16], line| {
        (
            name.to_owned(),
            what.to_owned(),
            ports.to_vec(),
            format!("docker-compose.yml line {line}"),
        )
    };
    assert_eq!(
        all.iter().map(short).collect::<Vec<_>>(),
        [
            row("db", "image postgres:16", &[5432], 2),
            row("app", "build .", &[8080], 5),
            row("other", "build ./o", &[], 13)
        ]
    );
    assert!(all.iter().all(|external| external.by == "docker compose"));
}

#[test]
fn an_override_adds_and_replaces() {
    let base = "services:\n  a: {image: x, ports: ['80:80']}\n  b: {image: y, ports: ['81:80']}\n";
    let over = "services:\n  a: {image: z, ports: ['80:80', '82:80']}\n  b:\n    ports: !override ['83:80']\n  c: {image: w}\n";
    let all = read(&[
        ("compose.yaml", base),
        ("compose.override.yml", over),
        ("docker-compose.yml", "x"),
    ])
    .unwrap();
    assert_eq!((all[0].what.as_str(), &all[0].ports()[..]), ("image z", &[80, 82][..]));
    assert_eq!((&all[1].ports()[..], all[2].name.as_str()), (&[83][..], "c"));
}

#[test]
fn a_profile_starts_by_request_only() {
    let text = "services:\n  a: {image: x, profiles: [debug]}\n  b: {image: y}\n";
    assert_eq!(read(&[("compose.yaml", text)]).unwrap().len(), 1);
    assert_eq!(
        read(&[("compose.yaml", text), (".env", "COMPOSE_PROFILES=x,debug")]).unwrap().len(),
        2
    );
}

#[test]
fn merged_services_and_aliases() {
    let text = "x-base: &base\n  image: x\n  ports: &p ['80:80']\nservices:\n  a:\n    <<: *base\n";
    assert_eq!(ports(text), [80]);
    assert_eq!(ports(&format!("{text}    ports: *p\n")), [80]);
}

#[test]
fn what_is_wrong_names_its_line() {
    for (text, expected) in [
        ("services:\n  a: {image: x}\n   b: [\n", 3),
        ("- a\n", 1),
        ("services: [a]\n", 1),
        ("services:\n  a: 1\n", 2),
        ("services:\n  a:\n    image: x\n    ports:\n      - 'http:80'\n", 5),
        ("services:\n  a:\n    image: ${x\n", 3),
    ] {
        match read(&[("compose.yaml", text)]) {
            Err(PlanError::MalformedFile { line, .. }) => assert_eq!(line, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(read(&[("compose.yaml", "# nothing\n")]).unwrap(), []);
    assert_eq!(read(&[("compose.yaml", "web:\n  image: x\n")]).unwrap(), []);
    assert_eq!(read(&[]).unwrap(), []);
}

#[test]
fn what_is_added_up_has_a_bound() {
    let many = (1..=300).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
    let mut text = format!("services:\n  s0: {{image: x, ports: [{many}]}}\n");
    for n in 1..150 {
        text.push_str(&format!("  s{n}: {{extends: s0}}\n"));
    }
    match read(&[("compose.yaml", &text)]) {
        Err(PlanError::TooMuch { why, .. }) => assert!(why.contains("ports"), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn too_much(files: &[(&str, &str)]) -> String {
    match read(files) {
        Err(PlanError::TooMuch { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_laid_on_the_way_has_a_bound() {
    // Each of the chain has all ports of the next, and none is left in the end.
    let mut text = "services:\n".to_owned();
    for n in 0..24 {
        text.push_str(&format!("  s{n}: {{extends: s{}}}\n", n + 1));
    }
    text.push_str("  s24: {image: x, ports: ['1-20000:1-20000']}\n");
    let reset = "services:\n  s0: {ports: !reset []}\n";
    let files = [("compose.yaml", text.as_str()), ("compose.override.yml", reset)];
    assert!(too_much(&files).contains("laid"));
    let document = "services:\n  a: {image: x, ports: ['1-20000:1-20000']}\n";
    let documents = vec![document; 20].join("---\n");
    assert!(too_much(&[("compose.yaml", &documents)]).contains("laid"));
}

#[test]
fn ports_that_are_the_same_count_once() {
    let text = "services:\n  a: {image: x, ports: ['1-15000:1-15000']}\n";
    let all = read(&[("compose.yaml", text), ("compose.override.yml", text)]).unwrap();
    assert_eq!(all[0].ports().len(), 15_000);
}

#[test]
fn a_file_that_is_extended_often_is_read_once() {
    let mut text = "services:\n".to_owned();
    for n in 0..190 {
        text.push_str(&format!("  s{n}: {{extends: {{file: base.yml, service: a}}}}\n"));
    }
    text.push_str("---\n");
    text.push_str(&text.clone());
    let base = "services:\n  a: {image: x}\n";
    assert_eq!(read(&[("compose.yaml", &text), ("base.yml", base)]).unwrap().len(), 190);
}

#[test]
fn a_name_is_one_of_dockers() {
    for name in ["\"db\\n[service.web]\\nrun = 'touch X'\\n#\"", "a b", "é", "\"\""] {
        let text = format!("services:\n  {name}: {{image: x, ports: ['1:1']}}\n");
        match read(&[("compose.yaml", &text)]) {
            Err(PlanError::MalformedFile { line: 2, why, .. }) => {
                assert!(!why.contains('\n'), "{why}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(read(&[("compose.yaml", "services:\n  a.B_1-2: {image: x}\n")]).is_ok());
}

#[test]
fn what_variables_come_to_has_a_bound() {
    let large = format!("A={}\n", "x".repeat(100_000));
    let text = format!("services:\n  a: {{image: x, profiles: [{}]}}\n", "$A, ".repeat(20));
    assert!(too_much(&[("compose.yaml", &text), (".env", &large)]).contains("KiB"));
}

#[test]
fn files_of_a_variable_that_are_not_there() {
    let files =
        [("compose.yaml", "services:\n  a: {image: x}\n"), (".env", "COMPOSE_FILE=nope.yml")];
    assert_eq!(read(&files).unwrap(), []);
    let dir = tempfile::tempdir().unwrap();
    let env = |name: &str| (name == "COMPOSE_FILE").then(|| "nope.yml".to_owned());
    let wish = Wish { env: &env, is_strict: true, ..Wish::plain() };
    match super::read(dir.path(), dir.path(), wish) {
        Err(PlanError::UnreadableFile { source, .. }) => {
            assert!(source.to_string().contains("COMPOSE_FILE"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

proptest::proptest! {
    #[test]
    fn any_services_are_read_or_refused(
        body in "(image: x\n    |ports: \\[[0-9:/-]{0,6}\\]\n    |extends: [ab]\n    |profiles: \\[p\\]\n    |build: [.&*a]\n    |<<: \\*m\n    |ports: !(reset|override) \\[[0-9:]{0,4}\\]\n    ){0,5}",
        head in "(x-m: &m \\{ports: \\[1\\]\\}\n|include: \\[[a-c./]{0,8}\\]\n|name: [$a{}]{0,4}\n){0,3}",
    ) {
        let text = format!("{head}services:\n  a:\n    {body}\n  b:\n    {body}");
        let _ = read(&[("compose.yaml", &text), ("a", "services: {b: {image: x}}")]);
    }
}
