//! Rows of requests, sent as they stand, and what must come of each.

use crate::stage::{Fault, Log, Message, Stage};

/// A request that is looked for at the server, where it must never arrive on its own.
pub(crate) const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";

/// What must come of a row.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// One answer of this status, by the proxy itself, and then the end. Nothing that the server could
    /// take for a whole request has reached it.
    Refused(u16),
    /// The server sees exactly these: `METHOD target body`. Each is answered.
    Passed(Vec<String>),
}

/// The server sees exactly these.
pub(crate) fn passed(requests: &[&str]) -> Want {
    Want::Passed(requests.iter().map(|request| (*request).to_owned()).collect())
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) sent: Vec<u8>,
    pub(crate) want: Want,
}

pub(crate) fn case(name: &str, sent: impl Into<Vec<u8>>, want: Want) -> Case {
    Case { name: name.to_owned(), sent: sent.into(), want }
}

/// Sends every row on a stage of its own, in the clear and by TLS, and says of all that failed what was sent and seen.
pub(crate) fn check(cases: Vec<Case>) {
    assert!(!cases.is_empty());
    let by = |tls| cases.iter().filter_map(move |case| run(case, tls).err());
    let failures: Vec<String> = by(false).chain(by(true)).collect();
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn run(case: &Case, tls: bool) -> Result<(), String> {
    let stage = Stage::echo();
    let mut client = if tls { stage.client_by_tls() } else { stage.client() };
    client.send(&case.sent);
    if matches!(case.want, Want::Passed(_)) {
        // A refusal must end the connection by itself.
        client.finish();
    }
    let method = String::from_utf8_lossy(&case.sent).split(' ').next().unwrap_or("").to_owned();
    let (answers, end) = client.answers(&method);
    let log = stage.end();
    judge(&case.want, &answers, &end, &log).map_err(|what| {
        let seen: Vec<&str> = answers.iter().map(|answer| answer.start.as_str()).collect();
        format!(
            "- {} (tls: {tls}): {what}\n  sent: {}\n  want: {:?}\n  answers: {seen:?}, then {end:?}\n  \
             the server saw: {:?}, faults {:?}",
            case.name,
            case.sent.escape_ascii(),
            case.want,
            log.requests,
            log.faults
        )
    })
}

fn judge(want: &Want, answers: &[Message], end: &Fault, log: &Log) -> Result<(), String> {
    if *end != Fault::End {
        return Err("the connection did not end cleanly".into());
    }
    if log.faults.iter().any(|fault| matches!(fault, Fault::Bad(_))) {
        return Err("the server was sent something that is not HTTP".into());
    }
    match want {
        Want::Refused(status) => {
            let statuses: Vec<u16> = answers.iter().map(Message::status).collect();
            if statuses != [*status] {
                return Err("not the one refusal".into());
            }
            if answers[0].one("connection") != Some("close") {
                return Err("the end of the connection was not announced".into());
            }
            match log.requests.is_empty() {
                true => Ok(()),
                false => Err("a request arrived".into()),
            }
        }
        Want::Passed(requests) => {
            let seen: Vec<String> = log
                .requests
                .iter()
                .map(|seen| format!("{} {} {}", seen.method(), seen.target(), seen.text()))
                .collect();
            let answered = answers.iter().all(|answer| answer.status() == 200);
            match &seen == requests && answered && answers.len() == requests.len() {
                true => Ok(()),
                false => Err("not the requests that were meant".into()),
            }
        }
    }
}
