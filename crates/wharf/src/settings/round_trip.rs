//! What `wharf import` writes into a `wharf.toml` is what is read out of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use wharf_export::{Behind, Lent, Named};
use wharf_model::Port;
use wharf_model::request::PortArgument;
use wharf_model::service::{Expose, ProjectServices, Ready, Restart, Run, Service};

use super::Settings;

/// Texts that TOML trips over.
const AWKWARD: &str = "(?s).{1,12}|[\"\\\\$'#={}\\[\\]\n\r\t é日]{1,12}x";

fn ready() -> impl Strategy<Value = Ready> {
    prop_oneof![
        Just(Ready::Auto),
        Just(Ready::Listen),
        Just(Ready::Notify),
        Just(Ready::Http(None)),
        AWKWARD.prop_map(|text| Ready::Http(Some(format!("/{text}")))),
        AWKWARD.prop_map(Ready::Command),
        "[a-z \"']{1,12}".prop_map(Ready::Log),
    ]
}

fn run() -> impl Strategy<Value = Option<Run>> {
    let words = prop::collection::vec(AWKWARD, 1..4)
        .prop_map(|words| Some(Run::Words(words.into_iter().map(Into::into).collect())));
    // A text that needs no shell is read as words: what needs one stays.
    let shell =
        "[a-z ]{1,8}".prop_map(|text| Some(Run::Shell(format!("a{text}| b \"$X\" 'ü'\n#"))));
    prop_oneof![words, shell]
}

fn port() -> impl Strategy<Value = Option<PortArgument>> {
    (any::<u16>(), any::<bool>()).prop_map(|(number, exactly)| {
        let port = Port::new(number)?;
        Some(if exactly { PortArgument::Exactly(port) } else { PortArgument::AtLeast(port) })
    })
}

prop_compose! {
    fn service()(
        run in run(),
        port in port(),
        ready in ready(),
        instances in 1_u32..999,
        env in prop::collection::btree_map(AWKWARD, AWKWARD, 0..3),
        lists in (prop::collection::vec(AWKWARD, 0..3), prop::collection::vec(AWKWARD, 0..3)),
        grace in 0_u64..604_800,
        idle in prop::option::of(1_u64..604_800),
        memory_max in prop::option::of(1_u64..1 << 40),
        restart in prop_oneof![Just(Restart::No), Just(Restart::OnFailure), Just(Restart::Always)],
        expose in prop_oneof![Just(Expose::Default), Just(Expose::Loopback), Just(Expose::Lan)],
    ) -> Service {
        Service {
            run,
            port,
            ready,
            instances,
            env,
            depends_on: lists.0,
            watch: lists.1,
            restart,
            on_demand: idle.map(Duration::from_secs),
            stop_signal: "INT".to_owned(),
            stop_grace: Duration::from_secs(grace),
            expose,
            memory_max,
            ..Service::new("web", PathBuf::from("/"), "\"a\"\n[service.x]\n")
        }
    }
}

proptest! {
    #[test]
    fn a_service_is_what_it_was(services in prop::collection::vec(service(), 1..3)) {
        let mut services = services;
        for (number, service) in services.iter_mut().enumerate() {
            service.name = format!("s{number}");
        }
        let found = ProjectServices { services, ..ProjectServices::default() };
        let text = wharf_export::wharf_toml(&found, Path::new("/")).unwrap().text;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(settings.service.iter().count(), found.services.len(), "{}", text);
        for service in &found.services {
            let table = settings.service.get(&service.name).unwrap();
            let known = Service::new(&service.name, "/".into(), service.source.clone());
            let read = table.lay_over(known, Path::new("/")).map_err(|report| {
                TestCaseError::fail(format!("{report:?}\n{text}"))
            })?;
            prop_assert_eq!(&read, service, "{}", text);
        }
    }

    #[test]
    fn names_and_paths_of_a_web_server_are_what_they_were(
        paths in prop::collection::vec(AWKWARD, 0..3),
        wildcard in any::<bool>(),
        names in prop::collection::btree_map("[a-z0-9]{1,8}(\\.[a-z0-9]{1,8})?", 1_u16.., 0..4),
        note in AWKWARD,
    ) {
        let paths: Vec<String> = paths.into_iter().map(|path| format!("/{path}")).collect();
        let lent = Lent {
            service: "web".to_owned(),
            paths: paths.clone(),
            wildcard,
            sources: vec![note.clone()],
        };
        let named = |(name, port): (&String, &u16)| Named {
            name: name.clone(),
            target: match port % 2 {
                0 => port.to_string(),
                _ => format!("https://localhost:{port}"),
            },
            source: note.clone(),
        };
        let aliases: Vec<Named> = names.iter().map(named).collect();
        let behind = Behind {
            file: note.clone(),
            aliases: aliases.clone(),
            services: vec![lent],
            notes: vec![note],
        };
        let text = wharf_export::front_toml(&behind).text;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let access = settings.access("web");
        prop_assert_eq!((access.paths, access.wildcard), (paths, wildcard));
        let read: Vec<(String, String)> =
            settings.alias.iter().map(|(name, to)| (name.to_owned(), to.to_string())).collect();
        let said = aliases.into_iter().map(|one| match one.target.parse::<u16>() {
            Ok(port) => (one.name, format!("http://localhost:{port}")),
            Err(_) => (one.name, one.target),
        });
        prop_assert_eq!(read, said.collect::<Vec<_>>());
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in "(\\[service\\.web\\]\n|\\[alias\\]\n|\\[compose\\]\n|(run|port|ready|env|paths|a|memory_max|on_demand) = |[\"'\\[\\]{}=.,#\n 0-9a-zé-]){0,40}",
    ) {
        if let Ok(settings) = toml::from_str::<Settings>(&text) {
            for (name, table) in settings.service.iter() {
                let _ = table.lay_over(Service::new(name, "/".into(), "wharf.toml"), Path::new("/"));
            }
        }
    }
}
