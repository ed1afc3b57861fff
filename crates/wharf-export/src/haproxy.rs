//! HAProxy (<https://docs.haproxy.org/2.6/configuration.html>).

use wharf_model::{OriginForm, Protocol};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server, one_line};

/// The whole configuration.
pub(crate) fn configuration(handover: &Handover) -> Result<Document, ExportError> {
    if handover.web().next().is_none() {
        let why = "it is about servers of HTTP";
        return Err(ExportError::Nothing { format: "HAProxy", why });
    }
    let mut text: String =
        handover.preamble("HAProxy").iter().map(|line| format!("# {line}\n")).collect();
    text.push_str("# `haproxy -c -f haproxy.cfg` checks it, `haproxy -f haproxy.cfg` serves it.\n");
    text.push_str(DEFAULTS);
    text.push_str(&frontend(handover)?);
    for server in handover.web() {
        text.push_str(&backend(handover, server));
    }
    text.push_str(
        "\n# Any other name\nbackend wharf_unknown\n    http-request return status 421\n\n\
         # A host of which only some paths lead somewhere\nbackend wharf_nothing\n    \
         http-request return status 404\n",
    );
    Ok(Document::new("haproxy.cfg", text))
}

/// Heads with large cookies; a debugger may stop a server for an hour, a WebSocket may be silent for a day.
const DEFAULTS: &str = "
global
    # Heads of 64 kB: a buffer holds a head whole.
    tune.bufsize 81920
    tune.maxrewrite 8192

defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 24h
";

fn frontend(handover: &Handover) -> Result<String, ExportError> {
    let port = handover.front.port;
    let (scheme, tls) = match &handover.front.tls {
        None => ("http", String::new()),
        Some(tls) => {
            let file = quote::haproxy(quote::text("HAProxy", tls.certificate.as_os_str())?)?;
            ("https", format!(" ssl crt {file} alpn h2,http/1.1"))
        }
    };
    let mut text = format!(
        "\nfrontend wharf\n    bind 127.0.0.1:{port}{tls}\n    bind [::1]:{port}{tls}\n    \
         # Without the port, as names are compared.\n    \
         http-request set-var(txn.host) req.hdr(host),field(1,:),lower\n    \
         # Replaced, and not added to: what a stranger says of himself counts for nothing.\n    \
         http-request set-header X-Forwarded-For %[src]\n    \
         http-request set-header X-Forwarded-Host %[req.hdr(host)]\n    \
         http-request set-header X-Forwarded-Proto {scheme}\n    \
         http-request set-header X-Forwarded-Port %[dst_port]\n    \
         http-request del-header Forwarded\n    http-request del-header X-Real-IP\n"
    );
    let mut hosts: Vec<&str> = Vec::new();
    for server in handover.web() {
        hosts.extend(server.hosts.iter().map(String::as_str));
    }
    hosts.extend(handover.bare_sites());
    for host in hosts {
        for (path, server) in handover.lent(host) {
            let below = format!("{}/", path.trim_end_matches('/'));
            text.push_str(&format!(
                "    use_backend {} if {{ var(txn.host) -m str {host} }} {{ path {} }}\n",
                backend_name(handover, server),
                quote::haproxy_url_path(path)?
            ));
            text.push_str(&format!(
                "    use_backend {} if {{ var(txn.host) -m str {host} }} {{ path_beg {} }}\n",
                backend_name(handover, server),
                quote::haproxy_url_path(&below)?
            ));
        }
    }
    for site in handover.bare_sites() {
        text.push_str(&format!(
            "    use_backend wharf_nothing if {{ var(txn.host) -m str {site} }}\n"
        ));
    }
    // Exact names before those that stand for all below.
    let exact =
        handover.web().flat_map(|server| server.hosts.iter().map(move |host| (host, server)));
    for (host, server) in exact {
        text.push_str(&format!(
            "    use_backend {} if {{ var(txn.host) -m str {host} }}\n",
            backend_name(handover, server)
        ));
    }
    for (host, server) in handover.wild() {
        text.push_str(&format!(
            "    use_backend {} if {{ var(txn.host) -m end .{host} }}\n",
            backend_name(handover, server)
        ));
    }
    text.push_str("    default_backend wharf_unknown\n");
    Ok(text)
}

fn backend_name(handover: &Handover, server: &Server) -> String {
    format!("wharf_{}_{}", handover.name, server.label())
}

fn backend(handover: &Handover, server: &Server) -> String {
    let mut text = format!(
        "\n# {} ({})\nbackend {}\n",
        one_line(&server.called()),
        one_line(&server.source),
        backend_name(handover, server)
    );
    let plain = server.origin_form == OriginForm::Plain && server.protocol != Protocol::Tls;
    if handover.front.tls.is_some() && plain {
        text.push_str(
            "    # It is reached by http, and compares these with the scheme that it sees.\n    \
             http-request replace-header Origin ^https://(.*)$ http://\\1\n    \
             http-request replace-header Referer ^https://(.*)$ http://\\1\n",
        );
    }
    let words = match server.protocol {
        Protocol::Http1 => "",
        Protocol::H2c => " proto h2",
        Protocol::Tls => " ssl verify none",
    };
    text.push_str(&format!("    server {} {}{words}\n", server.label(), server.socket()));
    text
}
