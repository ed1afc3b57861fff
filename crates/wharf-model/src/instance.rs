//! One execution of a service, as every command that lists instances shows it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::key::ServiceKey;
use crate::listener::Listener;
use crate::path_text::PathText;
use crate::process::ProcessId;
use crate::route::Access;

/// Where an instance is in its life. One function per arrow of
/// `Planned → Leased → Starting → Ready → Stopping → Exited`, `Starting → Failed`, `Ready ⇄ Unready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A plan exists.
    Planned,
    /// Its port is leased.
    Leased,
    /// The command runs and does not serve yet.
    Starting,
    /// It serves.
    Ready,
    /// It served, and its listener has gone (a reloader between two servers, or a hang).
    Unready,
    /// It is being ended.
    Stopping,
    /// It has ended, after having served or by order.
    Exited,
    /// It ended without ever serving.
    Failed,
}

impl State {
    /// `Planned → Leased`
    pub fn leased(self) -> State {
        self.arrow(&[State::Planned], State::Leased)
    }

    /// `Leased → Starting`
    pub fn launched(self) -> State {
        self.arrow(&[State::Leased], State::Starting)
    }

    /// `Starting → Ready`, `Unready → Ready`
    pub fn served(self) -> State {
        self.arrow(&[State::Starting, State::Unready], State::Ready)
    }

    /// `Ready, Unready, Starting → Leased`, of what is launched again, or at the next connection.
    pub fn laid_down(self) -> State {
        self.arrow(&[State::Starting, State::Ready, State::Unready], State::Leased)
    }

    /// `Ready → Unready`
    pub fn lost_listener(self) -> State {
        self.arrow(&[State::Ready], State::Unready)
    }

    /// `… → Stopping`, from every state in which something may run.
    pub fn stop_asked(self) -> State {
        self.arrow(&[State::Leased, State::Starting, State::Ready, State::Unready], State::Stopping)
    }

    /// The command ended: `Starting → Failed`, else `→ Exited`.
    pub fn ended(self) -> State {
        match self {
            State::Starting | State::Leased | State::Planned => State::Failed,
            State::Failed => State::Failed,
            State::Ready | State::Unready | State::Stopping | State::Exited => State::Exited,
        }
    }

    /// Whether a process of the instance may still be there.
    pub fn is_live(self) -> bool {
        !matches!(self, State::Exited | State::Failed)
    }

    /// An arrow that is not drawn leaves the state as it is: events of a process may come late.
    fn arrow(self, from: &[State], to: State) -> State {
        if from.contains(&self) { to } else { self }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Planned => "planned",
            State::Leased => "leased",
            State::Starting => "starting",
            State::Ready => "ready",
            State::Unready => "unready",
            State::Stopping => "stopping",
            State::Exited => "exited",
            State::Failed => "failed",
        })
    }
}

/// How a hard-coded port is handled for this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remap {
    /// A port that the program names is remapped, on duplicates of its sockets.
    Dup,
    /// The same, by changing the address in the program's memory.
    Rewrite,
    /// The same, on sockets of wharf's own that take the place of the program's.
    Inject,
    /// Ports stay what the program names, on an address of the instance's own.
    Address,
    /// By hints alone: environment, flags, arguments.
    Cooperative,
    /// Not even hints.
    Off,
}

/// A port that a program named, and the one that it has in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remapped {
    /// The port that the program named.
    pub named: u16,
    /// The port that it has.
    pub port: u16,
}

/// One instance, as its pilot reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The random name of this execution, also in its environment as `WHARF_ID`.
    pub id: String,
    /// Project, worktree, service, instance number.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// The folder of this checkout (the worktree's own root).
    pub root: PathText,
    /// The catalog's name of the framework, where it was recognised.
    pub framework: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// The leased port.
    pub port: u16,
    /// The port that was wanted.
    pub requested_port: u16,
    /// What its tree listens on.
    pub listeners: Vec<Listener>,
    /// How a hard-coded port is handled.
    pub remap: Remap,
    /// The ports that the program named, and those that it has in their place.
    #[serde(default)]
    pub remapped: Vec<Remapped>,
    /// Whether its pilot listens in its place while it does not: a connection waits, and is not refused.
    #[serde(default)]
    pub held: bool,
    /// Who may ask it by its name.
    #[serde(default)]
    pub access: Access,
    /// What `wharf up` was told of it, by key: how a later `up` sees what has changed. Values that may be
    /// secret stand here as a fingerprint. Absent for what was started otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<BTreeMap<String, String>>,
    /// The last lines that it put out before it ended badly, where its output is kept: for the page that its
    /// name then shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Whether its pilot is made again should it be killed.
    #[serde(default)]
    pub revive: bool,
    /// The URL by name.
    pub url: String,
    /// The URL by address.
    pub direct_url: String,
    /// The command's process.
    pub pid: Option<u32>,
    /// The pilot's process number.
    pub pilot_pid: u32,
    /// The pilot's identity.
    pub pilot: ProcessId,
    /// When it was launched: milliseconds since the Unix epoch, for display only.
    pub started_at: u64,
    /// How often it was launched again.
    #[serde(default)]
    pub restarts: u32,
    /// Milliseconds from launch to the first answer.
    pub ready_ms: Option<u64>,
    /// The exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// The command as it was run.
    pub command: Vec<String>,
    /// The agent that started it; absent where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

impl Instance {
    /// Whether it was not started before the other. Pilots of one boot tell that themselves: the wall clock, by
    /// which `started_at` is shown, may have been set back in between.
    pub fn is_no_earlier_than(&self, other: &Instance) -> bool {
        match self.pilot.start_order(&other.pilot) {
            Some(order) => order.is_ge(),
            None => self.started_at >= other.started_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrows_of_a_good_life() {
        let state = State::Planned.leased().launched().served();
        assert_eq!(state, State::Ready);
        assert_eq!(state.lost_listener().served(), State::Ready);
        assert_eq!(state.laid_down().launched().served(), State::Ready);
        assert_eq!(state.stop_asked().ended(), State::Exited);
    }

    #[test]
    fn late_news_never_revive_an_instance() {
        for dead in [State::Exited, State::Failed] {
            assert_eq!(dead.served(), dead);
            assert_eq!(dead.launched(), dead);
            assert_eq!(dead.laid_down(), dead);
            assert_eq!(dead.stop_asked(), dead);
            assert_eq!(dead.lost_listener(), dead);
        }
        assert_eq!(State::Leased.launched().ended(), State::Failed);
        assert_eq!(State::Stopping.served(), State::Stopping);
    }
}
