//! What a project's own code says of its port: whether it reads `PORT`, and which number it names.
//!
//! This reads text, not programs. What it finds is evidence: it decides which port is asked for
//! first and what `explain` says, never whether a server is trusted to be on a port.

use std::path::{Path, PathBuf};

use crate::catalog::Lang;
use crate::folder;

/// How many files of a project are read for it.
const FILES_MAX: usize = 12;

/// What the code says, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Code {
    /// The file and the line that read `PORT`.
    pub(crate) reads: Option<(PathBuf, usize)>,
    /// A port that the code names, with its file and line.
    pub(crate) names: Option<(u16, PathBuf, usize)>,
    /// Whether any file was read.
    pub(crate) seen: bool,
}

/// What the first files that say something say.
pub(crate) fn read(files: &[PathBuf], lang: Lang) -> Code {
    let mut code = Code::default();
    for file in files.iter().take(FILES_MAX) {
        let Some(text) = folder::evidence(file) else {
            continue;
        };
        code.seen = true;
        let (reads, names) = read_text(&text, lang);
        if code.reads.is_none() {
            code.reads = reads.map(|line| (file.clone(), line));
        }
        if code.names.is_none() {
            code.names = names.map(|(port, line)| (port, file.clone(), line));
        }
        if code.reads.is_some() && code.names.is_some() {
            break;
        }
    }
    code
}

/// The files in which a framework's project keeps its entry.
pub(crate) fn entry_files(dir: &Path, globs: &[&str]) -> Vec<PathBuf> {
    let found = globs.iter().flat_map(|glob| folder::find(dir, glob));
    found.filter(|path| path.is_file()).take(FILES_MAX).collect()
}

/// The line that reads `PORT`, and the port that the text names with its line. A port on the
/// reading line is its default, and wins.
fn read_text(text: &str, lang: Lang) -> (Option<usize>, Option<(u16, usize)>) {
    let mut reads = None;
    let mut names = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if is_comment(line, lang) {
            continue;
        }
        if reads.is_none()
            && let Some(rest) = after_reading(line, lang)
        {
            reads = Some(index + 1);
            if let Some(port) = first_port(rest) {
                names = Some((port, index + 1));
            }
        }
        if names.is_none()
            && let Some(port) = if lang == Lang::Any { site(line) } else { named(line) }
        {
            names = Some((port, index + 1));
        }
    }
    (reads, names)
}

fn is_comment(line: &str, lang: Lang) -> bool {
    match lang {
        Lang::Python | Lang::Ruby | Lang::Elixir => line.starts_with('#'),
        Lang::Any => line.starts_with('#'),
        _ => line.starts_with("//") || line.starts_with('*') || line.starts_with("/*"),
    }
}

/// What follows the place where a line reads `PORT`.
fn after_reading(line: &str, lang: Lang) -> Option<&str> {
    let marks: &[&str] = match lang {
        Lang::Js => &["env.PORT", "env['PORT']", "env[\"PORT\"]", "get(\"PORT\")", "get('PORT')"],
        Lang::Python => &["\"PORT\"", "'PORT'"],
        Lang::Ruby => &["ENV[\"PORT\"]", "ENV['PORT']", "fetch(\"PORT\"", "fetch('PORT'"],
        Lang::Any => &["{$PORT"],
        _ => &["\"PORT\""],
    };
    for mark in marks {
        let Some(at) = line.find(mark) else { continue };
        let rest = &line[at + mark.len()..];
        let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let around = &line[..at];
        let environment = match lang {
            Lang::Python => {
                around.contains("environ") || around.contains("getenv") || around.contains("env(")
            }
            Lang::Go => around.contains("Getenv") || around.contains("LookupEnv"),
            Lang::Rust => around.contains("env"),
            _ => true,
        };
        if environment && !goes_on {
            return Some(rest);
        }
    }
    // `const { PORT = 3000 } = process.env`
    let (pattern, _) = line.split_once("= process.env")?;
    (lang == Lang::Js).then(|| pattern.split_once("PORT").map(|(_, rest)| rest)).flatten()
}

/// Texts after which a port follows.
const BEFORE_PORT: &[&str] = &[
    "listen(", "port=", "port =", "port:", "PORT=", "PORT =", "PORT:", "Port =", "Port=", ":port,",
];

/// The port that a line names.
pub(crate) fn named(line: &str) -> Option<u16> {
    for mark in BEFORE_PORT {
        let mut rest = line;
        while let Some(at) = rest.find(mark) {
            let whole = !rest[..at].ends_with(|c: char| c.is_ascii_lowercase())
                || mark.starts_with(|c: char| !c.is_ascii_lowercase() || c == 'l');
            rest = &rest[at + mark.len()..];
            if whole && let Some(port) = leading_port(rest) {
                return Some(port);
            }
        }
    }
    quoted_address(line)
}

/// The port of a Caddyfile's site: `:8080 {`, `http://localhost:8080`.
fn site(line: &str) -> Option<u16> {
    let address = line.split([' ', ',', '{']).next()?;
    port_of(address.rsplit_once(':')?.1)
}

/// A port at the start of a text, perhaps quoted or behind a host: `"0.0.0.0:3000"`, `8080)`.
fn leading_port(text: &str) -> Option<u16> {
    let text = text.trim_start_matches([' ', '"', '\'', '`', '{', '(']);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 && !text[digits..].starts_with(['.', '_']) {
        return port_of(&text[..digits]);
    }
    let host_len = text.find(|c: char| !(c.is_ascii_alphanumeric() || ".[]-_".contains(c)))?;
    let rest = text[host_len..].strip_prefix(':')?;
    let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    port_of(&rest[..len])
}

/// A quoted `":8080"`, `"127.0.0.1:3000"`, or Rust's `([127, 0, 0, 1], 3000)` and
/// `("127.0.0.1", 8080)`.
fn quoted_address(line: &str) -> Option<u16> {
    for part in line.split(['"', '\'']).skip(1).step_by(2) {
        let Some((host, port)) = part.rsplit_once(':') else {
            continue;
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".[]:-*".contains(c);
        if host.chars().all(is_host)
            && !host.ends_with('/')
            && let Some(port) = port_of(port)
        {
            return Some(port);
        }
    }
    for host in
        ["0, 0, 0, 0], ", "127, 0, 0, 1], ", "\"0.0.0.0\", ", "\"127.0.0.1\", ", "\"localhost\", "]
    {
        if let Some((_, rest)) = line.split_once(host)
            && let Some(port) = leading_port(rest)
        {
            return Some(port);
        }
    }
    None
}

/// The first number of a text that is a likely port.
fn first_port(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').find_map(port_of)
}

/// Numbers below 80 in source text are hardly ever ports.
fn port_of(text: &str) -> Option<u16> {
    let plain = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| plain && *port >= 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, lang: Lang) -> (bool, Option<u16>) {
        let (reads, names) = read_text(text, lang);
        (reads.is_some(), names.map(|(port, _)| port))
    }

    #[test]
    fn javascript() {
        let js = |text| reads(text, Lang::Js);
        assert_eq!(js("app.listen(3000)"), (false, Some(3000)));
        assert_eq!(js("app.listen(process.env.PORT || 3001)"), (true, Some(3001)));
        assert_eq!(js("const port = Number(process.env.PORT ?? '4000')"), (true, Some(4000)));
        assert_eq!(js("const { PORT = 3100 } = process.env;"), (true, Some(3100)));
        assert_eq!(js("fastify.listen({ port: 3002, host: '0.0.0.0' })"), (false, Some(3002)));
        assert_eq!(js("// app.listen(1234)\nserver.listen(config.port)"), (false, None));
        assert_eq!(js("import x from 'y'; const exported = 3000"), (false, None));
        assert_eq!(js("process.env.PORTAL || 3000"), (false, None));
    }

    #[test]
    fn other_languages() {
        assert_eq!(reads("app.run(debug=True, port=5001)", Lang::Python), (false, Some(5001)));
        assert_eq!(
            reads("port = int(os.environ.get(\"PORT\", 5002))", Lang::Python),
            (true, Some(5002))
        );
        assert_eq!(reads("app.listen(8888)", Lang::Python), (false, Some(8888)));
        let go = "port := os.Getenv(\"PORT\")\nif port == \"\" {\n port = \"8081\"\n}";
        assert_eq!(reads(go, Lang::Go), (true, Some(8081)));
        assert_eq!(reads("http.ListenAndServe(\":8080\", nil)", Lang::Go), (false, Some(8080)));
        let rust = "let port = env::var(\"PORT\").unwrap_or_else(|_| \"3000\".to_owned());";
        assert_eq!(reads(rust, Lang::Rust), (true, Some(3000)));
        assert_eq!(reads("TcpListener::bind(\"0.0.0.0:3003\")", Lang::Rust), (false, Some(3003)));
        assert_eq!(reads(".bind((\"127.0.0.1\", 8085))?", Lang::Rust), (false, Some(8085)));
        assert_eq!(
            reads("SocketAddr::from(([127, 0, 0, 1], 3004))", Lang::Rust),
            (false, Some(3004))
        );
        assert_eq!(reads(":{$PORT:8080} {", Lang::Any), (true, Some(8080)));
        assert_eq!(reads("set :port, 4568", Lang::Ruby), (false, Some(4568)));
        assert_eq!(reads("let t = \"12:30\"; let v = \"1:2\";", Lang::Rust), (false, None));
    }
}
