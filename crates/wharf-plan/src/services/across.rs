//! Commands that run a script in several packages of a workspace.

use super::filter::Filter;

/// Which scripts run, and in which packages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Across {
    /// The scripts, in order.
    pub(crate) scripts: Vec<String>,
    /// The packages.
    pub(crate) filter: Filter,
}

/// How a program spells it.
struct Spelling {
    /// The flags that take a package and stand for several of them together.
    include: &'static [&'static str],
    /// Those that take a package which is left out.
    exclude: &'static [&'static str],
    /// Those that take another value.
    valued: &'static [&'static str],
    /// Those without which there is no several; none where the program itself says it.
    needs: &'static [&'static str],
    /// Subcommands, of which the words before the script are made.
    subs: &'static [&'static str],
    /// Flags whose value is the script.
    script: &'static [&'static str],
    /// Flags whose values are parted by commas.
    commas: bool,
    /// Whether every word besides is a script of its own.
    many: bool,
}

const PLAIN: Spelling = Spelling {
    include: &[],
    exclude: &[],
    valued: &[],
    needs: &[],
    subs: &["run"],
    script: &[],
    commas: false,
    many: false,
};

const NPM: Spelling = Spelling {
    include: &["-w", "--workspace"],
    valued: &["--loglevel"],
    needs: &["--workspaces", "-ws", "--ws", "-w", "--workspace"],
    subs: &["run", "run-script"],
    ..PLAIN
};

const PNPM: Spelling = Spelling {
    include: &["--filter", "-F", "--filter-prod"],
    valued: &["--loglevel", "--reporter", "--workspace-concurrency"],
    needs: &["-r", "--recursive", "--parallel", "--filter", "-F", "recursive", "multi", "m"],
    subs: &["run", "recursive", "multi", "m"],
    ..PLAIN
};

const BUN: Spelling =
    Spelling { include: &["--filter", "-F"], needs: &["--filter", "-F", "--workspaces"], ..PLAIN };

const YARN: Spelling = Spelling {
    include: &["--include"],
    exclude: &["--exclude"],
    valued: &["-j", "--jobs"],
    needs: &["foreach", "workspaces"],
    subs: &["workspaces", "foreach", "run"],
    ..PLAIN
};

const LERNA: Spelling = Spelling {
    include: &["--scope"],
    exclude: &["--ignore"],
    valued: &["--concurrency", "--npm-client"],
    ..PLAIN
};

const TURBO: Spelling = Spelling {
    include: &["--filter", "-F", "--scope"],
    valued: &[
        "--concurrency",
        "--env-mode",
        "--log-order",
        "--ui",
        "--output-logs",
        "--cache-dir",
        "--log-prefix",
        "--cache",
    ],
    many: true,
    ..PLAIN
};

const NX: Spelling = Spelling {
    include: &["-p", "--projects"],
    exclude: &["--exclude"],
    valued: &["--parallel", "-c", "--configuration", "--output-style", "--maxParallel"],
    needs: &["run-many"],
    subs: &["run-many"],
    script: &["-t", "--target", "--targets"],
    commas: true,
    ..PLAIN
};

fn spelling(program: &str) -> Option<&'static Spelling> {
    Some(match program {
        "npm" => &NPM,
        "pnpm" => &PNPM,
        "bun" => &BUN,
        "yarn" => &YARN,
        "lerna" => &LERNA,
        "turbo" => &TURBO,
        "nx" => &NX,
        _ => return None,
    })
}

/// What a command's words run across a workspace; `None` if they do not, or it cannot be told.
pub(crate) fn read(words: &[String]) -> Option<Across> {
    let spelling = spelling(words.first()?)?;
    let mut across = Across::default();
    let mut several = spelling.needs.is_empty();
    let mut subs = true;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value)),
            _ => (word.as_str(), None),
        };
        several |= spelling.needs.contains(&flag) && inline != Some("false");
        let takes = |flags: &[&str]| flags.contains(&flag);
        if takes(spelling.include) || takes(spelling.exclude) || takes(spelling.script) {
            let value = inline.or(words.get(at).map(String::as_str))?;
            at += usize::from(inline.is_none());
            let mut parted: Vec<&str> = vec![value];
            if spelling.commas {
                parted = value.split(',').collect();
                let more = words[at..].iter().take_while(|word| !word.starts_with('-'));
                parted.extend(more.map(String::as_str));
                at += parted.len() - value.split(',').count();
            }
            for value in parted {
                if takes(spelling.include) {
                    across.filter.add(value)?;
                } else if takes(spelling.exclude) {
                    across.filter.exclude(value);
                } else {
                    across.scripts.push(value.to_owned());
                }
            }
        } else if takes(spelling.valued) && inline.is_none() {
            // `--parallel` of Nx may stand alone.
            at += usize::from(words.get(at).is_some_and(|next| !next.starts_with('-')));
        } else if flag == "--" {
            // What follows would have to go to each of them.
            return None;
        } else if !(flag.starts_with('-') || subs && spelling.subs.contains(&flag)) {
            subs = false;
            across.scripts.push(word.clone());
        }
    }
    let too_many = across.scripts.len() > 1 && !spelling.many && !spelling.commas;
    (several && !across.scripts.is_empty() && !too_many).then_some(across)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn across(text: &str) -> Option<Across> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        read(&words)
    }

    fn expected(scripts: &[&str], included: &[&str], excluded: &[&str]) -> Across {
        let mut filter = Filter::default();
        included.iter().for_each(|text| filter.add(text).unwrap());
        excluded.iter().for_each(|text| filter.exclude(text));
        Across { scripts: scripts.iter().map(|text| (*text).to_owned()).collect(), filter }
    }

    #[test]
    fn every_spelling() {
        for (text, expected) in [
            ("turbo dev", expected(&["dev"], &[], &[])),
            ("turbo run dev --parallel --filter=a --filter !b", expected(&["dev"], &["a"], &["b"])),
            ("turbo run dev db:watch --concurrency 9", expected(&["dev", "db:watch"], &[], &[])),
            ("npm run dev --workspaces --if-present", expected(&["dev"], &[], &[])),
            ("npm run dev -w a --workspace=b", expected(&["dev"], &["a", "b"], &[])),
            ("npm -ws run dev", expected(&["dev"], &[], &[])),
            ("pnpm -r dev", expected(&["dev"], &[], &[])),
            ("pnpm --parallel -r run dev", expected(&["dev"], &[], &[])),
            ("pnpm --filter ./apps/* --stream dev", expected(&["dev"], &["./apps/*"], &[])),
            ("pnpm recursive run dev", expected(&["dev"], &[], &[])),
            ("yarn workspaces foreach -pi run dev", expected(&["dev"], &[], &[])),
            (
                "yarn workspaces foreach -A --include a --exclude b run dev",
                expected(&["dev"], &["a"], &["b"]),
            ),
            ("yarn workspaces run dev", expected(&["dev"], &[], &[])),
            ("lerna run dev --parallel --scope a --ignore b", expected(&["dev"], &["a"], &["b"])),
            ("nx run-many -t dev -p a,b --parallel 3", expected(&["dev"], &["a", "b"], &[])),
            ("nx run-many -t dev -p a b", expected(&["dev"], &["a", "b"], &[])),
            ("nx run-many --target=serve --parallel --all", expected(&["serve"], &[], &[])),
            ("bun run --filter * dev", expected(&["dev"], &["*"], &[])),
        ] {
            assert_eq!(across(text), Some(expected), "{text}");
        }
        for text in [
            "npm run dev",
            "npm run dev --workspaces=false",
            "pnpm dev",
            "yarn dev",
            "nx serve web",
            "turbo run",
            "turbo dev -- --port 1",
            "turbo dev --filter=...web",
            "vite",
            "pnpm -r dev x",
        ] {
            assert_eq!(across(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read(words in prop::collection::vec("turbo|npm|nx|-w|--filter|--|run|[-a=,!.\\[]{0,6}", 0..8)) {
            let _ = read(&words);
        }
    }
}
