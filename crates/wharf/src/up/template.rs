//! Placeholders in commands and variables: `{port}`, `{url}`, `{api.port}`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use wharf_model::placeholder::placeholder;
use wharf_model::service::{External, Run, Service};

use super::order::{Sibling, Siblings};
use super::published;
use crate::report::{Code, Report};

/// Fills every placeholder in; what is none stays as it is.
pub(crate) fn fill(text: &OsStr, own: &Sibling, siblings: &Siblings) -> OsString {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        filled.extend_from_slice(&rest[..open]);
        rest = &rest[open..];
        let value = placeholder(rest).and_then(|(service, key, length)| {
            let value = match service {
                None => value(own, key, &own.url),
                Some(name) => {
                    let sibling = siblings.seen_from(name, own.instance)?;
                    value(sibling, key, &sibling.direct_url)
                }
            };
            Some((value?, length))
        });
        match value {
            Some((value, length)) => {
                filled.extend_from_slice(value.as_bytes());
                rest = &rest[length..];
            }
            None => {
                filled.push(b'{');
                rest = &rest[1..];
            }
        }
    }
    filled.extend_from_slice(rest);
    OsString::from_vec(filled)
}

/// The value of a variable of a service's, filled in where it has placeholders.
pub(crate) fn variable(
    service: &Service,
    (name, value): (&str, &str),
    own: &Sibling,
    siblings: &Siblings,
) -> OsString {
    match service.fills(name) {
        true => fill(value.as_ref(), own, siblings),
        false => value.into(),
    }
}

/// A value. The plain URL is what the variable of that name holds: of the instance itself the one by name, of
/// another one that by address, since the programs that ask it may not resolve names.
fn value(sibling: &Sibling, key: &str, url: &str) -> Option<String> {
    Some(match key {
        "port" => sibling.port.to_string(),
        "url" => url.to_owned(),
        "named_url" => sibling.url.clone(),
        "direct_url" => sibling.direct_url.clone(),
        "host" => sibling.host.clone(),
        "instance" => sibling.instance.to_string(),
        _ => return None,
    })
}

/// Checks that every service that a placeholder names is there.
///
/// # Errors
/// One is not.
pub(crate) fn check(services: &[Service], external: &[External]) -> Result<(), Report> {
    let mut names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    let outside = published::siblings(external, services);
    names.extend(outside.iter().map(|one| one.service.as_str()));
    for service in services {
        for text in texts(service) {
            if let Some(name) =
                named(&text).into_iter().find(|name| !names.contains(&name.as_str()))
            {
                let what =
                    format!("`{}` names a service `{name}`, which there is not", service.name);
                return Err(Report::new(Code::Usage, what)
                    .why(format!("it says {}", text.to_string_lossy()))
                    .why(match service.verbatim.run {
                        // Only wharf.toml has placeholders.
                        true => format!("[service.{}] of wharf.toml says that", service.name),
                        false => format!("it is declared by {}", service.source),
                    })
                    .help(format!("there are: {}", names.join(", "))));
            }
        }
    }
    Ok(())
}

fn texts(service: &Service) -> Vec<OsString> {
    let run = match &service.run {
        _ if service.verbatim.run => Vec::new(),
        Some(Run::Words(words)) => words.clone(),
        Some(Run::Shell(text)) => vec![text.into()],
        None => Vec::new(),
    };
    let filled = service.env.iter().filter(|(name, _)| service.fills(name));
    run.into_iter().chain(filled.map(|(_, value)| value.into())).collect()
}

/// The services that the placeholders of a text name.
fn named(text: &OsStr) -> Vec<String> {
    let bytes = text.as_bytes();
    let opens = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
    opens.filter_map(|at| placeholder(&bytes[at..])?.0.map(str::to_owned)).collect()
}

/// What an instance is told of the others: `WHARF_API_URL`, `_HOST`, `_PORT`.
pub(crate) fn variables(own: &Sibling, siblings: &Siblings) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for service in siblings.services().into_iter().filter(|service| *service != own.service) {
        let Some(sibling) = siblings.seen_from(service, own.instance) else { continue };
        let name = service.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        variables.insert(format!("WHARF_{name}_URL"), sibling.direct_url.clone());
        variables.insert(format!("WHARF_{name}_HOST"), sibling.host.clone());
        variables.insert(format!("WHARF_{name}_PORT"), sibling.port.to_string());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(service: &str, instance: u32, port: u16) -> Sibling {
        Sibling {
            service: service.into(),
            instance,
            host: "127.0.0.1".into(),
            port,
            url: format!("http://{service}.shop.localhost"),
            direct_url: format!("http://127.0.0.1:{port}"),
        }
    }

    fn siblings() -> Siblings {
        Siblings(vec![sibling("web", 2, 8001), sibling("api", 1, 9000), sibling("api", 2, 9001)])
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_left() {
        let own = sibling("web", 2, 8001);
        let fill = |text: &str| fill(OsStr::new(text), &own, &siblings());
        assert_eq!(
            fill("--port {port} --api={api.url}"),
            "--port 8001 --api=http://127.0.0.1:9001"
        );
        assert_eq!(
            fill("{url} {api.named_url}"),
            "http://web.shop.localhost http://api.shop.localhost"
        );
        assert_eq!(fill("{api.port}{host}{instance}"), "9001127.0.0.12");
        for same in ["{}", "{x}", "${PORT}", "{db.port}", "{\"port\": 1}", "{port", "a}b{"] {
            assert_eq!(fill(same), same);
        }
        assert_eq!(fill("{{port}}"), "{8001}");
    }

    #[test]
    fn a_service_that_is_not_there_is_told() {
        let mut web = Service::new("web", "/".into(), "test");
        web.run = Some(Run::Shell("x {api.port}".into()));
        let error = check(&[web.clone()], &[]).unwrap_err();
        assert!(error.what.contains("`api`"), "{}", error.what);
        assert!(check(&[web, Service::new("api", "/".into(), "test")], &[]).is_ok());
    }

    #[test]
    fn each_sees_its_own_siblings() {
        let variables = variables(&sibling("web", 2, 8001), &siblings());
        assert_eq!(variables["WHARF_API_URL"], "http://127.0.0.1:9001");
        assert_eq!((variables["WHARF_API_PORT"].as_str(), variables.len()), ("9001", 3));
    }
}
