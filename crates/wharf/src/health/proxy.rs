//! The proxy: whether names are served, and at the ports that URLs need not name.

use wharf_control::api::ProxyStatus;
use wharf_os::diag;

use super::Finding;
use crate::facts;
use crate::link::Link;

const AREA: &str = "proxy";
/// From which port on an ordinary user may listen.
const UNPRIVILEGED: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

pub(super) async fn examine(link: &Link) -> Vec<Finding> {
    match link.proxy_now().await {
        Ok(status) => judge(&status),
        Err(report) => vec![Finding::of_report(AREA, &report)],
    }
}

fn judge(status: &ProxyStatus) -> Vec<Finding> {
    let port_of = |scheme: &str| {
        status.listeners.iter().find(|listener| listener.scheme == scheme).map(|l| l.port)
    };
    let mut findings: Vec<Finding> = match port_of("http") {
        Some(80) => vec![Finding::good(AREA, "http names are served at port 80")],
        Some(port) => vec![elsewhere("http", port, 80)],
        None => vec![nowhere(status)],
    };
    match port_of("https") {
        Some(443) => findings.push(Finding::good(AREA, "https names are served at port 443")),
        Some(port) => findings.push(elsewhere("https", port, 443)),
        // Whether there should be https is the certificates' to say.
        None => {}
    }
    findings
}

fn nowhere(status: &ProxyStatus) -> Finding {
    if status.notes.is_empty() {
        return Finding::note(AREA, "it is off: instances have no names")
            .why("`proxy = \"off\"` stands in settings.toml");
    }
    let mut finding = Finding::trouble(AREA, "no name is served");
    finding.why.extend(status.notes.iter().cloned());
    finding.mended_by("wharf daemon restart")
}

fn elsewhere(scheme: &str, port: u16, usual: u16) -> Finding {
    let what = format!("{scheme} names are served at port {port}: URLs carry it");
    let finding = Finding::note(AREA, what);
    let holders = diag::holding(usual).unwrap_or_default();
    if !holders.is_empty() {
        let holder = facts::holder(&holders);
        return finding
            .why(format!("port {usual} is held by {holder}"))
            .mended_by(format!("wharf who {usual}"));
    }
    let from: Option<u16> =
        std::fs::read_to_string(UNPRIVILEGED).ok().and_then(|text| text.trim().parse().ok());
    match from {
        Some(from) if from > usual && wharf_os::user::current_uid() != 0 => {
            finding.why(format!("ports below {from} are root's")).mended_by(
                "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80 && wharf daemon restart",
            )
        }
        _ => finding.why(format!("port {usual} is free by now")).mended_by("wharf daemon restart"),
    }
}
