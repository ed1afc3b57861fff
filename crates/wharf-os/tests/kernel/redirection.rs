//! A port that is redirected by NAT, as Docker does without its proxy: no bind can see it.

use std::process::{Command, Stdio};

use wharf_os::reserve::{self, Occupancy, Reservation};

use crate::apart;
use crate::sockets::{LO, LO6, SERVER, listening};

/// Loads the rules.
fn nft(rules: &str) {
    let paths = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .env("PATH", format!("{paths}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("nft is there: install Debian's package `nftables`");
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, rules.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "nft refused {rules}");
}

#[test]
fn a_redirected_port_is_no_free_port() {
    if !apart::network("redirection::a_redirected_port_is_no_free_port") {
        return;
    }
    for (family, address, port) in [("ip", LO, 8000), ("ip6", LO6, 8001)] {
        let server = listening(address, 9000, SERVER).unwrap();
        let rules = format!(
            "table {family} t {{\n chain c {{\n type nat hook output priority -100;\n \
             tcp dport {port} redirect to :9000;\n }}\n}}\n"
        );
        nft(&rules);
        let probe = reserve::probe;
        assert!(matches!(probe(port), Occupancy::Redirected), "{family}");
        let taken = Reservation::take(port);
        assert!(matches!(taken, Err(Occupancy::Redirected)), "{family}");
        assert!(matches!(probe(8002), Occupancy::Free), "{family}");
        drop(server);
        assert!(matches!(probe(port), Occupancy::Free), "nobody answers: {family}");
    }
}
