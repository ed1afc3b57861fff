//! What a project depends on, by the manifests of its language. They are read as text: a name in
//! the right place is enough, and a manifest that does not parse must not hide a framework.

use std::path::{Path, PathBuf};

use crate::catalog::Lang;
use crate::folder;
use crate::package::Package;

/// How far up a manifest is looked for.
const LEVELS_MAX: usize = 6;

/// A dependency and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// Its name, as the catalog spells it.
    pub(crate) name: &'static str,
    /// The manifest.
    pub(crate) file: PathBuf,
}

/// The first of some packages that a project depends on.
pub(crate) fn first(dir: &Path, lang: Lang, names: &[&'static str]) -> Option<Dependency> {
    Near::new(dir).first(lang, names)
}

/// The manifests that speak of a folder, each language's read once.
pub(crate) struct Near<'a> {
    dir: &'a Path,
    read: Vec<(Lang, Manifests)>,
}

/// Those of one language.
enum Manifests {
    Package(Option<Package>),
    Texts(Vec<(PathBuf, String)>),
}

impl<'a> Near<'a> {
    /// None is read yet.
    pub(crate) fn new(dir: &'a Path) -> Near<'a> {
        Near { dir, read: Vec::new() }
    }

    /// The first of some packages that they name.
    pub(crate) fn first(&mut self, lang: Lang, names: &[&'static str]) -> Option<Dependency> {
        if names.is_empty() {
            return None;
        }
        match self.manifests(lang) {
            Manifests::Package(package) => {
                let package = package.as_ref()?;
                let name = names.iter().find(|name| package.depends_on(name))?;
                Some(Dependency { name, file: package.dir.join("package.json") })
            }
            Manifests::Texts(texts) => texts.iter().find_map(|(file, text)| {
                let name = names.iter().find(|name| lists(lang, file, text, name))?;
                Some(Dependency { name, file: file.clone() })
            }),
        }
    }

    fn manifests(&mut self, lang: Lang) -> &Manifests {
        let at = self.read.iter().position(|(known, _)| *known == lang).unwrap_or_else(|| {
            let manifests = match lang {
                Lang::Js => Manifests::Package(Package::nearest(self.dir).ok().flatten()),
                _ => Manifests::Texts(texts(self.dir, lang)),
            };
            self.read.push((lang, manifests));
            self.read.len() - 1
        });
        &self.read[at].1
    }
}

/// What the nearest folder with manifests says in them; none beyond a project's root.
fn texts(dir: &Path, lang: Lang) -> Vec<(PathBuf, String)> {
    let globs = manifests(lang);
    for folder in dir.ancestors().take(LEVELS_MAX) {
        let files: Vec<PathBuf> =
            globs.iter().flat_map(|glob| folder::find(folder, glob)).collect();
        if !files.is_empty() || folder.join(".git").exists() {
            let text = |file: PathBuf| Some((folder::evidence(&file)?, file));
            return files.into_iter().filter_map(text).map(|(text, file)| (file, text)).collect();
        }
    }
    Vec::new()
}

/// The manifests of a language, as globs.
fn manifests(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Python => &[
            "requirements*.txt",
            "requirements/*.txt",
            "pyproject.toml",
            "Pipfile",
            "setup.py",
            "setup.cfg",
            "environment.yml",
        ],
        Lang::Js => &["package.json"],
        Lang::Java | Lang::Kotlin => &[
            "pom.xml",
            "build.gradle",
            "build.gradle.kts",
            "gradle/libs.versions.toml",
            "app/build.gradle",
            "app/build.gradle.kts",
        ],
        Lang::Scala => &["build.sbt", "project/plugins.sbt"],
        Lang::Ruby => &["Gemfile", "Gemfile.lock", "gems.rb"],
        Lang::Php => &["composer.json"],
        Lang::Go => &["go.mod"],
        Lang::Rust => &["Cargo.toml"],
        Lang::Elixir => &["mix.exs"],
        Lang::Dotnet => &["*.csproj", "*.fsproj"],
        Lang::Any => &[],
    }
}

fn lists(lang: Lang, file: &Path, text: &str, name: &str) -> bool {
    match lang {
        Lang::Python => python(file, text, name),
        Lang::Rust => text.lines().any(|line| rust(line.trim(), name)),
        Lang::Ruby => {
            let quoted = [format!("\"{name}\""), format!("'{name}'"), format!("    {name} (")];
            text.lines().filter(|l| !l.trim().starts_with('#')).any(|line| {
                quoted.iter().any(|quoted| line.contains(quoted)) || line.trim() == name
            })
        }
        Lang::Elixir => text.contains(&format!(":{name},")) || text.contains(&format!(":{name} ")),
        _ => text.contains(name),
    }
}

/// `name = …`, `name.workspace = true` or `[dependencies.name]`.
fn rust(line: &str, name: &str) -> bool {
    let table = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
    match (table, line.strip_prefix(name)) {
        (Some(table), _) => table.rsplit_once("dependencies.").is_some_and(|(_, n)| n == name),
        (None, Some(rest)) => rest.starts_with(['.', '=']) || rest.trim_start().starts_with('='),
        (None, None) => false,
    }
}

/// A requirement's name ends where its extras, its version or its marker begins; case does not
/// count, and `_` is `-` (PEP 503).
fn python(file: &Path, text: &str, name: &str) -> bool {
    let plain_list =
        file.extension().is_some_and(|extension| extension == "txt" || extension == "yml");
    let wanted = normal(name);
    text.lines().any(|line| {
        let line = line.trim().trim_start_matches("- ");
        if line.starts_with('#') {
            return false;
        }
        if plain_list {
            return requires(line, &wanted);
        }
        // A list of quoted requirements, or poetry's and pipenv's `name = version`.
        let quoted = line.split(['"', '\'']).skip(1).step_by(2).any(|text| requires(text, &wanted));
        quoted || line.split_once('=').is_some_and(|(key, _)| normal(key.trim()) == wanted)
    })
}

fn requires(requirement: &str, wanted: &str) -> bool {
    let requirement = normal(requirement.trim());
    if wanted.ends_with(']') {
        return requirement.starts_with(wanted);
    }
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    requirement.split(|c| !name(c)).next() == Some(wanted)
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Whether a source file imports a package.
pub(crate) fn imports(lang: Lang, text: &str, name: &str) -> bool {
    match lang {
        Lang::Python => {
            let module = name.replace('-', "_");
            text.lines().any(|line| {
                let line = line.trim();
                let rest = line.strip_prefix("import ").or_else(|| line.strip_prefix("from "));
                rest.is_some_and(|rest| {
                    rest.split([' ', '.', ',', ';']).next() == Some(module.as_str())
                })
            })
        }
        Lang::Js => ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{name}{quote}"))),
        Lang::Ruby => text.contains(&format!("'{name}")) || text.contains(&format!("\"{name}")),
        _ => text.contains(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python_lists(file: &str, text: &str, name: &str) -> bool {
        lists(Lang::Python, Path::new(file), text, name)
    }

    #[test]
    fn python_requirements_in_every_spelling() {
        let list = "requirements.txt";
        assert!(python_lists(list, "Flask==3.1\n", "flask"));
        assert!(python_lists(list, "fastapi[standard]>=0.1", "fastapi[standard]"));
        assert!(python_lists(list, "fastapi[standard]>=0.1", "fastapi"));
        assert!(python_lists(list, "django_extensions ; x", "django-extensions"));
        assert!(!python_lists(list, "flask-cors\n# flask\n", "flask"));
        let project = "pyproject.toml";
        assert!(python_lists(project, "dependencies = [\"flask>=3\", 'uvicorn']", "uvicorn"));
        assert!(python_lists(project, "Flask = \"^3\"", "flask"));
        assert!(!python_lists(project, "name = \"my-flask-app\"", "flask"));
    }

    #[test]
    fn rust_and_ruby_dependencies() {
        assert!(rust("axum = \"0.8\"", "axum") && rust("axum.workspace = true", "axum"));
        assert!(rust("[dependencies.axum]", "axum") && !rust("axum-extra = \"1\"", "axum"));
        let gemfile = Path::new("Gemfile");
        assert!(lists(Lang::Ruby, gemfile, "gem \"puma\", \">= 5\"", "puma"));
        assert!(!lists(Lang::Ruby, gemfile, "# gem \"puma\"", "puma"));
    }

    #[test]
    fn imports_are_whole_names() {
        assert!(imports(Lang::Python, "from flask import Flask", "flask"));
        assert!(!imports(Lang::Python, "import flask_cors", "flask"));
        assert!(imports(Lang::Js, "const x = require('express')", "express"));
    }
}
