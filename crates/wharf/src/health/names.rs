//! Whether programs find `shop.localhost` by themselves.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use super::Finding;

const AREA: &str = "names";
/// How long the resolver may take: one that asks a name server which is not there takes as long as it likes.
const PATIENCE: Duration = Duration::from_secs(5);
/// It answers once.
const ANSWERS_MAX: usize = 1;
/// No host is called so.
const NAME: &str = "wharf-doctor.localhost";
/// What has libc answer for `*.localhost`: a file of the system's, and the command that brings it.
/// (`nss-myhostname(8)`, part of systemd; on Fedora and Arch it comes with the system.)
const MODULES: [(&str, &str); 2] = [
    ("/usr/bin/apt-get", "sudo apt-get install libnss-myhostname"),
    ("/usr/bin/zypper", "sudo zypper install nss-myhostname"),
];

pub(super) fn examine() -> Vec<Finding> {
    vec![plain(look_up("localhost")), below(look_up(NAME))]
}

/// What libc says, or why it says nothing.
fn look_up(name: &'static str) -> Result<Vec<IpAddr>, String> {
    let (tell, told) = mpsc::sync_channel(ANSWERS_MAX);
    let ask = move || {
        let answer = (name, 0).to_socket_addrs();
        let addresses = answer.map(|all| all.map(|address| address.ip()).collect());
        let _ = tell.send(addresses.map_err(|error| error.to_string()));
    };
    let thread = std::thread::Builder::new().name("resolver".to_owned()).spawn(ask);
    thread.map_err(|error| error.to_string())?;
    told.recv_timeout(PATIENCE)
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

fn plain(answer: Result<Vec<IpAddr>, String>) -> Finding {
    match answer {
        Ok(addresses) if only_loopback(&addresses) => {
            let mut all: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            all.dedup();
            Finding::good(AREA, format!("`localhost` is {}", all.join(" and ")))
        }
        Ok(addresses) => {
            let all: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            Finding::trouble(AREA, format!("`localhost` is {}, not this machine", all.join(", ")))
                .mended_by("echo '127.0.0.1 localhost' | sudo tee -a /etc/hosts")
        }
        Err(error) => Finding::trouble(AREA, "`localhost` is not found")
            .why(error)
            .mended_by("echo '127.0.0.1 localhost' | sudo tee -a /etc/hosts"),
    }
}

fn below(answer: Result<Vec<IpAddr>, String>) -> Finding {
    match answer {
        Ok(addresses) if only_loopback(&addresses) => {
            Finding::good(AREA, "libc finds `*.localhost`: every program can use names")
        }
        Ok(addresses) => {
            let all: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            Finding::trouble(AREA, format!("`*.localhost` is {}", all.join(", ")))
                .why("a name server answers for names that are this machine's own")
        }
        Err(error) => unknown(&error),
    }
}

fn unknown(error: &str) -> Finding {
    let finding = Finding::note(AREA, "libc does not find `*.localhost`")
        .why("browsers and curl do so by themselves; Node, Python, wget and others ask libc and need the direct URL")
        .why(format!("the resolver says: {error}"));
    match MODULES.into_iter().find(|(installer, _)| std::path::Path::new(installer).exists()) {
        Some((_, command)) => finding.mended_by(command),
        None => finding.why(
            "the module `myhostname` in the line `hosts:` of /etc/nsswitch.conf answers for them",
        ),
    }
}

fn only_loopback(addresses: &[IpAddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn only_loopback_answers_are_good() {
        let here = || Ok(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]);
        let there = || Ok(vec!["192.0.2.7".parse().unwrap()]);
        assert_eq!(plain(here()).what, "`localhost` is 127.0.0.1 and ::1");
        assert_eq!(
            (plain(there()).state, plain(Ok(vec![])).state),
            (State::Trouble, State::Trouble)
        );
        assert_eq!((below(here()).state, below(there()).state), (State::Good, State::Trouble));
        assert_eq!(below(Err("no".to_owned())).state, State::Note);
    }
}
