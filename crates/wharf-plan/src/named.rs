//! Which programs a shell text names. What is known of it is told only when something has gone wrong, so
//! that a command within a condition counts like any other.

use std::path::Path;

use crate::command::{assignment, program_name};
use crate::{folder, shell};

/// Programs whose `-c` takes a shell text, and that run a file of them.
pub(crate) const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"];

/// The first words of its simple commands.
pub(crate) fn in_text(text: &str) -> Vec<String> {
    let commands = shell::parse(text).commands.into_iter();
    let first = |simple: shell::Simple| {
        let is_program = |text: &str| !shell::is_reserved(text) && assignment(text).is_none();
        let first = simple.words.into_iter().find(|word| is_program(&word.text));
        first.filter(|word| !word.expands).map(|word| word.text)
    };
    commands.filter_map(first).collect()
}

/// The same of a file that a shell runs: one that says so in its first line, unless it is known anyway.
pub(crate) fn in_file(file: &Path, is_shells: bool) -> Vec<String> {
    // What is no script is a program, of which a glance is cheaper than its text.
    if !is_shells && !folder::begins_with(file, b"#!") {
        return Vec::new();
    }
    let Some(text) = folder::evidence(file) else { return Vec::new() };
    let first = text.lines().next().unwrap_or_default();
    let says_so = first.strip_prefix("#!").is_some_and(|line| {
        line.split_whitespace().take(2).any(|word| SHELLS.contains(&program_name(word)))
    });
    if is_shells || says_so { in_text(&text) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_the_first_words_of_commands() {
        let text = "A=1 one x && if two; then three; fi\n$FOUR y | five # six\n(seven)\n";
        assert_eq!(in_text(text), ["one", "two", "three", "five", "seven"]);
    }

    #[test]
    fn a_file_is_a_shells_by_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("serve");
        for (first, is_one) in
            [("#!/bin/sh", true), ("#!/usr/bin/env bash", true), ("#!/usr/bin/python3", false)]
        {
            std::fs::write(&file, format!("{first}\nsudo true\n")).unwrap();
            assert_eq!(in_file(&file, false).contains(&"sudo".to_owned()), is_one, "{first}");
        }
    }
}
