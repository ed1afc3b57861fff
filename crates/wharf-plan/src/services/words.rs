//! The words of a script's command, without what only starts it.

use std::collections::BTreeMap;

use crate::command::{assignment, program_name};
use crate::package::Package;
use crate::shell::{self, ShellWord};
use crate::{catalog, unwrap};

/// Programs that run several commands or scripts.
const TOOLS: &[&str] = &[
    "concurrently",
    "conc",
    "npm-run-all",
    "npm-run-all2",
    "run-p",
    "run-s",
    "turbo",
    "nx",
    "lerna",
    "cross-env",
];

/// Programs that run a package's program, and nothing else of interest.
const STARTERS: &[&str] = &["npx", "bunx", "pnpx"];

/// Programs that are there without `node_modules/.bin`.
const ELSEWHERE: &[&str] = &[
    "npm",
    "npx",
    "pnpm",
    "pnpx",
    "yarn",
    "bun",
    "bunx",
    "deno",
    "node",
    "corepack",
    "python",
    "python3",
    "uv",
    "poetry",
    "pdm",
    "hatch",
    "pipenv",
    "php",
    "composer",
    "ruby",
    "bundle",
    "rails",
    "go",
    "cargo",
    "docker",
    "docker-compose",
    "podman",
    "make",
    "just",
    "sh",
    "bash",
    "cd",
    "export",
    "exit",
    "sleep",
    "echo",
    "true",
    "mvn",
    "gradle",
    "dotnet",
    "mix",
    "java",
    "env",
    "wait",
];

/// A command's words and the variables before them.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) words: Vec<String>,
}

/// Takes a command's words apart. `None` where a shell would have to say what its variables hold.
pub(crate) fn read(words: &[ShellWord]) -> Option<Words> {
    let mut out = Words::default();
    let mut rest = words;
    while let Some((first, behind)) = rest.split_first() {
        let next = behind.first().map_or("", |word| word.text.as_str());
        let program = program_name(&first.text);
        let is_tool = |text: &str| TOOLS.contains(&unversioned(program_name(text)));
        if let Some((name, value)) = assignment(&first.text) {
            if first.expands {
                return None;
            }
            out.env.insert(name.to_owned(), value.to_owned());
            rest = behind;
        } else if program == "cross-env" || program == "env" && assignment(next).is_some() {
            rest = behind;
        } else if STARTERS.contains(&program) {
            rest = flags_skipped(behind);
        } else if matches!(program, "npm" | "pnpm" | "yarn" | "bun") && matches!(next, "exec" | "x")
        {
            rest = flags_skipped(&behind[1..]);
        } else if matches!(program, "pnpm" | "yarn") && is_tool(next) {
            rest = behind;
        } else {
            break;
        }
    }
    out.words = rest.iter().map(|word| word.text.clone()).collect();
    if let Some(program) = out.words.first_mut() {
        *program = unversioned(program_name(program)).to_owned();
    }
    Some(out)
}

fn flags_skipped(words: &[ShellWord]) -> &[ShellWord] {
    let flags = words.iter().take_while(|word| word.text.starts_with('-')).count();
    &words[flags..]
}

/// `turbo@latest` is `turbo`.
fn unversioned(name: &str) -> &str {
    match name.rfind('@') {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

/// The script of the same package that a command's words run, if they say nothing else.
pub(crate) fn script<'a>(words: &'a [String], package: &Package) -> Option<&'a str> {
    let (program, rest) = words.split_first()?;
    let runner = catalog::runners().iter().find(|r| r.programs.contains(&program.as_str()))?;
    let name = match rest {
        [run, name] if runner.run.contains(&run.as_str()) => name,
        [name] if runner.any_script || runner.shorthands.contains(&name.as_str()) => name,
        _ => return None,
    };
    package.script(name).is_some().then_some(name)
}

/// A text that finds the programs of `node_modules/.bin`, as it would when a package manager ran it. `levels` is
/// how far up the project's root lies.
pub(crate) fn with_programs(text: &str, levels: usize) -> String {
    let is_packages = |simple: &shell::Simple| {
        let program = simple.words.iter().find(|word| assignment(&word.text).is_none());
        program.is_some_and(|word| {
            !word.text.contains('/') && !ELSEWHERE.contains(&word.text.as_str())
        })
    };
    let parsed = shell::parse(text);
    if parsed.opaque.is_none() && !parsed.commands.iter().any(is_packages) {
        return text.to_owned();
    }
    let folder = |level: usize| format!("$PWD/{}node_modules/.bin:", "../".repeat(level));
    let path: String = (0..=levels).map(folder).collect();
    format!("export PATH=\"{path}$PATH\" && {text}")
}

/// The programs of a text, innermost, for its name.
pub(crate) fn innermost(text: &str, package: &Package) -> Option<crate::command::Command> {
    let argv = ["sh", "-c", text].map(Into::into);
    unwrap::unwrap(&argv, &package.dir).ok()?.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<String> {
        let parsed = shell::parse(text);
        let Words { env, words } = read(&parsed.commands[0].words)?;
        let env = env.iter().map(|(name, value)| format!("{name}={value}"));
        Some(env.chain(words).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_only_starts_it_is_left_out() {
        for (text, expected) in [
            ("turbo run dev", "turbo run dev"),
            ("npx turbo@latest dev", "turbo dev"),
            ("npx -y concurrently a", "concurrently a"),
            ("A=1 cross-env B=2 run-p x", "A=1 B=2 run-p x"),
            ("pnpm exec turbo dev", "turbo dev"),
            ("yarn turbo dev", "turbo dev"),
            ("yarn dev", "yarn dev"),
            ("npm exec -- lerna run dev", "lerna run dev"),
            ("./node_modules/.bin/turbo dev", "turbo dev"),
        ] {
            assert_eq!(words(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(words("A=$B turbo dev"), None);
    }

    #[test]
    fn programs_of_packages_are_found() {
        assert_eq!(with_programs("node a.js && npm run b", 0), "node a.js && npm run b");
        assert_eq!(
            with_programs("A=1 vite", 0),
            "export PATH=\"$PWD/node_modules/.bin:$PATH\" && A=1 vite"
        );
        assert!(with_programs("vite", 2).contains(":$PWD/../../node_modules/.bin:"));
    }
}
