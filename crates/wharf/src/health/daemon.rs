//! The daemon: whether there is one, of which version, and whether it can write.

use wharf_control::api::Status;

use super::{Finding, Mend, word};
use crate::link::{self, Link};
use crate::report::Code;
use crate::version;

const AREA: &str = "daemon";

/// With the way to it, where there is one. One that does not run is started: that it can be is what counts.
pub(super) async fn examine() -> (Vec<Finding>, Option<Link>) {
    let (running, was_there) = match Link::open_running().await {
        Err(report) if report.what == link::NO_DAEMON => (Link::open().await, false),
        answer => (answer, true),
    };
    let status = match &running {
        Ok(link) => link.status().await,
        Err(report) => return (vec![Finding::of_report(AREA, report)], None),
    };
    match status {
        Ok(status) => {
            let mut findings = vec![version_of(&status, was_there)];
            findings.extend(store(&status));
            (findings, running.ok())
        }
        Err(report) => {
            let finding = Finding::of_report(AREA, &report);
            let stuck = report.code == Code::TimedOut;
            (vec![if stuck { finding } else { finding.mended_by("wharf daemon restart") }], None)
        }
    }
}

fn version_of(status: &Status, was_there: bool) -> Finding {
    let Status { pid, version, .. } = status;
    match (version == version::own(), was_there) {
        (true, true) => Finding::good(AREA, format!("version {version} runs (pid {pid})")),
        (true, false) => Finding::good(AREA, format!("version {version} starts when it is needed")),
        (false, _) => Finding::trouble(
            AREA,
            format!("version {version} runs, and this is {}", version::own()),
        )
        .mended_by("wharf daemon restart")
        .mending(Mend::RestartDaemon),
    }
}

/// What it says of its database, and what it has put aside before.
fn store(status: &Status) -> Vec<Finding> {
    const AREA: &str = "database";
    let store = &status.store;
    let mut findings: Vec<Finding> = match store.writable {
        true => {
            let path = word(std::path::Path::new(&store.path));
            vec![Finding::good(AREA, format!("{path} ({} leases)", status.leases))]
        }
        false => vec![
            Finding::trouble(AREA, "what wharf knows is in memory only, and lost with the daemon")
                .mended_by("wharf daemon restart"),
        ],
    };
    if let Some(first) = findings.first_mut() {
        first.why.extend(store.warnings.iter().cloned());
    }
    findings.extend(put_aside().map(|files| {
        let count = files.len();
        let files: Vec<String> = files.iter().map(|file| word(file)).collect();
        let what = match count {
            1 => "a damaged database was put aside".to_owned(),
            count => format!("{count} damaged databases were put aside"),
        };
        Finding::note(AREA, what)
            .why("ports that were remembered in it may have been given anew")
            .mended_by(format!("rm {}", files.join(" ")))
    }));
    findings
}

/// What lies beside the database under its name with `.corrupt` behind it.
fn put_aside() -> Option<Vec<std::path::PathBuf>> {
    let database = link::paths().ok()?.database;
    let start = format!("{}.corrupt-", database.file_name()?.to_str()?);
    let entries = std::fs::read_dir(database.parent()?).ok()?.flatten();
    let is_one = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(&start);
    let mut files: Vec<_> =
        entries.filter(|entry| is_one(&entry.file_name())).map(|entry| entry.path()).collect();
    files.sort();
    (!files.is_empty()).then_some(files)
}
