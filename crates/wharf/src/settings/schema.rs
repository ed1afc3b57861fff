//! `docs/wharf.schema.json`, which editors read, says the same as the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wharf_supervisor::log::Matcher;

use super::Settings;

#[path = "../../../wharf-control/tests/schema/mod.rs"]
mod checker;

use checker::Schema;

fn schema() -> Schema {
    Schema::of(include_str!("../../../../docs/wharf.schema.json"), |pattern, text| {
        Matcher::new(pattern).unwrap().is_match(text.as_bytes())
    })
}

fn by_schema(text: &str) -> Result<(), String> {
    schema().check_all(&toml::from_str::<Value>(text).map_err(|error| error.to_string())?)
}

/// As the code reads it, with the checks that no type can make.
fn by_code(text: &str) -> Result<(), String> {
    let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
    for (name, table) in settings.service.iter() {
        let known = wharf_model::service::Service::new(name, "/".into(), "wharf.toml");
        // Folders of an example are not here, so that what is said of them is no fault of it.
        match table.lay_over(known, Path::new("/")) {
            Err(report) if !report.what.contains("`dir`") => return Err(report.what),
            _ => {}
        }
    }
    Ok(())
}

/// The names that serde knows at the place of an unknown one.
fn keys_of_code(text: &str) -> BTreeSet<String> {
    let error = toml::from_str::<Settings>(text).unwrap_err().message().to_owned();
    let (_, known) = error.split_once("expected one of").unwrap_or_else(|| panic!("{error}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys_of_schema(object: &Value) -> BTreeSet<String> {
    object["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn schema_and_code_know_the_same_keys() {
    let schema = schema();
    assert_eq!(keys_of_schema(schema.value()), keys_of_code("\"?\" = 1"));
    let service = &schema.value()["$defs"]["service"];
    assert_eq!(keys_of_schema(service), keys_of_code("[service.web]\n\"?\" = 1"));
}

#[test]
fn every_key_has_a_description() {
    let schema = schema();
    let defs = &schema.value()["$defs"];
    for object in [schema.value(), &defs["service"]] {
        for (name, property) in object["properties"].as_object().unwrap() {
            let named = property["$ref"].as_str().and_then(|text| text.rsplit('/').next());
            let described = property.get("description").is_some()
                || named.is_some_and(|named| defs[named].get("description").is_some());
            assert!(described, "{name}");
        }
    }
}

#[test]
fn every_example_of_the_documentation_is_one() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut seen = 0;
    for entry in std::fs::read_dir(docs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for example in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            if example.contains("[service") {
                seen += 1;
                let context = format!("{}:\n{example}", path.display());
                by_schema(example).unwrap_or_else(|fault| panic!("schema: {fault}\n{context}"));
                by_code(example).unwrap_or_else(|fault| panic!("code: {fault}\n{context}"));
            }
        }
    }
    assert!(seen > 3, "only {seen} examples");
}

#[test]
fn good_ones_are_taken_by_both() {
    for good in [
        "",
        "remap = \"off\"\nbind = \"as is\"\nproxy = 8888\norigins = [\"https://a.example:1\"]",
        "[service.web]\nrun = [\"npm\", \"run\"]\nport = \"8000+\"\nready = { log = \"up\" }",
        "[service.web-2]\nready = \"http:/up\"\non_demand = \"10m\"\nstop_grace = 0",
        "[service.web]\non_demand = true\nsocket = true\nmemory_max = \"2GiB\"\nexpose = \"lan\"\nlan = true",
        "[service.web.env]\nA = 1\nB = true\nC = \"{port}\"",
        "[alias]\ndb-admin = 5000\n\"api.shop\" = \"https://127.0.0.1:8443\"\nv6 = \"http://[::1]:1\"",
        "[service.db]\nready = \"command: pg_isready\"\nmemory_max = 1024\nport = \"auto\"",
    ] {
        by_schema(good).unwrap_or_else(|fault| panic!("schema: {fault}\n{good}"));
        by_code(good).unwrap_or_else(|fault| panic!("code: {fault}\n{good}"));
    }
}

#[test]
fn bad_ones_are_refused_by_both() {
    for bad in [
        "remop = \"off\"",
        "remap = \"magic\"",
        "bind = \"all\"",
        "proxy = \"on\"",
        "guard = true",
        "lan = true",
        "[service.web]\nrun = \"\"",
        "[service.web]\nrun = []",
        "[service.web]\nport = 0",
        "[service.web]\nport = 70000",
        "[service.web]\nport = \"x\"",
        "[service.web]\ninstances = 0",
        "[service.web]\ninstances = 1000",
        "[service.web]\ndepends_on = \"api\"",
        "[service.web]\nready = \"soon\"",
        "[service.web]\nready = { log = \"a\", http = \"/\" }",
        "[service.web]\nready = { http = \"up\" }",
        "[service.web]\nenv = { A = [1] }",
        "[service.web]\nwatch = \"*.py\"",
        "[service.web]\nrestart = \"often\"",
        "[service.web]\non_demand = \"x\"",
        "[service.web]\nsocket = 3",
        "[service.web]\nstop_signal = 15",
        "[service.web]\nstop_grace = \"x\"",
        "[service.web]\nexpose = \"all\"",
        "[service.web]\nmemory_max = \"much\"",
        "[service.web]\norigins = [\"a.example\"]",
        "[service.web]\npaths = [\"api\"]",
        "[service.web]\nwildcard = 1",
        "[service.web]\nruns = \"x\"",
        "service = 1",
        "alias = 1",
        "[alias]\na_b = 1",
        "[alias]\na = 0",
        "[alias]\na = true",
        "[alias]\na = \"https://example.org:1\"",
    ] {
        assert!(by_schema(bad).is_err(), "the schema takes {bad}");
        assert!(by_code(bad).is_err(), "the code takes {bad}");
    }
}
