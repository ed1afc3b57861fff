//! A compose file that publishes a port on every interface.

use super::super::compose::{self, Published};
use super::super::files::{Files, Kind, SourceFile};
use super::super::finding::{Change, Hit};
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "compose-publishes-all",
    level: Level::High,
    title: "a compose file publishes a port on every interface",
    why: "Docker publishes a port without an address on 0.0.0.0 and [::], and its own firewall rules come before \
          those of ufw and firewalld: whoever is in the same network reaches the container, on every machine on \
          which a team-mate starts the file",
    fix: "put 127.0.0.1 before the port; in a production file put the service behind a proxy instead",
    sources: &[
        "https://docs.docker.com/engine/network/port-publishing/",
        "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    ],
    page: include_str!("../../../../../docs/audit/compose-publishes-all.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in files.of(&[Kind::Compose]) {
        let everywhere =
            compose::published(file, files).into_iter().filter(Published::is_everywhere);
        hits.extend(everywhere.map(|one| hit(file, &one)));
    }
    hits
}

fn hit(file: &SourceFile, one: &Published) -> Hit {
    let what = format!("the service `{}` publishes `{}` on every interface", one.service, one.text);
    let change = change(file, one);
    let fix = match &change {
        Some(change) => format!("write `{}`", change.new.last().map_or("", |line| line.trim())),
        None => "add `host_ip: 127.0.0.1`".to_owned(),
    };
    let line = file.text.lines().nth(one.line - 1).unwrap_or_default();
    Hit::new(Level::High, what, fix).seen(line.trim()).at(&file.path, one.line).changed(change)
}

fn change(file: &SourceFile, one: &Published) -> Option<Change> {
    let line = file.text.lines().nth(one.line.checked_sub(1)?)?;
    if !one.is_long {
        let at = line.find(&one.text)?;
        let rest = one.text.strip_prefix(&format!("{}:", one.address)).unwrap_or(&one.text);
        // A container's port alone has no port of this machine before it.
        let gap = if rest.contains(':') { "" } else { ":" };
        let rest = &line[at + one.text.len() - rest.len()..];
        return file.change(one.line, vec![format!("{}127.0.0.1:{gap}{rest}", &line[..at])]);
    }
    // Only where the key has a line of its own is it certain where another one goes.
    let key = line.trim_start().trim_start_matches("- ");
    let indent = line.len() - key.len();
    let is_alone = key.starts_with("published:") && !key.contains(['{', '}', ',']);
    let added = format!("{}host_ip: 127.0.0.1", " ".repeat(indent));
    let has_address = !one.address.is_empty();
    (is_alone && !has_address)
        .then(|| file.change(one.line, vec![line.to_owned(), added]))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(port: &str) -> Vec<Option<String>> {
        let text = format!("services:\n  db:\n    ports:\n      - {port}\n");
        let new = |hit: Hit| hit.change.map(|change| change.new.join("\n").trim().to_owned());
        check(&Files::made(&[("compose.yml", &text)])).into_iter().map(new).collect()
    }

    #[test]
    fn the_address_goes_before_the_port() {
        for (port, expected) in [
            ("\"5432:5432\"", "- \"127.0.0.1:5432:5432\""),
            ("5432:5432/tcp", "- 127.0.0.1:5432:5432/tcp"),
            ("\"0.0.0.0:80:80\"", "- \"127.0.0.1:80:80\""),
            ("\"[::]:80:80\"", "- \"127.0.0.1:80:80\""),
            ("'80'", "- '127.0.0.1::80'"),
            ("\"${PORT:-80}:80\"", "- \"127.0.0.1:${PORT:-80}:80\""),
            ("target: 80\n        published: 8080", "published: 8080\n        host_ip: 127.0.0.1"),
        ] {
            assert_eq!(mended(port), [Some(expected.to_owned())], "{port}");
        }
        assert_eq!(mended("{ target: 80, published: 8080 }"), [None]);
        assert_eq!(mended("127.0.0.1:80:80"), []);
    }
}
