//! A command in a file that listens on every interface.

use super::super::command_lines::{self, Finder};
use super::super::files::Files;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "command-binds-all",
    level: Level::Medium,
    title: "a command listens on every interface",
    why: "whoever starts the project from its own script is open to the network that they are in, on every \
          machine of the team, without having asked for it",
    fix: "127.0.0.1 in the place of 0.0.0.0; with `wharf run --lan` a phone reaches the server for as long \
          as it is wanted",
    sources: &[
        "https://docs.djangoproject.com/en/stable/ref/django-admin/#runserver",
        "https://vite.dev/config/server-options.html#server-host",
    ],
    page: include_str!("../../../../../docs/audit/command-binds-all.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    let Some(finder) = Finder::new() else { return Vec::new() };
    let mut hits = Vec::new();
    for file in files.of(command_lines::KINDS).filter(|file| !file.path.starts_with(".github")) {
        for (number, wide) in command_lines::wide(&finder, file) {
            let what = format!("`{}` listens on every interface", wide.text);
            let fix = format!("write `{}`", wide.mended.trim());
            let line = file.text.lines().nth(number - 1).unwrap_or_default().trim();
            let hit = Hit::new(RULE.level, what, fix).seen(line).at(&file.path, number);
            hits.push(hit.changed(file.change(number, vec![wide.mended])));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_commands_are_told_and_those_of_containers_are_not() {
        let files = Files::made(&[
            (
                "Procfile",
                "# runserver 0.0.0.0:8000\nweb: python manage.py runserver 0.0.0.0:8000\n",
            ),
            ("package.json", "{\"scripts\": {\n\"dev\": \"vite --host\"\n}}"),
            ("Dockerfile", "CMD python manage.py runserver 0.0.0.0:8000"),
            ("compose.yml", "services: {a: {command: runserver 0.0.0.0:8000}}"),
            ("safe.sh", "python manage.py runserver 8000"),
        ]);
        let found: Vec<_> = check(&files)
            .into_iter()
            .map(|hit| (hit.file.unwrap().0, hit.change.unwrap()))
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].1.line, 2);
        assert_eq!(found[0].1.new, ["web: python manage.py runserver 127.0.0.1:8000"]);
        assert_eq!(found[1].1.new, ["\"dev\": \"vite\""]);
    }
}
