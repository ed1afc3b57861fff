//! nginx: a file for its `http` block.
//!
//! Facts of its grammar are of <https://nginx.org/en/docs/>: within double quotes `\` and `"` are escaped by `\`;
//! `$` begins a variable wherever a directive takes them, and cannot be escaped.

use wharf_model::{OriginForm, Protocol};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server, one_line};

/// The longest name that nginx takes without being told of longer ones, on processors with cache lines of 64 bytes
/// (<https://nginx.org/en/docs/http/server_names.html>).
const NAME_MAX: usize = 46;

/// A server for each name.
pub(crate) fn by_name(handover: &Handover) -> Result<Document, ExportError> {
    let mut text = preamble(handover)?;
    let names = handover.web().flat_map(|server| &server.hosts).map(String::len);
    if names.max().unwrap_or(0) > NAME_MAX {
        text.push_str("\n# For names as long as these.\nserver_names_hash_bucket_size 128;\n");
    }
    text.push_str(MAPS);
    if handover.front.tls.is_some() {
        text.push_str(ORIGIN_MAP);
    }
    for server in handover.web() {
        text.push_str(&upstream(handover, server));
    }
    text.push_str(&unknown(handover)?);
    for server in handover.web() {
        let host = &server.hosts[0];
        text.push_str(&format!(
            "\n# {} ({})\nserver {{\n{}    server_name {};\n",
            one_line(&server.called()),
            one_line(&server.source),
            listen(handover)?,
            server.hosts.join(" ")
        ));
        text.push_str(&proxied(handover, server.origin_form));
        text.push_str(&locations(handover, host, Some(server))?);
        text.push_str("}\n");
    }
    for (host, server) in handover.wild() {
        text.push_str(&format!(
            "\n# What is below {host}\nserver {{\n{}    server_name *.{host};\n",
            listen(handover)?
        ));
        text.push_str(&proxied(handover, server.origin_form));
        text.push_str(&location(handover, "/", server)?);
        text.push_str("}\n");
    }
    for site in handover.bare_sites() {
        text.push_str(&format!(
            "\n# Paths of {site}\nserver {{\n{}    server_name {site};\n",
            listen(handover)?
        ));
        text.push_str(&proxied(handover, OriginForm::Plain));
        text.push_str(&locations(handover, site, None)?);
        text.push_str("    location / {\n        return 404;\n    }\n}\n");
    }
    Ok(Document::new(format!("{}.conf", handover.name), text))
}

/// A port for each server, upwards from the front's own: `listen 8000`, `listen 8001`.
pub(crate) fn by_port(handover: &Handover) -> Result<Document, ExportError> {
    let mut text = preamble(handover)?;
    text.push_str(MAPS);
    for server in handover.web() {
        text.push_str(&upstream(handover, server));
    }
    let mut port = handover.front.port;
    for server in handover.web() {
        // A port that one of them has itself is not to be had.
        while handover.listening().any(|other| other.port == port) {
            port = next(port)?;
        }
        text.push_str(&format!(
            "\n# {} ({})\nserver {{\n    listen 127.0.0.1:{port};\n    listen [::1]:{port};\n    \
             server_name {} localhost;\n",
            one_line(&server.called()),
            one_line(&server.source),
            server.hosts.join(" ")
        ));
        text.push_str(&proxied(handover, server.origin_form));
        text.push_str(&location(handover, "/", server)?);
        text.push_str("}\n");
        port = next(port)?;
    }
    Ok(Document::new(format!("{}-ports.conf", handover.name), text))
}

fn next(port: u16) -> Result<u16, ExportError> {
    port.checked_add(1).ok_or(ExportError::NoForm {
        format: "nginx",
        what: "a port for each of them".to_owned(),
        why: "there is none above 65535",
    })
}

fn preamble(handover: &Handover) -> Result<String, ExportError> {
    if handover.web().next().is_none() {
        return Err(ExportError::Nothing { format: "nginx", why: "it is about servers of HTTP" });
    }
    let mut lines = handover.preamble("nginx");
    lines.push("Goes into the `http` block: /etc/nginx/conf.d/, then `nginx -t`.".to_owned());
    lines.push(
        "Not in it: that a request waits for a server that starts, and that pages of other sites are refused."
            .to_owned(),
    );
    Ok(lines.iter().map(|line| format!("# {line}\n")).collect())
}

/// `Connection` goes on as an upgrade where there is one; without one it is left out, so that connections to
/// servers stay open.
const MAPS: &str = "
# A WebSocket is an upgrade; everything else keeps its connection to the server open.
map $http_upgrade $wharf_connection {
    default upgrade;
    '' '';
}
";

/// A server that is reached in the clear compares `Origin` with the scheme that it sees.
const ORIGIN_MAP: &str = "
# A server that is reached by http takes the pages of https for its own by these.
map $http_origin $wharf_origin {
    default $http_origin;
    ~^https://(?<wharf_origin_host>.+)$ http://$wharf_origin_host;
}
map $http_referer $wharf_referer {
    default $http_referer;
    ~^https://(?<wharf_referer_rest>.+)$ http://$wharf_referer_rest;
}
";

/// What all of a server's locations have. Bodies of any size, heads with large cookies; the Host as the browser sent
/// it; forwarded fields are replaced, not added to; no answer is held back, so that events of a stream come at once;
/// a debugger may stop a server for an hour.
const BODIES: &str = "    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_redirect off;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $wharf_connection;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header Forwarded \"\";
    proxy_set_header X-Real-IP \"\";
";

fn proxied(handover: &Handover, form: OriginForm) -> String {
    match handover.front.tls.is_some() && form == OriginForm::Plain {
        false => BODIES.to_owned(),
        true => format!(
            "{BODIES}    proxy_set_header Origin $wharf_origin;\n    \
             proxy_set_header Referer $wharf_referer;\n"
        ),
    }
}

fn upstream_name(handover: &Handover, server: &Server) -> String {
    format!("wharf_{}_{}", handover.name, server.label()).replace('-', "_")
}

fn upstream(handover: &Handover, server: &Server) -> String {
    format!(
        "\nupstream {} {{\n    server {};\n    keepalive 16;\n}}\n",
        upstream_name(handover, server),
        server.socket()
    )
}

/// Where a server block listens. None is called the default: files of two projects would contradict each other, and
/// without the word it is the first.
fn listen(handover: &Handover) -> Result<String, ExportError> {
    let port = handover.front.port;
    let tls = handover.front.tls.as_ref();
    let words = if tls.is_some() { " ssl" } else { "" };
    let mut text =
        format!("    listen 127.0.0.1:{port}{words};\n    listen [::1]:{port}{words};\n");
    if let Some(tls) = tls {
        for (directive, file) in
            [("ssl_certificate", &tls.certificate), ("ssl_certificate_key", &tls.key)]
        {
            text.push_str(&format!("    {directive} {};\n", quote::nginx_path(file)?));
        }
    }
    Ok(text)
}

/// Who asks for another name learns nothing about these.
fn unknown(handover: &Handover) -> Result<String, ExportError> {
    Ok(format!(
        "\n# Any other name\nserver {{\n{}    server_name _;\n    return 421;\n}}\n",
        listen(handover)?
    ))
}

fn locations(handover: &Handover, host: &str, own: Option<&Server>) -> Result<String, ExportError> {
    let mut text = String::new();
    for (path, server) in handover.lent(host) {
        let exact = quote::nginx_url_path(path)?;
        text.push_str(&location(handover, &format!("= {exact}"), server)?);
        let below = quote::nginx_url_path(&format!("{}/", path.trim_end_matches('/')))?;
        text.push_str(&location(handover, &format!("^~ {below}"), server)?);
    }
    if let Some(server) = own {
        text.push_str(&location(handover, "/", server)?);
    }
    Ok(text)
}

fn location(handover: &Handover, at: &str, server: &Server) -> Result<String, ExportError> {
    let name = upstream_name(handover, server);
    let pass = match server.protocol {
        Protocol::Http1 => format!("proxy_pass http://{name};"),
        Protocol::Tls => {
            format!("proxy_pass https://{name};\n        proxy_ssl_server_name on;")
        }
        Protocol::H2c => return Ok(grpc(at, &name)),
    };
    Ok(format!("    location {at} {{\n        {pass}\n    }}\n"))
}

/// A server of HTTP/2 without TLS is spoken to by nginx as to one of gRPC.
fn grpc(at: &str, name: &str) -> String {
    format!(
        "    location {at} {{\n        grpc_pass grpc://{name};\n        \
         grpc_set_header Host $http_host;\n        grpc_set_header X-Forwarded-For $remote_addr;\n        \
         grpc_set_header X-Forwarded-Host $http_host;\n        \
         grpc_set_header X-Forwarded-Proto $scheme;\n        grpc_read_timeout 1h;\n        \
         grpc_send_timeout 1h;\n    }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{server, shop};

    #[test]
    fn each_name_has_a_server_and_others_get_421() {
        let mut api = server("api", 8001);
        api.paths = vec!["/api".into()];
        let mut web = server("web", 8000);
        web.hosts.insert(0, "shop.localhost".into());
        let text = by_name(&shop(vec![web, api])).unwrap().text;
        for line in [
            "    server_name shop.localhost web.shop.localhost;",
            "    location = \"/api\" {",
            "    location ^~ \"/api/\" {",
            "    return 421;",
            "    server 127.0.0.1:8001;",
            "    listen 127.0.0.1:8088;",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_port_that_a_server_has_is_not_taken_for_the_front() {
        let text = by_port(&shop(vec![server("web", 8089), server("api", 8000)])).unwrap().text;
        assert!(text.contains("listen 127.0.0.1:8088;") && text.contains("listen 127.0.0.1:8090;"));
        assert!(!text.contains("listen 127.0.0.1:8089;"), "{text}");
    }

    #[test]
    fn a_comment_stays_one() {
        let mut web = server("web", 8000);
        web.source = "a\nserver { }".into();
        let text = by_name(&shop(vec![web])).unwrap().text;
        assert!(text.contains("# web (a server { })"), "{text}");
    }
}
