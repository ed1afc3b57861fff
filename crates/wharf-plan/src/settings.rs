//! The conventional port that a project sets for itself in its framework's configuration.

use std::path::{Path, PathBuf};

use crate::catalog::{Framework, Setting, SettingKind};
use crate::folder;

/// A port in a project's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configured {
    /// The port.
    pub(crate) port: Option<u16>,
    /// Whether the framework may take no other port (`strictPort`).
    pub(crate) strict: bool,
    /// The file.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// The first of a framework's settings that the project has.
pub(crate) fn read(framework: &Framework, dir: &Path) -> Option<Configured> {
    framework.settings.iter().find_map(|setting| {
        folder::find(dir, setting.file).into_iter().find_map(|file| {
            let text = folder::evidence(&file)?;
            one(setting, &text, file)
        })
    })
}

fn one(setting: &Setting, text: &str, file: PathBuf) -> Option<Configured> {
    let key = setting.key;
    let found = match setting.kind {
        SettingKind::Dotenv => lines(text, |line| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            port_after(line.strip_prefix(key)?.trim_start().strip_prefix('=')?)
        }),
        SettingKind::Properties => lines(text, |line| {
            port_after(line.strip_prefix(key)?.trim_start().strip_prefix(['=', ':'])?)
        }),
        SettingKind::Yaml => yaml(text, key),
        SettingKind::Toml => toml(text, key),
        SettingKind::Text => lines(text, |line| after_key(line, key)),
        SettingKind::Vite => return vite(text, key, file),
    };
    found.map(|(port, line)| Configured { port: Some(port), strict: false, file, line })
}

/// The first line, comments aside, that has a port.
fn lines(text: &str, port: impl Fn(&str) -> Option<u16>) -> Option<(u16, usize)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let line = line.trim();
        let comment = line.starts_with('#') || line.starts_with("//") || line.starts_with('*');
        if comment { None } else { Some((port(line)?, index + 1)) }
    })
}

/// A port at the start of a value, perhaps quoted, behind a host, or as the default of a
/// placeholder (`${PORT:8081}`).
fn port_after(value: &str) -> Option<u16> {
    let value = value.trim().trim_start_matches(['"', '\'', '{', '[']).trim_start();
    let value = match value.strip_prefix("${") {
        Some(inner) => inner.split_once(':')?.1.trim_start_matches('-'),
        None => value,
    };
    let value = value.split_once("://").map_or(value, |(_, rest)| rest);
    let len = value.find([' ', ',', '"', '\'', ';', '}', '/', ')', ']']).unwrap_or(value.len());
    let value = &value[..len];
    let port = value.rsplit_once(':').map_or(value, |(_, port)| port);
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port != 0)
}

/// A port after a whole key and `:`, `=`, `,` or a blank.
fn after_key(line: &str, key: &str) -> Option<u16> {
    let mut rest = line;
    loop {
        let at = rest.find(key)?;
        let before = rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c));
        rest = &rest[at + key.len()..];
        let value = rest.trim_start_matches(['"', '\'']).trim_start();
        let value = value.strip_prefix([':', '=', ',']);
        if !before && let Some(port) = value.and_then(port_after) {
            return Some(port);
        }
    }
}

/// A key in a table of a TOML file: `table.key`, or `key` at its top.
fn toml(text: &str, path: &str) -> Option<(u16, usize)> {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut current = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            current = name
                .trim_start_matches('[')
                .split(']')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
        } else if let Some((name, value)) = line.split_once('=')
            && (current == table && name.trim() == key || current.is_empty() && name.trim() == path)
            && let Some(port) = port_after(value)
        {
            return Some((port, index + 1));
        }
    }
    None
}

/// A dotted key in a YAML file, by indentation; keys may be dotted themselves.
fn yaml(text: &str, path: &str) -> Option<(u16, usize)> {
    let mut parents: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') || content.starts_with('-') {
            continue;
        }
        let Some((key, value)) = content.split_once(':') else {
            continue;
        };
        let indent = line.len() - content.len();
        parents.retain(|(outer, _)| *outer < indent);
        let mut names: Vec<&str> = parents.iter().map(|(_, name)| name.as_str()).collect();
        names.push(key.trim());
        if names.join(".") == path
            && let Some(port) = port_after(value.split(" #").next().unwrap_or(value))
        {
            return Some((port, index + 1));
        }
        parents.push((indent, key.trim().to_owned()));
    }
    None
}

/// Vite's `server.port` and `server.strictPort`. A port of `preview`, `hmr` or a proxy is not it.
fn vite(text: &str, key: &str, file: PathBuf) -> Option<Configured> {
    let mut port = None;
    let mut strict = None;
    let mut depth = 0usize;
    let mut server_at = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") || line.starts_with('*') || line.starts_with("/*") {
            continue;
        }
        // Each `key: {` piece opens one level, so that a nested object's port is not the server's.
        for piece in line.split_inclusive(['{', '}', ',']) {
            if server_at.is_none() && piece.ends_with('{') && opens(piece, "server") {
                server_at = Some(depth + 1);
            }
            if server_at == Some(depth) {
                port = port.or_else(|| after_key(piece, key).map(|port| (port, index + 1)));
                if piece.trim_start().starts_with("strictPort") && piece.contains("true") {
                    strict = strict.or(Some(index + 1));
                }
            }
            match piece.as_bytes().last() {
                Some(b'{') => depth += 1,
                Some(b'}') => {
                    depth = depth.saturating_sub(1);
                    if server_at.is_some_and(|at| depth < at) {
                        server_at = Some(usize::MAX);
                    }
                }
                _ => {}
            }
        }
    }
    let line = strict.or(port.map(|(_, line)| line))?;
    Some(Configured { port: port.map(|(port, _)| port), strict: strict.is_some(), file, line })
}

/// Whether a piece such as `server: {` opens the object of a key.
fn opens(piece: &str, key: &str) -> bool {
    let name = piece.trim().trim_end_matches('{').trim_end();
    name.strip_suffix(':').is_some_and(|name| name.trim_end().trim_matches(['"', '\'']) == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        kind: SettingKind,
        key: &'static str,
        text: &str,
    ) -> Option<(Option<u16>, bool, usize)> {
        let setting = Setting { file: "x", kind, key };
        one(&setting, text, PathBuf::new()).map(|found| (found.port, found.strict, found.line))
    }

    #[test]
    fn every_kind_of_file() {
        use SettingKind::{Dotenv, Properties, Text, Toml, Yaml};
        let port = |port, line| Some((Some(port), false, line));
        assert_eq!(said(Dotenv, "PORT", "# PORT=1\nexport PORT=\"3001\""), port(3001, 2));
        assert_eq!(said(Dotenv, "PORT", "PORTS=1"), None);
        assert_eq!(said(Properties, "server.port", "server.port = ${PORT:8081}"), port(8081, 1));
        assert_eq!(
            said(Yaml, "server.port", "a:\n  port: 1\nserver:\n  x: y\n  port: 8082 # x"),
            port(8082, 5)
        );
        assert_eq!(said(Yaml, "server.port", "server.port: 8083"), port(8083, 1));
        assert_eq!(said(Toml, "dev.port", "port = 1\n[dev]\nport = 8084"), port(8084, 3));
        assert_eq!(said(Text, "port", "\"port\": 4201,"), port(4201, 1));
        assert_eq!(said(Text, "port", "http: [ip: {127, 0, 0, 1}, port: 4002],"), port(4002, 1));
        assert_eq!(said(Text, "bind", "bind = \"0.0.0.0:8001\""), port(8001, 1));
        assert_eq!(said(Text, "port", "export default 3\nsupport: 12"), None);
        let urls = "\"applicationUrl\": \"https://localhost:7001;http://localhost:5001\"";
        assert_eq!(said(Text, "http://localhost", urls), port(5001, 1));
    }

    #[test]
    fn only_the_servers_own_port_is_vites() {
        let vite = |text| said(SettingKind::Vite, "port", text);
        let config = "export default {\n  server: {\n    hmr: { port: 1 },\n    port: 3001,\n    strictPort: true,\n  },\n  preview: { port: 2 },\n}";
        assert_eq!(vite(config), Some((Some(3001), true, 5)));
        assert_eq!(vite("export default { server: { port: 3002 } }"), Some((Some(3002), false, 1)));
        assert_eq!(vite("export default {\n preview: { port: 4000, strictPort: true } }"), None);
        assert_eq!(vite("server: { open: true }, port: 9"), None);
    }
}
