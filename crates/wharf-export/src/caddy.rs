//! Caddy: a Caddyfile, and its own JSON (<https://caddyserver.com/docs/>).

use serde_json::{Value, json};
use wharf_model::{OriginForm, Protocol};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server, one_line};

/// The form that people write.
pub(crate) fn caddyfile(handover: &Handover) -> Result<Document, ExportError> {
    check(handover)?;
    let mut text: String =
        handover.preamble("Caddy").iter().map(|line| format!("# {line}\n")).collect();
    text.push_str("# `caddy run --config Caddyfile` serves it, `caddy reload` takes a new one.\n");
    // It would ask for certificates and redirect to port 443 of its own accord.
    text.push_str("{\n\tauto_https off\n}\n");
    for server in handover.web() {
        let addresses = addresses(handover, &server.hosts);
        text.push_str(&format!(
            "\n# {} ({})\n{addresses} {{\n{}",
            one_line(&server.called()),
            one_line(&server.source),
            opening(handover)?
        ));
        text.push_str(&lent(handover, &server.hosts[0])?);
        text.push_str(&format!("\thandle {{\n{}\t}}\n}}\n", reverse_proxy(handover, server)));
    }
    for site in handover.bare_sites() {
        let addresses = addresses(handover, &[site.to_owned()]);
        text.push_str(&format!("\n# Paths of {site}\n{addresses} {{\n{}", opening(handover)?));
        text.push_str(&lent(handover, site)?);
        text.push_str("\thandle {\n\t\trespond 404\n\t}\n}\n");
    }
    text.push_str(&format!(
        "\n# Any other name\n{}://:{} {{\n{}",
        scheme(handover),
        handover.front.port,
        opening(handover)?
    ));
    for (number, (pattern, server)) in below(handover).enumerate() {
        text.push_str(&format!(
            "\t@below{number} header_regexp Host `{pattern}`\n\thandle @below{number} {{\n{}\t}}\n",
            reverse_proxy(handover, server)
        ));
    }
    text.push_str("\thandle {\n\t\trespond 421\n\t}\n}\n");
    Ok(Document::new("Caddyfile", text))
}

fn check(handover: &Handover) -> Result<(), ExportError> {
    match handover.web().next() {
        Some(_) => Ok(()),
        None => Err(ExportError::Nothing { format: "Caddy", why: "it is about servers of HTTP" }),
    }
}

/// Names that stand for all below, as patterns: a `*` of Caddy's is one label alone.
fn below(handover: &Handover) -> impl Iterator<Item = (String, &Server)> {
    handover.wild().into_iter().map(|(host, server)| {
        (format!("(?i)^.+\\.{}(:[0-9]+)?$", host.replace('.', "\\.")), server)
    })
}

fn scheme(handover: &Handover) -> &'static str {
    if handover.front.tls.is_some() { "https" } else { "http" }
}

fn addresses(handover: &Handover, hosts: &[String]) -> String {
    let (scheme, port) = (scheme(handover), handover.front.port);
    let all: Vec<String> = hosts.iter().map(|host| format!("{scheme}://{host}:{port}")).collect();
    all.join(", ")
}

fn opening(handover: &Handover) -> Result<String, ExportError> {
    let mut text = String::from("\tbind 127.0.0.1 [::1]\n");
    if let Some(tls) = &handover.front.tls {
        let file = |path: &std::path::Path| quote::caddy(quote::text("Caddy", path.as_os_str())?);
        text.push_str(&format!("\ttls {} {}\n", file(&tls.certificate)?, file(&tls.key)?));
    }
    Ok(text)
}

fn lent(handover: &Handover, host: &str) -> Result<String, ExportError> {
    let mut text = String::new();
    for (number, (path, server)) in handover.lent(host).enumerate() {
        let exact = quote::caddy_path(path)?;
        let below = quote::caddy_path(path.trim_end_matches('/'))?;
        let below = format!("{}/*{}", &below[..below.len() - 1], &below[below.len() - 1..]);
        text.push_str(&format!(
            "\t@path{number} path {exact} {below}\n\thandle @path{number} {{\n{}\t}}\n",
            reverse_proxy(handover, server)
        ));
    }
    Ok(text)
}

/// Caddy passes the Host on as it came, replaces what a stranger says of `X-Forwarded-For`, and lets upgrades
/// through by itself; each piece of an answer goes on at once.
fn reverse_proxy(handover: &Handover, server: &Server) -> String {
    let mut text = format!(
        "\t\treverse_proxy {}{} {{\n\t\t\tflush_interval -1\n\t\t\theader_up -Forwarded\n\
         \t\t\theader_up -X-Real-IP\n\t\t\theader_up X-Forwarded-Port {}\n",
        match server.protocol {
            Protocol::Http1 => "",
            Protocol::H2c => "h2c://",
            Protocol::Tls => "https://",
        },
        server.socket(),
        handover.front.port
    );
    if server.protocol == Protocol::Tls {
        text.push_str(
            "\t\t\t# A server of one's own, on loopback, with a certificate of its own.\n\
             \t\t\ttransport http {\n\t\t\t\ttls_insecure_skip_verify\n\t\t\t}\n",
        );
    }
    if translates_origin(handover, server) {
        text.push_str("\t\t\theader_up Origin ^https:// http://\n");
        text.push_str("\t\t\theader_up Referer ^https:// http://\n");
    }
    text.push_str("\t\t}\n");
    text
}

fn translates_origin(handover: &Handover, server: &Server) -> bool {
    handover.front.tls.is_some()
        && server.origin_form == OriginForm::Plain
        && server.protocol != Protocol::Tls
}

/// The form that its API takes.
pub(crate) fn json(handover: &Handover) -> Result<Document, ExportError> {
    check(handover)?;
    let mut routes: Vec<Value> = Vec::new();
    for server in handover.web() {
        for host in &server.hosts {
            routes.extend(lent_json(handover, host)?);
        }
        routes.push(json!({
            "match": [{ "host": server.hosts }],
            "handle": [handler(handover, server)],
            "terminal": true,
        }));
    }
    for site in handover.bare_sites() {
        routes.extend(lent_json(handover, site)?);
        routes.push(json!({
            "match": [{ "host": [site] }],
            "handle": [{ "handler": "static_response", "status_code": 404 }],
            "terminal": true,
        }));
    }
    for (pattern, server) in below(handover) {
        routes.push(json!({
            "match": [{ "header_regexp": { "Host": { "pattern": pattern } } }],
            "handle": [handler(handover, server)],
            "terminal": true,
        }));
    }
    routes.push(json!({ "handle": [{ "handler": "static_response", "status_code": 421 }] }));
    let port = handover.front.port;
    let mut server = json!({
        "listen": [format!("127.0.0.1:{port}"), format!("[::1]:{port}")],
        "routes": routes,
        "automatic_https": { "disable": true },
    });
    let mut apps = json!({});
    if let Some(tls) = &handover.front.tls {
        let file =
            |path: &std::path::Path| quote::text("Caddy", path.as_os_str()).map(str::to_owned);
        server["tls_connection_policies"] = json!([{}]);
        apps["tls"] = json!({ "certificates": { "load_files": [{
            "certificate": file(&tls.certificate)?,
            "key": file(&tls.key)?,
        }] } });
    }
    apps["http"] = json!({ "servers": { "wharf": server } });
    let text = format!("{:#}\n", json!({ "apps": apps }));
    Ok(Document::new("caddy.json", text))
}

fn lent_json(handover: &Handover, host: &str) -> Result<Vec<Value>, ExportError> {
    let mut routes = Vec::new();
    for (path, server) in handover.lent(host) {
        // Checked as the Caddyfile's: both are matched by the same code.
        quote::caddy_path(path)?;
        let below = format!("{}/*", path.trim_end_matches('/'));
        routes.push(json!({
            "match": [{ "host": [host], "path": [path, below] }],
            "handle": [handler(handover, server)],
            "terminal": true,
        }));
    }
    Ok(routes)
}

fn handler(handover: &Handover, server: &Server) -> Value {
    let mut request = json!({
        "delete": ["Forwarded", "X-Real-IP"],
        "set": { "X-Forwarded-Port": [handover.front.port.to_string()] },
    });
    if translates_origin(handover, server) {
        let plain = json!([{ "search_regexp": "^https://", "replace": "http://" }]);
        request["replace"] = json!({ "Origin": plain, "Referer": plain });
    }
    let mut handler = json!({
        "handler": "reverse_proxy",
        "upstreams": [{ "dial": server.socket() }],
        "flush_interval": -1,
        "headers": { "request": request },
    });
    match server.protocol {
        Protocol::Http1 => {}
        Protocol::H2c => {
            handler["transport"] = json!({ "protocol": "http", "versions": ["h2c", "2"] });
        }
        Protocol::Tls => {
            handler["transport"] =
                json!({ "protocol": "http", "tls": { "insecure_skip_verify": true } });
        }
    }
    handler
}
