//! Tomcat's port stands in server.xml: it gets a copy with another connector, in the instance's own
//! folder. The user's file is never changed.

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;

use wharf_model::Step;
use wharf_model::plan::{DerivedFile, FILE_HOST, file_port};

use crate::command::{Command, Place, Word};
use crate::folder;
use crate::nginx::{At, Derived};
use crate::plan::PORTS_MAX;

/// Derives the server.xml for a command that starts Tomcat.
pub(crate) fn derive(
    command: &Command,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Derived, Step> {
    let named = command.words.iter().position(|word| word.text == "-config");
    let named = named.and_then(|index| command.words.get(index + 1));
    let base = base(command, env);
    let path = match (named, base) {
        (Some(word), base) => base.unwrap_or_else(|| command.dir.clone()).join(&word.text),
        (None, Some(base)) => base.join("conf/server.xml"),
        (None, None) => {
            let found = "neither CATALINA_BASE nor the script's folder says where it is";
            return Err(Step::new("server.xml", found));
        }
    };
    let shown = folder::shown(&path, &command.dir);
    let Some(text) = folder::evidence(&path) else {
        return Err(Step::new(shown, "cannot be read: its port cannot be replaced"));
    };
    let Some(Rewritten { contents, ports, line }) = rewritten(&text) else {
        return Err(Step::new(shown, "has no HTTP connector: nothing is replaced"));
    };
    let port = ports[0];
    let found = match ports.len() {
        1 => format!("its connector has port {port}: a copy gets the leased port"),
        count => format!("it has {count} HTTP connectors: a copy gets a leased port for each"),
    };
    Ok(Derived {
        file: DerivedFile { name: "server.xml".to_owned(), contents },
        flag: "-config",
        template: template(command),
        at: named.map_or_else(|| before_start(command), |word| At::Instead(word.place.clone())),
        port,
        step: Step::new(format!("{shown}:{line}"), found),
    })
}

/// The name of the derived file. `catalina.sh` hands its arguments to `eval`.
fn template(command: &Command) -> String {
    let evaluates = command.words.iter().any(|word| word.text.ends_with("catalina.sh"));
    format!("{{files{}}}/server.xml", if evaluates { ":sh" } else { "" })
}

/// Tomcat's own launcher takes the last word for its command, so flags go before it.
fn before_start(command: &Command) -> At {
    match command.words.last() {
        Some(Word { text, place: Place::Argv(index), .. }) if text == "start" => At::Before(*index),
        _ => At::End,
    }
}

/// The folder that Tomcat takes for its own: as the command, the environment or the script says.
fn base(command: &Command, env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    for name in ["CATALINA_BASE", "CATALINA_HOME"] {
        let assigned = command.assignments.iter().rfind(|assignment| assignment.name == name);
        let value = assigned.map(|a| OsString::from(&a.value)).or_else(|| env(name));
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            return Some(command.dir.join(value));
        }
    }
    let property = command.words.iter().find_map(|word| {
        let text = word.text.strip_prefix("-Dcatalina.base=");
        text.or_else(|| word.text.strip_prefix("-Dcatalina.home="))
    });
    if let Some(value) = property {
        return Some(command.dir.join(value));
    }
    let script = command.words.iter().find(|word| word.text.ends_with("catalina.sh"))?;
    let (bin, _) = script.text.rsplit_once('/')?;
    let bin = command.dir.join(bin);
    Some(bin.parent()?.to_path_buf())
}

/// A server.xml with other ports.
#[derive(Debug, PartialEq)]
struct Rewritten {
    contents: String,
    /// The ports that it had, in the order of their connectors; never empty.
    ports: Vec<u16>,
    /// The line of the first connector.
    line: usize,
}

/// The text with the HTTP connectors' ports and addresses replaced, each by a leased one, and the
/// shutdown port off, since two copies cannot share them. Connectors for TLS and AJP stay: others
/// know them by their number.
fn rewritten(text: &str) -> Option<Rewritten> {
    let blank = without_comments(text);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut ports = Vec::new();
    let mut line = 0;
    for connector in tags(&blank, "Connector") {
        let port =
            attribute(&blank, &connector, "port").filter(|_| is_http(&blank[connector.clone()]));
        let named = port.and_then(|span| Some((port_of(&blank[span.clone()])?, span)));
        let Some((port, span)) = named.filter(|_| ports.len() < PORTS_MAX) else { continue };
        if ports.is_empty() {
            line = text[..connector.start].matches('\n').count() + 1;
        }
        ports.push(port);
        edits.push((span, file_port(ports.len())));
        edits.push(match attribute(&blank, &connector, "address") {
            Some(span) => (span, FILE_HOST.to_owned()),
            None => {
                let at = connector.start + "<Connector".len();
                (at..at, format!(" address=\"{FILE_HOST}\""))
            }
        });
    }
    if ports.is_empty() {
        return None;
    }
    if let Some(server) = tags(&blank, "Server").into_iter().next()
        && let Some(span) = attribute(&blank, &server, "port")
    {
        edits.push((span, "-1".to_owned()));
    }
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut contents = text.to_owned();
    for (span, new) in edits {
        contents.replace_range(span, &new);
    }
    Some(Rewritten { contents, ports, line })
}

/// The text with comments blanked, byte for byte.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        let end = rest[start..].find("-->").map_or(rest.len(), |len| start + len + 3);
        out.push_str(&rest[..start]);
        out.extend(std::iter::repeat_n(' ', end - start));
        rest = &rest[end..];
    }
    out + rest
}

/// The opening tags with a name.
fn tags(text: &str, name: &str) -> Vec<Range<usize>> {
    let open = format!("<{name}");
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(&open).map(|at| at + from) {
        from = at + open.len();
        if !text[from..].starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/') {
            continue;
        }
        let end = text[from..].find('>').map_or(text.len(), |len| from + len);
        found.push(at..end);
        from = end;
    }
    found
}

/// The place of an attribute's value in a tag.
fn attribute(text: &str, tag: &Range<usize>, name: &str) -> Option<Range<usize>> {
    let inside = &text[tag.clone()];
    let mut from = 0;
    loop {
        let at = from + inside[from..].find(name)?;
        from = at + name.len();
        let whole = inside[..at].ends_with(|c: char| c.is_ascii_whitespace());
        let value = inside[from..].trim_start();
        let Some(value) = value.strip_prefix('=').map(str::trim_start) else {
            continue;
        };
        if !whole || !value.starts_with(['"', '\'']) {
            continue;
        }
        let start = inside.len() - value.len() + 1;
        let len = inside[start..].find(&value[..1])?;
        return Some(tag.start + start..tag.start + start + len);
    }
}

/// Whether a connector speaks plain HTTP.
fn is_http(tag: &str) -> bool {
    let lower = tag.to_ascii_lowercase();
    !lower.contains("ajp") && !lower.contains("sslenabled=\"true\"") && lower.contains("port")
}

/// A port, perhaps as the default of a property (`${http.port:-8080}`).
fn port_of(text: &str) -> Option<u16> {
    let digits = match text.strip_prefix("${") {
        Some(inner) => inner.trim_end_matches('}').rsplit_once(":-")?.1,
        None => text,
    };
    digits.trim().parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_http_connector_and_the_shutdown_port() {
        let text = "<Server port=\"8005\" shutdown=\"SHUTDOWN\">\n<!-- <Connector port=\"1\"/> -->\n\
            <Connector protocol=\"AJP/1.3\" port=\"8009\"/>\n<Connector port='8080' protocol=\"HTTP/1.1\"\n redirectPort=\"8443\" />\n</Server>";
        let expected = "<Server port=\"-1\" shutdown=\"SHUTDOWN\">\n<!-- <Connector port=\"1\"/> -->\n\
            <Connector protocol=\"AJP/1.3\" port=\"8009\"/>\n<Connector address=\"@@WHARF_HOST@@\" port='@@WHARF_PORT@@' protocol=\"HTTP/1.1\"\n redirectPort=\"8443\" />\n</Server>";
        let rewritten = rewritten(text).unwrap();
        assert_eq!((rewritten.contents.as_str(), rewritten.line), (expected, 4));
        assert_eq!(rewritten.ports, [8080]);
    }

    #[test]
    fn an_address_is_replaced_and_a_property_read() {
        let new = rewritten("<Connector address=\"0.0.0.0\" port=\"${p:-8081}\"/>").unwrap();
        assert_eq!(
            (new.contents.as_str(), new.ports.as_slice()),
            ("<Connector address=\"@@WHARF_HOST@@\" port=\"@@WHARF_PORT@@\"/>", &[8081][..])
        );
        assert_eq!(rewritten("<Server><Connectors port=\"1\"/></Server>"), None);
    }

    #[test]
    fn each_http_connector_gets_a_port_of_its_own_and_others_stay() {
        let text = "<Connector port=\"8080\"/><Connector port=\"8443\" SSLEnabled=\"true\"/>\
            <Connector port=\"8081\" address=\"::\"/>";
        let new = rewritten(text).unwrap();
        let expected = "<Connector address=\"@@WHARF_HOST@@\" port=\"@@WHARF_PORT@@\"/>\
            <Connector port=\"8443\" SSLEnabled=\"true\"/>\
            <Connector port=\"@@WHARF_PORT2@@\" address=\"@@WHARF_HOST@@\"/>";
        assert_eq!((new.contents.as_str(), new.ports.as_slice()), (expected, &[8080, 8081][..]));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(<Connector|<Server|<!--|-->|port=|[ a-z0-9\"'>=é\n]){0,30}") {
            let _ = rewritten(&text);
        }
    }
}
