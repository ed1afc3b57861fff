//! nginx has no flag and no variable for its port: it gets a copy of its configuration with another
//! `listen`, in the instance's own folder. The user's file is never changed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use wharf_model::Step;
use wharf_model::plan::{DerivedFile, FILE_HOST, FILE_PORT};

use crate::command::{Command, Place, Word};
use crate::folder;

use merged::Merged;

mod merged;

/// A configuration file that takes the place of the user's.
#[derive(Debug)]
pub(crate) struct Derived {
    /// The file.
    pub(crate) file: DerivedFile,
    /// The flag that names it.
    pub(crate) flag: &'static str,
    /// The flag's value, or the word that replaces the user's.
    pub(crate) template: String,
    /// Where it goes in the command.
    pub(crate) at: At,
    /// The port that the user's file names.
    pub(crate) port: u16,
    /// What was done.
    pub(crate) step: Step,
}

/// Where the name of a derived file goes in the command.
#[derive(Debug)]
pub(crate) enum At {
    /// In place of the word that names the user's.
    Instead(Place),
    /// Before a word of the typed command.
    Before(usize),
    /// At the end.
    End,
}

/// Directives whose path is relative to the folder of the configuration; all others are relative to
/// nginx's prefix, which stays.
const BESIDE_CONFIG: &[&str] = &[
    "include",
    "auth_basic_user_file",
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_client_certificate",
    "ssl_trusted_certificate",
    "ssl_dhparam",
    "ssl_crl",
    "ssl_password_file",
    "ssl_session_ticket_key",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_ssl_trusted_certificate",
    "grpc_ssl_certificate",
    "grpc_ssl_certificate_key",
    "uwsgi_ssl_certificate",
    "uwsgi_ssl_certificate_key",
];

/// Derives the configuration for a command that starts nginx.
pub(crate) fn derive(command: &Command) -> Result<Derived, Step> {
    let prefix = value(&command.words, "-p").map(|(path, _)| command.dir.join(path));
    let named = value(&command.words, "-c");
    let path =
        config_path(&command.dir, prefix.as_deref(), named.as_ref().map(|(p, _)| p.as_str()));
    let Some((path, text)) = path.and_then(|path| Some((path.clone(), folder::evidence(&path)?)))
    else {
        return Err(Step::new("nginx.conf", "not found: its port cannot be replaced"));
    };
    let shown = folder::shown(&path, &command.dir);
    let beside = path.parent().unwrap_or(&command.dir);
    let foreground = value(&command.words, "-g").is_some_and(|(text, _)| text.contains("daemon"));
    let merged = Merged::of(&path, &text, beside);
    let Some((contents, port, first)) = rewritten(&merged.text, beside, !foreground) else {
        return Err(Step::new(shown, "has no `listen` with a port: nothing is replaced"));
    };
    let (file, line) = merged.place(first).unwrap_or((&path, 1));
    let step = Step::new(
        format!("{}:{line}", folder::shown(file, &command.dir)),
        format!("listens on {port}: a copy gets the leased port"),
    );
    let glued = named.as_ref().is_some_and(|(_, word)| word.text.starts_with("-c"));
    Ok(Derived {
        file: DerivedFile { name: "nginx.conf".to_owned(), contents },
        flag: "-c",
        template: format!("{}{{files}}/nginx.conf", if glued { "-c" } else { "" }),
        at: named.map_or(At::End, |(_, word)| At::Instead(word.place)),
        port,
        step,
    })
}

/// The value of a one-letter flag and the word that holds it.
fn value(words: &[Word], flag: &str) -> Option<(String, Word)> {
    for (index, word) in words.iter().enumerate() {
        match word.text.strip_prefix(flag) {
            Some("") => {
                return words.get(index + 1).map(|next| (next.text.clone(), next.clone()));
            }
            Some(rest) => return Some((rest.to_owned(), word.clone())),
            None => {}
        }
    }
    None
}

/// The configuration that nginx would read, or that the folder evidently means.
fn config_path(dir: &Path, prefix: Option<&Path>, named: Option<&str>) -> Option<PathBuf> {
    let base = prefix.unwrap_or(dir);
    let candidates = match named {
        Some(name) => vec![base.join(name)],
        None => {
            vec![base.join("nginx.conf"), base.join("conf/nginx.conf"), base.join("etc/nginx.conf")]
        }
    };
    candidates.into_iter().find(|path| path.is_file())
}

/// A directive of the configuration: its words with their places, and the block depth.
struct Directive<'a> {
    words: Vec<(&'a str, Range<usize>)>,
    whole: Range<usize>,
    server: usize,
}

/// Whether a directive says where to listen.
fn is_listen(directive: &Directive<'_>) -> bool {
    directive.words.len() > 1 && directive.words[0].0 == "listen"
}

/// The text with the first `listen`'s port replaced wherever it is listened on, the port, and where
/// that first one stands. Within one server a second `listen` of the same port (for IPv6) would be a duplicate.
fn rewritten(text: &str, beside: &Path, add_foreground: bool) -> Option<(String, u16, usize)> {
    let directives = directives(text);
    let listens: Vec<(&Directive<'_>, u16)> = directives
        .iter()
        .filter(|directive| is_listen(directive))
        .filter_map(|d| Some((d, listen_port(d.words[1].0)?)))
        .collect();
    let (first, port) = listens.first().map(|(d, port)| (*d, *port))?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut servers: Vec<usize> = Vec::new();
    for (directive, _) in listens.iter().filter(|(_, other)| *other == port) {
        if servers.contains(&directive.server) {
            edits.push((directive.whole.clone(), String::new()));
            continue;
        }
        servers.push(directive.server);
        edits.push((directive.words[1].1.clone(), format!("{FILE_HOST}:{FILE_PORT}")));
        for (word, span) in &directive.words[2..] {
            if word.starts_with("ipv6only") {
                edits.push((span.clone(), String::new()));
            }
        }
    }
    for directive in &directives {
        if let [(name, _), (path, span), ..] = directive.words.as_slice()
            && BESIDE_CONFIG.contains(name)
            && let Some(absolute) = absolute(path, beside)
        {
            edits.push((span.clone(), absolute));
        }
    }
    let first = first.whole.start;
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut out = text.to_owned();
    for (span, new) in edits {
        out.replace_range(span, &new);
    }
    if add_foreground
        && !directives.iter().any(|d| d.words.first().is_some_and(|w| w.0 == "daemon"))
    {
        // Else nginx leaves its starter, and with it whoever watches over it.
        out.insert_str(0, "daemon off;\n");
    }
    Some((out, port, first))
}

/// A relative path as an absolute one in quotes; `None` if it is absolute, or variable.
fn absolute(path: &str, beside: &Path) -> Option<String> {
    let bare = path.trim_matches(['"', '\'']);
    if bare.is_empty() || bare.starts_with('/') || bare.contains(['$', ':']) {
        return None;
    }
    let full = beside.join(bare).into_os_string().into_string().ok()?;
    (!full.contains(['"', '\\'])).then(|| format!("\"{full}\""))
}

/// The port of a `listen`: `8080`, `*:8080`, `0.0.0.0:8080`, `[::]:8080`, or a host, which is 80.
fn listen_port(word: &str) -> Option<u16> {
    let word = word.trim_matches(['"', '\'']);
    if word.starts_with("unix:") || word.contains('$') {
        return None;
    }
    if let Ok(port) = word.parse::<u16>() {
        return (port != 0).then_some(port);
    }
    let after_brackets = word.rfind(']').unwrap_or(0);
    match word[after_brackets..].rsplit_once(':') {
        Some((_, port)) => port.parse().ok().filter(|port| *port != 0),
        None => Some(80),
    }
}

/// The directives of a configuration, in order. The number of a server counts blocks, so that it
/// tells apart which block a directive stands in.
fn directives(text: &str) -> Vec<Directive<'_>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut words: Vec<(&str, Range<usize>)> = Vec::new();
    let mut blocks = vec![0usize];
    let mut count = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at += text[at..].find('\n').unwrap_or(bytes.len() - at),
            b'{' | b';' | b'}' => {
                if bytes[at] == b'{' {
                    count += 1;
                    blocks.push(count);
                    words.clear();
                } else if bytes[at] == b'}' {
                    blocks.pop();
                    words.clear();
                } else if let Some(first) = words.first() {
                    let whole = first.1.start..at + 1;
                    let server = blocks.last().copied().unwrap_or(0);
                    out.push(Directive { words: std::mem::take(&mut words), whole, server });
                }
                at += 1;
            }
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            quote @ (b'"' | b'\'') => {
                let len = bytes[at + 1..].iter().position(|b| *b == quote);
                let end = len.map_or(bytes.len(), |len| at + len + 2);
                words.push((&text[at..end], at..end));
                at = end;
            }
            _ => {
                let ends = |b: &u8| b" \t\r\n;{}".contains(b);
                // `${name}` belongs to the word.
                let mut end = at;
                while end < bytes.len() && (!ends(&bytes[end]) || variable_brace(bytes, at, end)) {
                    end += 1;
                }
                words.push((&text[at..end], at..end));
                at = end;
            }
        }
    }
    out
}

/// Whether a brace within a word is that of a `${name}`.
fn variable_brace(bytes: &[u8], word: usize, at: usize) -> bool {
    match bytes[at] {
        b'{' => at > word && bytes[at - 1] == b'$',
        b'}' => bytes[word..at].windows(2).any(|pair| pair == b"${"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(text: &str) -> String {
        rewritten(text, Path::new("/shop/conf"), false).map(|(text, ..)| text).unwrap_or_default()
    }

    #[test]
    fn every_listen_of_the_first_port_is_replaced() {
        let text = "http { # listen 1;\n server { listen 8080 default_server; listen [::]:8080 ipv6only=on; }\n server { listen *:8080; }\n server { listen 127.0.0.1:9000; listen unix:/x; } }";
        let expected = "http { # listen 1;\n server { listen @@WHARF_HOST@@:@@WHARF_PORT@@ default_server;  }\n server { listen @@WHARF_HOST@@:@@WHARF_PORT@@; }\n server { listen 127.0.0.1:9000; listen unix:/x; } }";
        assert_eq!(changed(text), expected);
        assert_eq!(
            rewritten("\nserver { listen\n0.0.0.0:81; }", Path::new("/"), false)
                .map(|r| (r.1, r.2)),
            Some((81, 10))
        );
    }

    #[test]
    fn relative_paths_keep_their_folder() {
        let text = "include mime.types; root html; ssl_certificate \"a b.pem\"; include /abs; server { listen 80; set $x ${y}; }";
        let expected = "include \"/shop/conf/mime.types\"; root html; ssl_certificate \"/shop/conf/a b.pem\"; include /abs; server { listen @@WHARF_HOST@@:@@WHARF_PORT@@; set $x ${y}; }";
        assert_eq!(changed(text), expected);
    }

    #[test]
    fn the_forms_of_listen() {
        for (word, port) in [
            ("80", Some(80)),
            ("localhost", Some(80)),
            ("[::1]:81", Some(81)),
            ("[::1]", Some(80)),
            ("unix:/x", None),
            ("0", None),
            ("$port", None),
        ] {
            assert_eq!(listen_port(word), port, "{word}");
        }
    }

    #[test]
    fn it_stays_in_the_foreground() {
        let out = rewritten("server { listen 80; }", Path::new("/"), true).unwrap().0;
        assert!(out.starts_with("daemon off;\n"));
        let out = rewritten("daemon on; server { listen 80; }", Path::new("/"), true).unwrap().0;
        assert!(out.starts_with("daemon on;"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(listen|[a-z0-9 :;{}#'\"$\\[\\]é\n]){0,40}") {
            let _ = rewritten(&text, Path::new("/x"), true);
        }
    }
}
