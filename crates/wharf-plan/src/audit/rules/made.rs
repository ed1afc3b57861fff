//! Listeners as the tests of rules need them.

use super::super::answers::{Answer, Answers, Question};
use super::super::listener::{Listener, Process};

/// A listener of this user's, of a program that nobody knows.
pub(super) fn listener(address: &str, port: u16) -> Listener {
    let argv = vec!["server".to_owned()];
    let process = Process { pid: 7, command: "server".into(), argv, folder: None };
    Listener {
        address: address.parse().expect("an address"),
        port,
        user: "anna".into(),
        is_own: true,
        processes: vec![process],
        project: None,
        container: None,
        is_wharf: false,
        firewall: "the firewall's rules are not known".into(),
        answers: Answers::default(),
    }
}

/// The same with a command line.
pub(super) fn running(address: &str, port: u16, words: &str) -> Listener {
    let mut made = listener(address, port);
    let argv: Vec<String> = words.split(' ').map(str::to_owned).collect();
    made.processes[0].command = argv[0].rsplit('/').next().unwrap_or_default().to_owned();
    made.processes[0].argv = argv;
    made
}

/// Adds what it has answered.
pub(super) fn answer(
    listener: &mut Listener,
    question: Question,
    status: u16,
    fields: &[(&str, &str)],
    body: &str,
) {
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let path = question.path().to_owned();
    listener.answers.http.insert(question, Answer { status, fields, body: body.to_owned(), path });
}

/// A folder in which this version of a package is installed.
pub(super) fn installed(package: &str, version: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("node_modules").join(package);
    std::fs::create_dir_all(&folder).expect("a folder");
    let manifest = format!("{{\"name\": \"{package}\", \"version\": \"{version}\"}}");
    std::fs::write(folder.join("package.json"), manifest).expect("a file");
    dir
}
