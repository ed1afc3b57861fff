//! Which framework a command runs.

use std::path::{Path, PathBuf};

use wharf_model::Step;

use crate::catalog::{self, By, Framework, Lang};
use crate::command::{Command, Layer, LayerKind, Word, program_name};
use crate::deps;
use crate::folder;
use crate::package::Package;

/// A framework, recognised in a command.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    /// The framework.
    pub(crate) framework: &'static Framework,
    /// The index of the program's word.
    pub(crate) start: usize,
    /// The index after the last word that the pattern matched.
    pub(crate) end: usize,
    /// Whether it was recognised by a script's text, not by a command.
    pub(crate) by_code: bool,
    /// Whether the flags of the entry belong to this command.
    pub(crate) takes_args: bool,
    /// The file that holds the project's own code, if it is known.
    pub(crate) entry: Option<PathBuf>,
    /// Why.
    pub(crate) step: Step,
}

impl Match {
    /// How the port reaches the program in this command.
    pub(crate) fn by(&self) -> By {
        let inject = &self.framework.inject;
        match inject.else_by {
            Some(by) if self.by_code || !self.takes_args => by,
            _ => inject.by,
        }
    }
}

/// Recognises the framework of a command, from its innermost program outwards.
pub(crate) fn detect(command: &Command) -> Option<Match> {
    if command.several.is_some() {
        return None;
    }
    let mut near = deps::Near::new(&command.dir);
    for layer in command.layers.iter().rev() {
        let words = command.from(*layer);
        if let Some(found) = by_pattern(command, &mut near, *layer, words) {
            return Some(found);
        }
        let script = match layer.kind {
            LayerKind::Script(lang) => Some((lang, script_file(&command.dir, &words[0].text))),
            LayerKind::Module => Some((Lang::Python, module_file(&command.dir, &words[0].text))),
            LayerKind::Program => None,
        };
        if let Some((lang, Some(file))) = script
            && let Some(found) = by_code(command, &mut near, *layer, lang, file)
        {
            return Some(found);
        }
    }
    None
}

/// The file of a script, which node finds without its ending, in a folder, and by a package's
/// `main` (`node .`).
pub(crate) fn script_file(dir: &Path, script: &str) -> Option<PathBuf> {
    let path = dir.join(script);
    if path.is_file() {
        return Some(path);
    }
    if let Ok(Some(package)) = Package::in_folder(&path)
        && path.join(&package.main).is_file()
    {
        return Some(path.join(&package.main));
    }
    let glob = "{.js,.mjs,.cjs,.ts,/index.js,/index.mjs,/index.cjs,/index.ts}";
    folder::find(dir, &format!("{}{glob}", script.trim_end_matches('/'))).into_iter().next()
}

/// The file of a Python module.
pub(crate) fn module_file(dir: &Path, module: &str) -> Option<PathBuf> {
    let path = module.replace('.', "/");
    let glob = format!("{path}{{.py,/__main__.py,/__init__.py}}");
    folder::find(dir, &glob).into_iter().next()
}

/// How well a pattern fits, and where it ends.
struct Fit {
    words: usize,
    end: usize,
}

/// Whether a word pattern fits words. Between a pattern's words, flags and their values are
/// skipped (`flask --app x run`); `...` skips anything (`mvn -q clean spring-boot:run`).
fn fit(pattern: &[&str], words: &[Word]) -> Option<Fit> {
    let (first, rest) = pattern.split_first()?;
    let program = &words.first()?.text;
    let fits = match first.contains('/') {
        true => program == first || program.ends_with(&format!("/{first}")),
        false => folder::matches(program_name(program), first),
    };
    if !fits {
        return None;
    }
    let mut at = 1;
    let mut anything = false;
    let mut after_flag = false;
    for part in rest {
        if *part == "..." {
            anything = true;
            continue;
        }
        loop {
            let text = words.get(at)?.text.as_str();
            at += 1;
            if folder::matches(text, part) {
                break;
            }
            let flag = text.len() > 1 && text.starts_with('-');
            if !(anything || flag || after_flag) {
                return None;
            }
            after_flag = flag && !text.contains('=');
        }
        after_flag = false;
    }
    let words = pattern.iter().filter(|part| **part != "...").count();
    Some(Fit { words, end: at })
}

fn fits_any(patterns: &[&[&str]], words: &[Word]) -> Option<Fit> {
    let fits = patterns.iter().filter_map(|pattern| fit(pattern, words));
    fits.max_by_key(|fit| fit.words)
}

fn by_pattern(
    command: &Command,
    near: &mut deps::Near<'_>,
    layer: Layer,
    words: &[Word],
) -> Option<Match> {
    let mut best: Option<((usize, bool), Match)> = None;
    for framework in catalog::all() {
        let detect = &framework.detect;
        let plain = fits_any(detect.commands, words);
        let with_dep = fits_any(detect.commands_with_dep, words);
        let Some(fit) = with_dep.as_ref().or(plain.as_ref()) else {
            continue;
        };
        if fits_any(detect.except, words).is_some() {
            continue;
        }
        let dependency = match with_dep {
            Some(_) => near.first(framework.lang, detect.deps),
            None => None,
        };
        if dependency.is_none() && plain.is_none() {
            continue;
        }
        let rank = (fit.words, dependency.is_some());
        if best.as_ref().is_some_and(|(better, _)| *better >= rank) {
            continue;
        }
        let shown: Vec<&str> = words[..fit.end].iter().map(|word| word.text.as_str()).collect();
        let found = match &dependency {
            Some(d) => format!(
                "{} ({} has {})",
                framework.name,
                folder::shown(&d.file, &command.dir),
                d.name
            ),
            None => framework.name.to_owned(),
        };
        let takes_args =
            framework.inject.only.is_empty() || fits_any(framework.inject.only, words).is_some();
        let found = Match {
            framework,
            start: layer.start,
            end: layer.start + fit.end,
            by_code: false,
            takes_args,
            entry: None,
            step: Step::new(format!("`{}`", shown.join(" ")), found),
        };
        best = Some((rank, found));
    }
    best.map(|(_, found)| found)
}

/// Recognises a framework by the text of a script and what it imports.
fn by_code(
    command: &Command,
    near: &mut deps::Near<'_>,
    layer: Layer,
    lang: Lang,
    file: PathBuf,
) -> Option<Match> {
    let text = folder::evidence(&file)?;
    let mut best: Option<(u8, &'static Framework, String)> = None;
    for framework in catalog::all().iter().filter(|f| f.lang == lang) {
        let detect = &framework.detect;
        let code = detect.code.iter().find(|code| text.contains(*code));
        if code.is_none() && !(detect.code.is_empty() && framework.is_library()) {
            continue;
        }
        let imported = detect.deps.iter().find(|name| deps::imports(lang, &text, name));
        let (rank, why) = match (imported, near.first(lang, detect.deps)) {
            (Some(name), _) => (2, format!("it imports {name}")),
            (None, Some(found)) => {
                (1, format!("{} has {}", folder::shown(&found.file, &command.dir), found.name))
            }
            (None, None) => continue,
        };
        if best.as_ref().is_none_or(|(better, ..)| *better < rank) {
            best = Some((rank, framework, why));
        }
    }
    let (_, framework, why) = best?;
    let looked_at = folder::shown(&file, &command.dir);
    Some(Match {
        framework,
        start: layer.start,
        end: layer.start + 1,
        by_code: true,
        takes_args: false,
        entry: Some(file),
        step: Step::new(looked_at, format!("{}: {why}", framework.name)),
    })
}

impl Framework {
    /// Whether it is a library that scripts of its language use, without a command of its own.
    fn is_library(&self) -> bool {
        self.inject.by == By::Code || self.inject.else_by == Some(By::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Place;

    fn words(text: &str) -> Vec<Word> {
        let word = |w: &str| Word { text: w.to_owned(), place: Place::Fixed, expands: false };
        text.split_whitespace().map(word).collect()
    }

    fn end(pattern: &str, text: &str) -> Option<usize> {
        let pattern: Vec<&str> = pattern.split_whitespace().collect();
        fit(&pattern, &words(text)).map(|fit| fit.end)
    }

    #[test]
    fn patterns_skip_flags_and_their_values() {
        assert_eq!(end("flask run", "flask --app x run --port 1"), Some(4));
        assert_eq!(end("flask run", "flask routes run"), None);
        assert_eq!(end("vite", "./node_modules/.bin/vite build"), Some(1));
        assert_eq!(end("mvn ... spring-boot:run", "mvn -q clean spring-boot:run -x"), Some(4));
        assert_eq!(end("bin/dev", "./bin/dev"), Some(1));
        assert_eq!(end("bin/dev", "dev"), None);
        assert_eq!(end("php ... -S*", "php -d x=1 -S0:8000"), Some(4));
        assert_eq!(end("bun *.html", "bun ./index.html"), Some(2));
        assert_eq!(end("java ... *start.jar", "java -jar /opt/jetty/start.jar"), Some(3));
    }
}
