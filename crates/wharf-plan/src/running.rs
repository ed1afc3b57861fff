//! Which framework a process runs, by the words of its command line as the kernel has them.

use std::ffi::OsString;
use std::path::Path;

use crate::catalog::{self, Framework};
use crate::{detect, folder, subproject, unwrap};

/// Where JavaScript packages keep what they start.
const PACKAGES: &str = "node_modules/";
/// Endings that a package's file has and its command has not.
const SCRIPT_ENDINGS: [&str; 3] = [".js", ".mjs", ".cjs"];

/// The framework of a process with this command line and working folder; `None` where the catalog knows
/// none. Files of the project are read where the command alone does not say it, nothing is started.
pub fn running(argv: &[OsString], dir: &Path) -> Option<&'static Framework> {
    let words = spoken(argv)?;
    if let Some(found) = titled(&words[0]) {
        return Some(found);
    }
    let commands = unwrap::unwrap(&words, dir).ok()?;
    commands.into_iter().rev().find_map(|mut command| {
        if let Some(dir) = subproject::dir(&command) {
            command.dir = dir;
        }
        detect::detect(&command).map(|found| found.framework)
    })
}

/// The words as a person would have typed them. What a program has put in the place of its command line is one
/// word with spaces in it, and may begin with a name and a colon: `gunicorn: master [shop]`.
fn spoken(argv: &[OsString]) -> Option<Vec<OsString>> {
    let filled: Vec<&OsString> = argv.iter().filter(|word| !word.is_empty()).collect();
    let words: Vec<String> = match filled[..] {
        [] => return None,
        [title] => title.to_string_lossy().split_whitespace().map(str::to_owned).collect(),
        // The end of a title is filled with empty words.
        _ => argv.iter().map(|word| typed(&word.to_string_lossy())).collect(),
    };
    let mut words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let first = words.first()?.to_str()?.trim_end_matches(':').to_owned();
    words[0] = first.into();
    Some(words)
}

/// `/srv/shop/node_modules/@angular/cli/bin/ng.js` is `ng`.
fn typed(word: &str) -> String {
    let of_package = word.starts_with(PACKAGES) || word.contains(&format!("/{PACKAGES}"));
    let ending = SCRIPT_ENDINGS.iter().find(|ending| of_package && word.ends_with(*ending));
    ending.map_or(word, |ending| &word[..word.len() - ending.len()]).to_owned()
}

fn titled(word: &OsString) -> Option<&'static Framework> {
    let word = word.to_str()?;
    let fits = |framework: &&Framework| {
        framework.detect.titles.iter().any(|title| folder::matches(word, title))
    };
    catalog::all().iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(argv: &[&str], dir: &Path) -> Option<&'static str> {
        let words: Vec<OsString> = argv.iter().map(OsString::from).collect();
        running(&words, dir).map(|framework| framework.id)
    }

    #[test]
    fn processes_are_known_as_the_kernel_shows_them() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let bin = "/srv/shop/node_modules/.bin";
        for (argv, expected) in [
            (&["/usr/bin/python3", "manage.py", "runserver", "8000"][..], "django-runserver"),
            (&["/usr/bin/python3.11", "-m", "http.server", "8000"], "python-http-server"),
            (&["/venv/bin/python", "/venv/bin/uvicorn", "app:app"], "uvicorn"),
            (&["/venv/bin/python3", "/venv/bin/gunicorn", "app:app"], "gunicorn"),
            (&["gunicorn: master [app:app]"], "gunicorn"),
            (&["gunicorn: worker [app:app]", "", "", ""], "gunicorn"),
            (&["node", &format!("{bin}/vite")], "vite"),
            (&["node", "/srv/shop/node_modules/vite/bin/vite.js", "--host"], "vite"),
            (&["/usr/bin/node", "/srv/shop/node_modules/next/dist/bin/next", "dev"], "nextjs"),
            (&["next-server (v15.5.4)"], "nextjs"),
            (&["nginx: master process nginx -c /etc/nginx.conf"], "nginx"),
            (&["redis-server 127.0.0.1:6379"], "redis"),
            (&["/usr/lib/postgresql/15/bin/postgres", "-D", "/srv/data"], "postgresql"),
            (&["puma 6.4.2 (tcp://127.0.0.1:3000) [shop]"], "puma"),
            (&["ng serve"], "angular"),
        ] {
            assert_eq!(id(argv, dir), Some(expected), "{argv:?}");
        }
    }

    #[test]
    fn what_runs_a_script_is_known_by_the_projects_files() {
        let dir = tempfile::tempdir().unwrap();
        let package = r#"{"scripts": {"dev": "vite"}}"#;
        std::fs::write(dir.path().join("package.json"), package).unwrap();
        assert_eq!(id(&["npm run dev"], dir.path()), Some("vite"));
        assert_eq!(id(&["npm", "run", "dev"], dir.path()), Some("vite"));
    }

    #[test]
    fn others_are_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        for argv in [
            &[][..],
            &["", ""],
            &["/usr/sbin/sshd", "-D"],
            &["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"],
            &["/usr/bin/python3", "tool.py"],
            &["vite", "build"],
            &["zsh"],
        ] {
            assert_eq!(id(argv, dir.path()), None, "{argv:?}");
        }
    }
}
