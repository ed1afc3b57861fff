//! Whether a command stays or ends by itself.

use std::ffi::OsString;
use std::path::Path;

use crate::command::{Command, program_name};
use crate::{detect, unwrap};

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It runs a framework that serves.
    Serves,
    /// It watches, or nothing is known of it.
    Stays,
    /// It ends by itself.
    Ends,
}

/// Programs that end whatever their arguments are.
const END: &[&str] = &[
    "prettier",
    "eslint",
    "biome",
    "rm",
    "rimraf",
    "del-cli",
    "mkdir",
    "mkdirp",
    "cp",
    "mv",
    "touch",
    "echo",
    "printf",
    "git",
    "true",
    "exit",
    "husky",
    "is-ci",
    "shx",
    "cpy",
    "copyfiles",
];

/// Programs that end unless they are told to watch or to serve.
const END_UNTOLD: &[&str] = &[
    "tsc",
    "vue-tsc",
    "tsup",
    "tsdown",
    "unbuild",
    "esbuild",
    "rollup",
    "webpack",
    "swc",
    "babel",
    "sass",
    "postcss",
    "tailwindcss",
    "parcel-build",
    "jest",
    "vitest-run",
    "mocha",
    "graphql-codegen",
    "prisma",
    "drizzle-kit",
    "typeorm",
    "knex",
    "sequelize",
    "contentlayer",
    "svgr",
    "lessc",
    "stylelint",
];

/// First arguments, and parts of a script's name, of what ends unless it is told to watch or to serve.
const END_WORDS: &[&str] = &[
    "build",
    "compile",
    "bundle",
    "generate",
    "codegen",
    "gen",
    "migrate",
    "migration",
    "seed",
    "lint",
    "test",
    "check",
    "typecheck",
    "format",
    "clean",
    "install",
    "ci",
    "sync",
    "setup",
    "prepare",
    "export",
    "pull",
    "push",
    "reset",
    "deploy",
];

/// Words that tell a program to stay.
const STAY_WORDS: &[&str] = &[
    "watch", "dev", "develop", "serve", "server", "start", "studio", "-w", "--dev", "--serve",
    "--hot",
];

/// What a command does in a folder.
pub(crate) fn of(argv: &[OsString], dir: &Path) -> Lasting {
    let Ok(commands) = unwrap::unwrap(argv, dir) else { return Lasting::Stays };
    if commands.iter().any(|command| detect::detect(command).is_some()) {
        return Lasting::Serves;
    }
    match commands.last() {
        Some(command) if ends(command) => Lasting::Ends,
        _ => Lasting::Stays,
    }
}

fn ends(command: &Command) -> bool {
    let words = command.from(command.innermost());
    let Some(program) = words.first().map(|word| program_name(&word.text)) else { return true };
    if command.several.is_some() {
        return detaches(command);
    }
    if END.contains(&program) {
        return true;
    }
    let arguments = || words.iter().skip(1).map(|word| word.text.as_str());
    if arguments().any(|word| STAY_WORDS.contains(&word) || word.starts_with("--watch")) {
        return false;
    }
    let first = arguments().find(|word| !word.starts_with('-'));
    if END_UNTOLD.contains(&program) || first.is_some_and(|word| END_WORDS.contains(&word)) {
        return true;
    }
    command.script.as_deref().is_some_and(script_ends)
}

/// `docker compose up -d`.
fn detaches(command: &Command) -> bool {
    let words = command.from(command.innermost());
    let has = |text: &[&str]| words.iter().any(|word| text.contains(&word.text.as_str()));
    let is_docker = matches!(words.first(), Some(word) if word.text.starts_with("docker"));
    is_docker && (!has(&["up", "run", "logs"]) || has(&["-d", "--detach", "--wait"]))
}

/// Whether a script's name says that it ends: `build`, `db:migrate`, but not `build:watch`.
fn script_ends(name: &str) -> bool {
    let has =
        |words: &[&str]| name.split([':', '-', '_', '.', '/']).any(|part| words.contains(&part));
    has(END_WORDS) && !has(STAY_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_commands() {
        let dir = tempfile::tempdir().unwrap();
        let scripts = r#"{"scripts": {"build": "node build.mjs", "build:watch": "node build.mjs --watch",
            "db:migrate": "node db.js", "dev": "vite", "typegen:watch": "kea-typegen watch"}}"#;
        std::fs::write(dir.path().join("package.json"), scripts).unwrap();
        for (text, expected) in [
            ("vite", Lasting::Serves),
            ("npm run dev", Lasting::Serves),
            ("tsc && vite", Lasting::Serves),
            ("vite build", Lasting::Ends),
            ("next build", Lasting::Ends),
            ("tsc", Lasting::Ends),
            ("npx tsc --noEmit", Lasting::Ends),
            ("tsc -w", Lasting::Stays),
            ("tsc --watch", Lasting::Stays),
            ("tsc && node dist/worker.js", Lasting::Stays),
            ("npm run build", Lasting::Ends),
            ("npm run build:watch", Lasting::Stays),
            ("npm run db:migrate", Lasting::Ends),
            ("npm run typegen:watch", Lasting::Stays),
            ("prisma migrate deploy", Lasting::Ends),
            ("prettier -w .", Lasting::Ends),
            ("tailwindcss -i a -o b --watch=always", Lasting::Stays),
            ("docker compose up", Lasting::Stays),
            ("docker compose up -d", Lasting::Ends),
            ("./run.sh", Lasting::Stays),
        ] {
            let argv = ["sh", "-c", text].map(OsString::from);
            assert_eq!(of(&argv, dir.path()), expected, "{text}");
        }
    }
}
