//! Why a request is answered by the proxy itself.

use std::sync::Arc;

use wharf_model::{Condition, Upstream};

/// Why, and with it what to say.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// It is not HTTP, or can be read in two ways.
    Malformed(&'static str),
    /// The head, or a part of it, is too long.
    HeadTooLong,
    /// The target is too long.
    TargetTooLong,
    /// The head did not arrive in time.
    Slow,
    /// A transfer coding that nobody here knows.
    UnknownCoding,
    /// A method that is not for servers behind a proxy.
    Method,
    /// No such name, or not from here.
    Unknown,
    /// Another site's page asks.
    Foreign {
        /// The origin that is to be listed, where one was named.
        origin: Option<String>,
    },
    /// It has been here before, more than once.
    Circle,
    /// The instance is starting.
    Starting(Arc<str>),
    /// The instance has ended.
    Ended {
        /// What it is called.
        name: Arc<str>,
        /// With which code.
        exit_code: Option<i32>,
        /// Whether it never served.
        failed: bool,
        /// Its last words.
        last_lines: Vec<String>,
    },
    /// Nothing listens where it should.
    Unreachable {
        /// What it is called.
        name: Arc<str>,
        /// What the system said.
        why: String,
    },
    /// Somebody else listens there.
    Stranger {
        /// What it is called.
        name: Arc<str>,
        /// Who does.
        who: String,
    },
    /// The server's answer is not HTTP, or can be read in two ways.
    BadAnswer {
        /// What it is called.
        name: Arc<str>,
        /// What is wrong.
        why: &'static str,
    },
    /// Too many wait already.
    Crowded,
}

impl Refusal {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Refusal::Malformed(_) => 400,
            Refusal::Foreign { .. } => 403,
            Refusal::Method => 405,
            Refusal::Slow => 408,
            Refusal::TargetTooLong => 414,
            Refusal::Unknown => 421,
            Refusal::HeadTooLong => 431,
            Refusal::UnknownCoding => 501,
            Refusal::Unreachable { .. } | Refusal::Stranger { .. } | Refusal::BadAnswer { .. } => {
                502
            }
            Refusal::Ended { .. } => 502,
            Refusal::Starting(_) | Refusal::Crowded => 503,
            Refusal::Circle => 508,
        }
    }

    /// What an instance that does not run gives.
    pub(crate) fn of_condition(upstream: &Upstream) -> Option<Refusal> {
        let name = upstream.name.clone();
        match &upstream.condition {
            Condition::Up | Condition::Dormant => None,
            Condition::Starting => Some(Refusal::Starting(name)),
            Condition::Ended { exit_code, failed, last_lines } => Some(Refusal::Ended {
                name,
                exit_code: *exit_code,
                failed: *failed,
                last_lines: last_lines.clone(),
            }),
        }
    }
}
