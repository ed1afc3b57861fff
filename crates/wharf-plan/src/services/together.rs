//! Programs that run several commands: concurrently and npm-run-all.

/// How the parts of a command follow each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Together {
    /// What runs first, one after the other.
    pub(crate) before: Vec<Part>,
    /// What then runs at the same time.
    pub(crate) parts: Vec<Part>,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The name that the command gives it.
    pub(crate) name: Option<String>,
    pub(crate) what: What,
}

/// What a part runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A script of the package.
    Script(String),
    /// A text for a shell.
    Text(String),
}

/// Flags of concurrently that take a value (concurrently 9, `--help`).
const CONCURRENTLY_VALUES: &[&str] = &[
    "-n",
    "--names",
    "--name-separator",
    "-c",
    "--prefix-colors",
    "-p",
    "--prefix",
    "-l",
    "--prefix-length",
    "-t",
    "--timestamp-format",
    "-m",
    "--max-processes",
    "-s",
    "--success",
    "--hide",
    "--restart-tries",
    "--restart-after",
    "--default-input-target",
    "--kill-signal",
    "--ks",
    "--teardown",
];

/// Flags of npm-run-all that take a value (npm-run-all2 7, `--help`).
const RUN_ALL_VALUES: &[&str] = &["--max-parallel", "--npm-path", "--node-run"];

/// The package managers that concurrently has a shorthand for: `npm:dev`.
const SHORTHANDS: &[&str] = &["npm", "pnpm", "yarn", "bun", "node", "deno"];

/// What a command's words run together; `None` if they do not, or it cannot be told. `scripts` are the package's.
pub(crate) fn read(words: &[String], scripts: &[String]) -> Option<Together> {
    match words.first()?.as_str() {
        "concurrently" | "conc" => concurrently(&words[1..], scripts),
        "npm-run-all" | "npm-run-all2" => run_all(&words[1..], scripts, false),
        "run-p" => run_all(&words[1..], scripts, true),
        "run-s" => run_all(&words[1..], scripts, false),
        _ => None,
    }
}

fn concurrently(words: &[String], scripts: &[String]) -> Option<Together> {
    let (mut names, mut separator) = (String::new(), ",".to_owned());
    let mut texts = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if !word.starts_with('-') {
            texts.push(word);
            continue;
        }
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        match flag {
            // What follows fills placeholders of the commands.
            "--" => return None,
            flag if CONCURRENTLY_VALUES.contains(&flag) => {
                let value = inline.or_else(|| words.get(at).cloned())?;
                at += usize::from(!word.contains('='));
                match flag {
                    "-n" | "--names" => names = value,
                    "--name-separator" => separator = value,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let names: Vec<&str> = match names.is_empty() || separator.is_empty() {
        true => Vec::new(),
        false => names.split(separator.as_str()).map(str::trim).collect(),
    };
    let mut parts = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        let name = names.get(index).filter(|name| !name.is_empty()).map(|name| (*name).to_owned());
        match shorthand(text, scripts) {
            Some(all) if all.len() == 1 => {
                parts.extend(all.into_iter().map(|what| Part { name: name.clone(), what }))
            }
            Some(all) => parts.extend(all.into_iter().map(|what| Part { name: None, what })),
            None => parts.push(Part { name, what: What::Text(text.clone()) }),
        }
    }
    (!parts.is_empty()).then_some(Together { before: Vec::new(), parts })
}

/// `npm:dev:*`: the scripts that the pattern names.
fn shorthand(text: &str, scripts: &[String]) -> Option<Vec<What>> {
    let (manager, pattern) = text.split_once(':')?;
    if !SHORTHANDS.contains(&manager) {
        return None;
    }
    let (pattern, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
    let (pattern, omit) = match pattern.split_once("(!") {
        Some((pattern, omit)) => (pattern, omit.trim_end_matches(')')),
        None => (pattern, ""),
    };
    if !pattern.contains('*') {
        return Some(vec![match rest {
            "" => What::Script(pattern.to_owned()),
            rest => What::Text(format!("{manager} run {pattern} {rest}")),
        }]);
    }
    let (head, tail) = pattern.split_once('*')?;
    let is_named = |script: &&String| {
        let inner = script.strip_prefix(head).and_then(|script| script.strip_suffix(tail));
        inner.is_some_and(|inner| omit.is_empty() || !inner.contains(omit))
    };
    Some(scripts.iter().filter(is_named).cloned().map(What::Script).collect())
}

fn run_all(words: &[String], scripts: &[String], parallel: bool) -> Option<Together> {
    let mut parallel = parallel;
    // Each group and whether its scripts run at the same time.
    let mut groups: Vec<(bool, Vec<Part>)> = vec![(parallel, Vec::new())];
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        match word.as_str() {
            "-p" | "--parallel" => parallel = true,
            "-s" | "--sequential" | "--serial" => parallel = false,
            "--" => return None,
            flag if RUN_ALL_VALUES.contains(&flag) => at += 1,
            flag if flag.starts_with('-') => continue,
            pattern => {
                let (_, group) = groups.last_mut()?;
                for what in matching(pattern, scripts) {
                    group.push(Part { name: None, what });
                }
                continue;
            }
        }
        if groups.last().is_some_and(|(_, group)| group.is_empty()) {
            groups.pop();
        }
        groups.push((parallel, Vec::new()));
    }
    groups.retain(|(_, group)| !group.is_empty());
    let (parallel, mut last) = groups.pop()?;
    let mut before: Vec<Part> = groups.into_iter().flat_map(|(_, group)| group).collect();
    if !parallel {
        let server = last.pop()?;
        before.append(&mut last);
        last = vec![server];
    }
    Some(Together { before, parts: last })
}

/// The scripts that a pattern of npm-run-all names: `*` within a part of a name, `**` over parts.
fn matching(pattern: &str, scripts: &[String]) -> Vec<What> {
    if pattern.contains(' ') {
        let (name, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
        return vec![What::Text(format!("npm run {name} -- {rest}"))];
    }
    if !pattern.contains('*') {
        return vec![What::Script(pattern.to_owned())];
    }
    let is_named = |script: &&String| {
        crate::folder::matches(script, &pattern.replace("**", "*"))
            && (pattern.contains("**")
                || script.matches(':').count() == pattern.matches(':').count())
    };
    scripts.iter().filter(is_named).cloned().map(What::Script).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCRIPTS: &[&str] = &["dev", "dev:api", "dev:css:x", "dev:web", "build"];

    /// The parts as `name=script` or `name="text"`, those before marked with `<`.
    fn shown(words: &[&str]) -> Option<String> {
        let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let together = read(&own(words), &own(SCRIPTS))?;
        let one = |part: &Part| {
            let name = part.name.as_ref().map_or(String::new(), |name| format!("{name}="));
            match &part.what {
                What::Script(script) => format!("{name}{script}"),
                What::Text(text) => format!("{name}{text:?}"),
            }
        };
        let before = together.before.iter().map(|part| format!("<{}", one(part)));
        Some(before.chain(together.parts.iter().map(one)).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn concurrently_and_its_flags() {
        for (words, expected) in [
            (&["concurrently", "a b", "c"][..], "\"a b\" \"c\""),
            (&["conc", "-k", "-n", "x,y", "-c", "red,blue", "a", "b"], "x=\"a\" y=\"b\""),
            (
                &["concurrently", "--names=x|y", "--name-separator", "|", "a", "b"],
                "x=\"a\" y=\"b\"",
            ),
            (&["concurrently", "npm:dev:*"], "dev:api dev:css:x dev:web"),
            (&["concurrently", "npm:dev:*(!css)", "a"], "dev:api dev:web \"a\""),
            (&["concurrently", "-n", "api", "pnpm:dev:api"], "api=dev:api"),
            (&["concurrently", "yarn:dev:api --x"], "\"yarn run dev:api --x\""),
            (&["concurrently", "--restart-tries", "3", "--raw", "a"], "\"a\""),
        ] {
            assert_eq!(shown(words).as_deref(), Some(expected), "{words:?}");
        }
        assert_eq!(shown(&["concurrently"]), None);
        assert_eq!(shown(&["concurrently", "a {1}", "--", "b"]), None);
    }

    #[test]
    fn npm_run_all_and_its_modes() {
        for (words, expected) in [
            (&["run-p", "dev:api", "dev:web"][..], "dev:api dev:web"),
            (&["run-p", "-l", "dev:*"], "dev:api dev:web"),
            (&["run-p", "dev:**"], "dev:api dev:css:x dev:web"),
            (&["run-s", "build", "dev:api"], "<build dev:api"),
            (
                &["npm-run-all", "build", "--parallel", "dev:api", "dev:web"],
                "<build dev:api dev:web",
            ),
            (&["npm-run-all", "-p", "dev:api", "-s", "build"], "<dev:api build"),
            (&["npm-run-all", "--parallel", "--max-parallel", "2", "dev:api"], "dev:api"),
            (&["run-p", "dev:api --x"], "\"npm run dev:api -- --x\""),
        ] {
            assert_eq!(shown(words).as_deref(), Some(expected), "{words:?}");
        }
        assert_eq!(shown(&["run-p", "nothing:*"]), None);
        assert_eq!(shown(&["vite"]), None);
    }

    proptest! {
        #[test]
        fn any_words_are_read(words in prop::collection::vec("concurrently|run-p|run-s|-n|--|npm:[*(!)a]{0,4}|[-a=,:* ]{0,6}", 0..8)) {
            let _ = read(&words, &["a".to_owned(), "dev:a".to_owned()]);
        }
    }
}
