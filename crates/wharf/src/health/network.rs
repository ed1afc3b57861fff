//! Loopback, and what programs are told to send elsewhere.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use super::Finding;

const AREA: &str = "network";
/// By which programs are told of a proxy of the network.
const PROXIES: [&str; 3] = ["http_proxy", "HTTP_PROXY", "ALL_PROXY"];

pub(super) fn examine() -> Vec<Finding> {
    let mut findings = vec![loopback()];
    findings.extend(forward_proxy(|name| std::env::var(name).ok()));
    findings
}

/// Both loopback addresses can be bound, at a port of the kernel's choice.
fn loopback() -> Finding {
    let bound = |address: IpAddr| TcpListener::bind((address, 0)).map(drop);
    if let Err(error) = bound(Ipv4Addr::LOCALHOST.into()) {
        return Finding::trouble(AREA, "127.0.0.1 cannot be bound")
            .why(error.to_string())
            .mended_by("sudo ip link set lo up");
    }
    match bound(Ipv6Addr::LOCALHOST.into()) {
        Ok(()) => Finding::good(AREA, "127.0.0.1 and ::1 can be bound"),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            Finding::note(AREA, "there is no ::1: IPv6 is off, so servers are on 127.0.0.1 alone")
        }
        Err(error) => Finding::note(AREA, "::1 cannot be bound").why(error.to_string()),
    }
}

/// A proxy of the network to which programs would send what is meant for this machine.
fn forward_proxy(variable: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    let (name, _) = PROXIES
        .into_iter()
        .find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))?;
    let spared = ["no_proxy", "NO_PROXY"].into_iter().find_map(&variable).unwrap_or_default();
    let is_spared = |host: &str| {
        spared.split(',').any(|part| matches!(part.trim(), "*") || part.trim() == host)
    };
    let names = is_spared("localhost") || is_spared(".localhost");
    if names && is_spared("127.0.0.1") {
        return None;
    }
    let finding =
        Finding::note(AREA, format!("{name} is set, and NO_PROXY does not spare this machine"));
    let wanted = match spared.trim() {
        "" => "localhost,.localhost,127.0.0.1,::1".to_owned(),
        spared => format!("{spared},localhost,.localhost,127.0.0.1,::1"),
    };
    Some(
        finding
            .why("curl, pip, Python's requests and others ask that proxy for http://shop.localhost")
            .mended_by(format!("export no_proxy={wanted} NO_PROXY={wanted}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_noted_unless_it_spares_this_machine() {
        let with = |proxy: Option<&str>, spared: Option<&str>| {
            forward_proxy(|name| match name {
                "HTTP_PROXY" => proxy.map(str::to_owned),
                "no_proxy" => spared.map(str::to_owned),
                _ => None,
            })
        };
        assert!(with(None, None).is_none());
        assert!(with(Some(""), None).is_none());
        assert!(with(Some("http://p:3128"), Some("*")).is_none());
        assert!(with(Some("http://p:3128"), Some("localhost, 127.0.0.1")).is_none());
        assert!(with(Some("http://p:3128"), Some("corp.example")).is_some());
        let finding = with(Some("http://p:3128"), Some("corp.example")).unwrap();
        let command = finding.command.unwrap();
        assert!(command.contains("no_proxy=corp.example,localhost,"), "{command}");
    }
}
