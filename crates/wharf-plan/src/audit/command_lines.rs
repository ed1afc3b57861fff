//! Commands as they stand in a project's files: lines that bind every interface.

use regex_lite::Regex;

use super::files::{Kind, SourceFile};

/// Files whose lines are commands that run on this machine. What runs in a container has to listen on all of
/// *its* interfaces: Docker decides who gets in.
pub(super) const KINDS: &[Kind] = &[Kind::Package, Kind::Commands, Kind::Settings, Kind::Dotenv];

/// A place in a line where a command is told to listen everywhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wide {
    /// What says so.
    pub(super) text: String,
    /// The line without it.
    pub(super) mended: String,
}

/// Finds such places.
pub(super) struct Finder {
    runserver: Regex,
    flag: Regex,
    variable: Regex,
    bare: Regex,
}

impl Finder {
    /// The patterns are constants: that they are good is a matter of the tests.
    pub(super) fn new() -> Option<Finder> {
        let all = r"(?:0\.0\.0\.0|\[::\]|::)";
        let pattern = |text: String| Regex::new(&text).ok();
        Some(Finder {
            runserver: pattern(format!(r"\b(runserver(?:_plus)?\s+)({all}|0)(:[0-9]+)"))?,
            flag: pattern(format!(
                r#"((?:^|[\s"'\[,])(?:--?(?:host|hostname|bind|ip|address|addr|listen|http-host|server\.address)|-b|-H|-S|-l)(?:[ =]|['"],\s*['"])(?:tcp://)?["']?)({all})([:"'\s\],]|$)"#
            ))?,
            variable: pattern(format!(
                r#"(\b(?:HOST|HOSTNAME|BIND|BIND_ADDRESS|FLASK_RUN_HOST|SERVER_HOST|LISTEN_ADDRESS|UVICORN_HOST|NITRO_HOST)=["']?)({all})\b?(["'\s]|$)"#
            ))?,
            bare: pattern(
                r#"(\b(?:vite|astro|nuxi|nuxt|vue-cli-service|vitepress|storybook)\b[^&|;"']*?)(\s--host)(\s*(?:["'&|;]|$|--))"#
                    .to_owned(),
            )?,
        })
    }

    pub(super) fn find(&self, line: &str) -> Option<Wide> {
        if !["0.0.0.0", "::", "--host", "runserver 0:"].iter().any(|mark| line.contains(mark)) {
            return None;
        }
        for pattern in [&self.runserver, &self.flag, &self.variable] {
            if let Some(found) = pattern.captures(line) {
                let address = found.get(2)?;
                let local = if address.as_str().contains("::") { "[::1]" } else { "127.0.0.1" };
                // An address of IPv6 stands in brackets only where a port may follow.
                let local = if address.as_str() == "::" { "::1" } else { local };
                let (head, tail) = (&line[..address.start()], &line[address.end()..]);
                let whole = found.get(0)?.as_str().trim();
                return Some(Wide {
                    text: whole.trim_matches(['"', '\'', ',', '[', ']']).to_owned(),
                    mended: format!("{head}{local}{tail}"),
                });
            }
        }
        let found = self.bare.captures(line)?;
        let flag = found.get(2)?;
        let mended = format!("{}{}", &line[..flag.start()], &line[flag.end()..]);
        Some(Wide { text: format!("{} --host", found.get(1)?.as_str().trim()), mended })
    }
}

/// The lines of a file that do so.
pub(super) fn wide<'a>(
    finder: &'a Finder,
    file: &'a SourceFile,
) -> impl Iterator<Item = (usize, Wide)> + 'a {
    file.lines().filter_map(move |(number, line)| Some((number, finder.find(line)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<(String, String)> {
        let wide = Finder::new().expect("the patterns are good").find(line)?;
        Some((wide.text, wide.mended))
    }

    #[test]
    fn what_listens_everywhere_is_found_and_mended() {
        for (line, text, mended) in [
            (
                "web: python manage.py runserver 0.0.0.0:8000",
                "runserver 0.0.0.0:8000",
                "web: python manage.py runserver 127.0.0.1:8000",
            ),
            ("x runserver 0:8000", "runserver 0:8000", "x runserver 127.0.0.1:8000"),
            (
                "  \"dev\": \"next dev --hostname 0.0.0.0 -p 3000\",",
                "--hostname 0.0.0.0",
                "  \"dev\": \"next dev --hostname 127.0.0.1 -p 3000\",",
            ),
            (
                "uvicorn app:app --host=0.0.0.0 --port 80",
                "--host=0.0.0.0",
                "uvicorn app:app --host=127.0.0.1 --port 80",
            ),
            ("gunicorn -b 0.0.0.0:8000 x", "-b 0.0.0.0:", "gunicorn -b 127.0.0.1:8000 x"),
            ("php -S 0.0.0.0:8000", "-S 0.0.0.0:", "php -S 127.0.0.1:8000"),
            ("puma -b tcp://0.0.0.0:9292", "-b tcp://0.0.0.0:", "puma -b tcp://127.0.0.1:9292"),
            ("uvicorn --host :: x", "--host ::", "uvicorn --host ::1 x"),
            ("HOST=0.0.0.0 npm start", "HOST=0.0.0.0", "HOST=127.0.0.1 npm start"),
            ("  \"dev\": \"vite --host\",", "vite --host", "  \"dev\": \"vite\","),
            (
                "  \"dev\": \"vite --host --port 3000\",",
                "vite --host",
                "  \"dev\": \"vite --port 3000\",",
            ),
            (
                "  \"args\": [\"runserver\", \"--host\", \"0.0.0.0\"]",
                "--host\", \"0.0.0.0",
                "  \"args\": [\"runserver\", \"--host\", \"127.0.0.1\"]",
            ),
        ] {
            assert_eq!(found(line), Some((text.to_owned(), mended.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_does_not_is_not() {
        for line in [
            "runserver 127.0.0.1:8000",
            "runserver 8000",
            "vite --host 127.0.0.1",
            "vite --host localhost",
            "curl -H 'Host: x' http://0.0.0.0:8000",
            "docker run --add-host a:0.0.0.0",
            "ssh --hosting",
            "GHOST=0.0.0.0x",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
