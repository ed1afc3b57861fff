//! The port that a program which the catalog does not know is told to listen on, as far as its
//! command says so beyond doubt.
//!
//! A port that is read wrongly is worse than one that is missed: the command would be refused for a
//! port that it never wanted. So each spelling counts only as far as nearly all programs share it:
//!
//! - `PORT=N`, and `--port N` with one dash or two;
//! - `--listen` and `--bind` with a port, or with an address of this machine and a port;
//! - `--addr`, `--address` and `--http` likewise, but only with a host that no client would connect
//!   to across the network: none, `localhost`, loopback, or every address;
//! - `-p N`, `-p=N` and `-pN` with nothing but digits (`-p 8000:8000` is a mapping, `-p 3.12` a
//!   version). It stays a guess: the words are never changed for it, not even by `--port`.
//!
//! But for `PORT` and `--port`, N is 80, 443, or from 1024 up. The port of a well-known service (5432)
//! is more likely one to connect to.
//!
//! Nothing but the program's own words is read: not those of a wrapper before it (`uv run -p`), not
//! those behind `--`. Well-known [`CLIENTS`] have no port to listen on, nor has what runs several
//! commands (`docker`, `make`). The `-p` of an interpreter is its own (`node -p`), and that of some
//! programs means [`OTHERWISE`].

use std::net::IpAddr;

use crate::catalog;
use crate::command::{Command, LayerKind, Word, program_name};
use crate::folder;
use crate::typed::{self, Form, Said, Typed, TypedPort};

/// Flags whose value is a port.
const PORT: &[&str] = &["--port", "-port"];

/// Flags whose value is where a server listens.
const LISTEN: &[&str] = &["--listen", "-listen", "--bind", "-bind"];

/// Flags whose value is where a server listens, or where a client connects to.
const ADDRESS: &[&str] = &["--addr", "-addr", "--address", "-address", "--http", "-http"];

/// Programs that connect to a port instead of listening on it.
const CLIENTS: &str = "
    psql pgcli pgbench pg_* createdb dropdb createuser dropuser vacuumdb reindexdb
    mysql mysqldump mysqladmin mysqlsh mycli mariadb mariadb-*
    redis-cli redis-benchmark valkey-cli valkey-benchmark
    mongo mongosh mongodump mongorestore mongoexport mongoimport
    cqlsh clickhouse-client influx sqlcmd usql mosquitto_pub mosquitto_sub kcat kafkacat etcdctl
    ssh ssh-* scp sftp autossh mosh rsync telnet ftp lftp nc ncat netcat socat nmap ping dig
    curl wget http https xh ab wrk wrk2 hey k6 oha vegeta siege grpcurl iperf iperf3 wait-for-it*";

/// Programs whose `-p` is a process, a folder, or something else that may be a large number.
const OTHERWISE: &str = "
    strace ltrace gdb lldb perf lsof top htop kill pkill ps pidstat pmap taskset renice chrt nsenter
    py-spy rbspy mkdir rmdir cp install tar git less patch screen tmux";

/// Whether a program's name is one of a list.
fn listed(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|pattern| folder::matches(name, pattern))
}

/// Reads what a command of an unknown program says of its port.
pub(crate) fn read(command: &Command) -> Typed {
    let last = command.assignments.iter().rfind(|assignment| assignment.name == "PORT");
    let mut port = last.map(typed::assigned);
    if port.is_none() && command.several.is_none() {
        port = by_flag(command);
    }
    Typed { port, ..Typed::default() }
}

/// The last flag among the program's own words that names a port.
fn by_flag(command: &Command) -> Option<TypedPort> {
    let layer = command.innermost();
    let words = command.from(layer);
    let name = program_name(&words.first()?.text);
    let is_program = layer.kind == LayerKind::Program;
    if is_program && listed(CLIENTS, name) {
        return None;
    }
    let named = |pattern: &&str| folder::matches(name, pattern);
    let interprets = catalog::interpreters().iter().any(|i| i.programs.iter().any(named));
    let guesses = !(is_program && (interprets || listed(OTHERWISE, name)));
    let mut found = None;
    for index in 1..words.len() {
        if words[index].text == "--" {
            break;
        }
        found = one(words, index, guesses).or(found);
    }
    found
}

/// The port of the flag at an index. Without `guesses`, `-p` is not looked at.
fn one(words: &[Word], index: usize, guesses: bool) -> Option<TypedPort> {
    let flag = words[index].text.as_str();
    let named = |flags, form| Some(typed::taken(typed::value_of(words, index, flags)?, form, flag));
    if let Some(port) = named(PORT, Form::Flag) {
        return counts(&port, |_| true).then_some(port);
    }
    let (port, is_host): (_, fn(&str) -> bool) = if let Some(port) = named(LISTEN, Form::Flag) {
        (port, is_address)
    } else if let Some(port) = named(ADDRESS, Form::Flag) {
        (port, is_here)
    } else {
        (named(&["-p"], Form::Guess).filter(|_| guesses)?, str::is_empty)
    };
    // A small number is a count, a level or a switch.
    let small = matches!(port.said, Said::Port(n) if !matches!(n.get(), 80 | 443 | 1024..));
    (!small && counts(&port, is_host)).then_some(port)
}

/// Whether what stands behind a flag is a port that its program would listen on: a number that is
/// no other service's, or `$PORT`. `is_host` judges what stands before it.
fn counts(port: &TypedPort, is_host: impl Fn(&str) -> bool) -> bool {
    match port.said {
        Said::Port(number) => !number.is_well_known_service() && is_host(&host_of(port)),
        Said::Variable(_) => true,
        Said::Zero | Said::Absent | Said::Other => false,
    }
}

/// What stands between a flag and its port, without the colon.
fn host_of(port: &TypedPort) -> String {
    let before = port.word.get(..port.span.start).unwrap_or_default();
    let value = if before.starts_with('-') {
        // `-p3000` has nothing between, `--listen=h:3000` has `h:`.
        before.split_once('=').map_or("", |(_, value)| value)
    } else {
        before
    };
    // What stands behind the port (a path) makes it a URL, which nothing listens on.
    let after = port.word.get(port.span.end..).unwrap_or_default();
    format!("{}{after}", value.strip_suffix(':').unwrap_or(value))
}

/// Whether a host is an address of some machine, rather than a name.
fn is_address(host: &str) -> bool {
    is_here(host) || ip(host).is_some()
}

/// Whether a host is this machine, whoever asks.
fn is_here(host: &str) -> bool {
    matches!(host, "" | "*" | "localhost")
        || ip(host).is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;
    use crate::unwrap;

    fn read_text(text: &str) -> Option<TypedPort> {
        let argv: Vec<OsString> = text.split(' ').map(OsString::from).collect();
        let commands = unwrap::unwrap(&argv, Path::new("/nowhere")).unwrap();
        read(commands.last().unwrap()).port
    }

    fn port(text: &str) -> Option<u16> {
        match read_text(text)?.said {
            Said::Port(port) => Some(port.get()),
            said => panic!("{text}: {said:?}"),
        }
    }

    #[test]
    fn the_spellings_of_a_port() {
        for text in [
            "shop --port 9000",
            "shop --port=9000",
            "shop -port=9000",
            "PORT=9000 shop",
            "shop -p 9000",
            "shop -p=9000",
            "shop -p9000",
            "shop -p 1 -p 9000 web",
            "python3 shop.py -p 9000",
            "uv run -p 3012 shop -p 9000",
            "nice -n 5 timeout 2000 shop -p 9000",
            "shop --listen 9000",
            "git daemon --port=9000",
            "shop --listen 0.0.0.0:9000",
            "shop --listen=[::1]:9000",
            "shop --bind 192.168.1.5:9000",
            "shop --addr :9000",
            "python -c pass --port 9000",
            "shop -addr=localhost:9000",
            "shop --address *:9000",
            "shop -http=:9000",
        ] {
            assert_eq!(port(text), Some(9000), "{text}");
        }
        assert_eq!(port("shop -p 80"), Some(80));
        assert_eq!(port("shop -p 443"), Some(443));
    }

    #[test]
    fn what_looks_like_a_port_and_is_none() {
        for text in [
            "mkdir -p 2024",
            "python -p 9000",
            "node -p 9000",
            "docker run -p 8000:8000 shop",
            "docker run -p 8000 shop",
            "podman run --port 8000 shop",
            "ssh -p 2222 host",
            "ssh-copy-id -p 2222 host",
            "psql -p 6543",
            "redis-cli -p 7000",
            "strace -p 9000",
            "nice -n 2000 shop",
            "timeout 2000 shop",
            "uv run -p 3012 shop",
            "shop -p 22",
            "shop -p 4",
            "shop --listen 1",
            "git log -p 9000",
            "psql --port 6543",
            "shop -p 5432",
            "shop --port 5432",
            "shop -p 8000:80",
            "shop -p 3.12",
            "shop -p 127.0.0.1:9000",
            "shop -p 99999",
            "shop -p",
            "shop -print 9000",
            "shop -p web",
            "shop -- -p 9000",
            "shop --ports 9000",
            "shop --listen shop.example:9000",
            "shop --addr 10.0.0.1:9000",
            "shop --addr http://localhost:9000",
            "shop --bind 127.0.0.1",
            "shop --listen unix:/run/shop",
            "shop --listen http://127.0.0.1:9000/x",
        ] {
            assert_eq!(read_text(text).map(|port| port.shown), None, "{text}");
        }
    }

    #[test]
    fn a_guess_is_never_written_to() {
        assert_eq!(read_text("shop -p 9000").unwrap().replaced(), None);
        let replaced = read_text("shop --listen 0.0.0.0:9000").unwrap().replaced();
        assert_eq!(replaced.as_deref(), Some("0.0.0.0:{port}"));
    }
}
