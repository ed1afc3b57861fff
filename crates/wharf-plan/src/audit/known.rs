//! Which of the servers that rules know a listener is, by its command line, its process's name and its port.

use std::ops::RangeInclusive;

use super::listener::Listener;

/// Where Node's inspector listens unless it is told otherwise; with several processes it counts up.
const INSPECTOR_PORTS: RangeInclusive<u16> = 9229..=9329;

/// What begins an option that has a JVM wait for a debugger.
const JDWP: [&str; 2] = ["-agentlib:jdwp=", "-Xrunjdwp:"];

impl Listener {
    /// A Redis server, or one that speaks its language.
    pub fn is_redis(&self) -> bool {
        self.runs(&["redis-server", "valkey-server", "keydb-server"])
            || (self.port == 6379 && !self.runs(&["node", "python", "python3"]))
    }

    /// A PostgreSQL server.
    pub fn is_postgres(&self) -> bool {
        self.runs(&["postgres", "postmaster"])
    }

    /// A MongoDB server.
    pub fn is_mongo(&self) -> bool {
        self.runs(&["mongod", "mongos"]) || self.port == 27017
    }

    /// An Elasticsearch or OpenSearch server.
    pub fn is_elasticsearch(&self) -> bool {
        self.port == 9200 || self.words().any(|word| word.starts_with("-Des.path.home="))
    }

    /// A Jupyter server.
    pub fn is_jupyter(&self) -> bool {
        let names = [
            "jupyter",
            "jupyter-lab",
            "jupyter-notebook",
            "jupyter-server",
            "jupyter_server",
            "jupyterlab",
        ];
        self.runs(&names)
    }

    /// Docker's engine, over TCP.
    pub fn is_docker(&self) -> bool {
        self.runs(&["dockerd"]) || self.port == 2375
    }

    /// Node's inspector: it speaks HTTP, but is no page of a project's.
    pub fn is_inspector(&self) -> bool {
        if !self.runs(&["node", "nodejs", "MainThread"]) {
            return false;
        }
        INSPECTOR_PORTS.contains(&self.port)
            || self.words().any(|word| inspector_port(word) == Some(self.port))
    }

    /// Next.js: its server calls itself `next-server (v15.3.1)`.
    pub(super) fn is_next(&self) -> bool {
        self.processes.iter().any(|process| process.command.starts_with("next-server"))
            || self.words().any(|word| word.starts_with("next-server"))
    }

    /// A JVM's debugger port.
    pub fn is_jdwp(&self) -> bool {
        self.jdwp_option().is_some()
    }

    /// The option that opens this port to debuggers.
    pub(super) fn jdwp_option(&self) -> Option<&str> {
        self.words().find(|word| jdwp_port(word) == Some(self.port))
    }

    /// Whether what listens waits for a debugger, which no question over HTTP reaches.
    pub fn is_debugger(&self) -> bool {
        self.is_jdwp() || (self.port == 5005 && self.runs(&["java"]))
    }
}

/// The port of `--inspect=…`, `--inspect-brk=…`.
fn inspector_port(word: &str) -> Option<u16> {
    let rest = word.strip_prefix("--inspect")?;
    let (kind, address) = rest.split_once('=')?;
    if !matches!(kind, "" | "-brk" | "-wait" | "-port") {
        return None;
    }
    address.rsplit(':').next()?.parse().ok()
}

/// The port of a JVM's option.
fn jdwp_port(word: &str) -> Option<u16> {
    let options = JDWP.iter().find_map(|start| word.strip_prefix(start))?;
    let address = options.split(',').find_map(|option| option.strip_prefix("address="))?;
    address.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debuggers_are_known_by_their_options() {
        for (word, port) in [
            ("-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005", Some(5005)),
            ("-agentlib:jdwp=transport=dt_socket,server=y,address=8787", Some(8787)),
            ("-Xrunjdwp:transport=dt_socket,address=127.0.0.1:1044,server=y", Some(1044)),
            ("-agentlib:jdwp=transport=dt_socket,server=n", None),
            ("-Dx=address=1:2", None),
        ] {
            assert_eq!(jdwp_port(word), port, "{word}");
        }
        for (word, port) in [
            ("--inspect=0.0.0.0:9229", Some(9229)),
            ("--inspect-brk=9230", Some(9230)),
            ("--inspect=[::1]:9231", Some(9231)),
            ("--inspect", None),
            ("--inspector=1", None),
        ] {
            assert_eq!(inspector_port(word), port, "{word}");
        }
    }
}
