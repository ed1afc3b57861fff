//! From the typed words to the program that serves, through everything that only starts it.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use wharf_model::Step;

use crate::catalog::{self, Interpreter, Lang, Wrapper};
use crate::command::{
    Assignment, Command, End, Layer, LayerKind, Place, Tail, Word, assignment, program_name,
};
use crate::error::PlanError;
use crate::folder;
use crate::named::{self, SHELLS};
use crate::runner;
use crate::shell::{self, Operator, ShellText};

/// How deep scripts may call scripts.
const DEPTH_MAX: usize = 12;

/// How many scripts and shell texts one command may enter: scripts that run each other twice and more would
/// otherwise be without end long before they are too deep.
const TEXTS_MAX: usize = 500;

/// What is known on the way inwards.
#[derive(Clone)]
pub(crate) struct Way {
    /// The command as far as it is unwrapped; its words are those of the current level.
    pub(crate) command: Command,
    /// How many scripts and shell texts have been entered.
    pub(crate) depth: usize,
    /// How many of them may still be entered, all branches together.
    texts_left: Rc<Cell<usize>>,
}

/// The simple commands that a typed command comes down to, in their order; never empty.
pub(crate) fn unwrap(argv: &[OsString], dir: &Path) -> Result<Vec<Command>, PlanError> {
    let word = |(index, word): (usize, &OsString)| Word {
        text: word.to_string_lossy().into_owned(),
        place: Place::Argv(index),
        expands: false,
    };
    let words: Vec<Word> = argv.iter().enumerate().map(word).collect();
    if words.first().is_none_or(|word| word.text.is_empty()) {
        return Err(PlanError::EmptyCommand);
    }
    let command = Command {
        words,
        layers: Vec::new(),
        assignments: Vec::new(),
        tail: Tail::at(End::Argv(argv.len())),
        dir: dir.to_path_buf(),
        steps: Vec::new(),
        programs: Vec::new(),
        several: None,
        script: None,
        kept: None,
    };
    descend(Way { command, depth: 0, texts_left: Rc::new(Cell::new(TEXTS_MAX)) }, 0)
}

/// Unwraps the words of a level from an index on.
pub(crate) fn descend(mut way: Way, mut at: usize) -> Result<Vec<Command>, PlanError> {
    loop {
        at = take_assignments(&mut way.command, at);
        let Some(word) = way.command.words.get(at) else {
            // Nothing but variables: the level has no program of its own.
            if way.command.layers.is_empty() {
                way.command.layers.push(Layer { start: 0, kind: LayerKind::Program });
            }
            return Ok(vec![way.command]);
        };
        let name = program_name(&word.text).to_owned();
        if SHELLS.contains(&name.as_str()) {
            way.command.layers.push(Layer { start: at, kind: LayerKind::Program });
            return match shell_flag(&way.command.words, at) {
                Some(text) => enter_shell(way, text, Behind::Lost),
                None => {
                    name_programs(&mut way.command, at + 1, true);
                    Ok(vec![way.command])
                }
            };
        }
        way = match runner::enter(way, at, &name)? {
            runner::Entered::Commands(commands) => return Ok(commands),
            runner::Entered::Program(inner, start) => {
                (way, at) = (*inner, start);
                continue;
            }
            runner::Entered::No(way) => *way,
        };
        match unwrap_wrapper(&mut way.command, at, &name) {
            Wrapped::Inner(start) => at = start,
            Wrapped::Shell(text, behind) => return enter_shell(way, text, behind),
            Wrapped::Several => {
                way.command.layers.push(Layer { start: at, kind: LayerKind::Program });
                way.command.several = Some(name);
                return Ok(vec![way.command]);
            }
            Wrapped::No => {
                name_programs(&mut way.command, at, false);
                find_script(&mut way.command, at, &name);
                end_before_dashes(&mut way.command, &name);
                return Ok(vec![way.command]);
            }
        }
    }
}

/// Takes the `A=B` words at an index and gives the index after them.
fn take_assignments(command: &mut Command, mut at: usize) -> usize {
    while let Some(word) = command.words.get(at) {
        let Some((name, value)) = assignment(&word.text) else {
            break;
        };
        command.assignments.push(Assignment {
            name: name.to_owned(),
            value: value.to_owned(),
            place: word.place.clone(),
            expands: word.expands,
        });
        at += 1;
    }
    at
}

/// Notes what the script at an index names, if that is one that a shell runs.
fn name_programs(command: &mut Command, at: usize, is_shells: bool) {
    let words = command.words.iter().skip(at).map(|word| word.text.as_str());
    let script =
        words.take(if is_shells { usize::MAX } else { 1 }).find(|text| !text.starts_with('-'));
    // A program without a folder is searched for elsewhere.
    if let Some(script) = script.filter(|text| is_shells || text.contains('/')) {
        command.programs.extend(named::in_file(&command.dir.join(script), is_shells));
    }
}

/// The index of the text of `sh -c TEXT`, also behind `-lc`.
fn shell_flag(words: &[Word], shell: usize) -> Option<usize> {
    for (index, word) in words.iter().enumerate().skip(shell + 1) {
        let flags = word.text.strip_prefix('-')?;
        if !flags.starts_with('-') && flags.contains('c') {
            return (index + 1 < words.len()).then_some(index + 1);
        }
    }
    None
}

/// What becomes of words that stand behind a shell text.
pub(crate) enum Behind {
    /// They do not reach its commands (`sh -c TEXT WORD`).
    Lost,
    /// They follow its last command, as those at these indices do (`nodemon --exec TEXT WORD`).
    Follow(Vec<usize>),
}

/// Unwraps a shell text that is a word of the level.
pub(crate) fn enter_shell(
    mut way: Way,
    text: usize,
    behind: Behind,
) -> Result<Vec<Command>, PlanError> {
    let word = way.command.words[text].clone();
    let argv = match word.place {
        Place::Argv(argv) => Some(argv),
        Place::Shell { .. } | Place::Fixed => None,
    };
    let rest: Vec<Word> = match behind {
        Behind::Follow(rest) => {
            rest.iter().map(|index| way.command.words[*index].clone()).collect()
        }
        Behind::Lost => {
            // Flags go into the text, which nobody between takes apart, or nowhere.
            way.command.tail = Tail::at(End::Nowhere("it stands in a text within a text".into()));
            Vec::new()
        }
    };
    enter_text(way, &word.text, argv, rest)
}

/// Unwraps a shell text: one that was typed, if `argv` is its word, or one from a file.
/// `rest` are words that its last command gets besides its own.
pub(crate) fn enter_text(
    way: Way,
    text: &str,
    argv: Option<usize>,
    rest: Vec<Word>,
) -> Result<Vec<Command>, PlanError> {
    let texts_left = way.texts_left.get();
    way.texts_left.set(texts_left.saturating_sub(1));
    if way.depth >= DEPTH_MAX || texts_left == 0 {
        let mut command = way.command;
        command
            .steps
            .push(Step::new(text, "scripts call scripts too deeply or too often to follow"));
        command.tail.end = End::Nowhere("its scripts call each other".into());
        if command.layers.is_empty() {
            command.layers.push(Layer { start: 0, kind: LayerKind::Program });
        }
        return Ok(vec![command]);
    }
    let parsed = shell::parse(text);
    let count = parsed.commands.len();
    let mut commands = Vec::new();
    let mut way = Way { depth: way.depth + 1, ..way };
    way.command.programs.extend(named::in_text(text));
    for (index, simple) in parsed.commands.iter().enumerate() {
        let place = |span: &std::ops::Range<usize>| match argv {
            Some(argv) => Place::Shell { argv, span: span.clone() },
            None => Place::Fixed,
        };
        let mut words: Vec<Word> = simple
            .words
            .iter()
            .map(|w| Word { text: w.text.clone(), place: place(&w.span), expands: w.expands })
            .collect();
        if index + 1 < count && changes_the_shell(&mut way.command, &words, simple.then) {
            continue;
        }
        let mut inner = way.clone();
        inner.command.layers.clear();
        inner.command.tail.end =
            end_of(&parsed, index, argv, &way.command.tail.end, rest.is_empty());
        if index + 1 == count {
            words.extend(rest.iter().cloned());
        }
        inner.command.words = words;
        commands.extend(descend(inner, 0)?);
    }
    if commands.is_empty() {
        way.command.layers.push(Layer { start: 0, kind: LayerKind::Program });
        commands.push(way.command);
    }
    Ok(commands)
}

/// Whether a command only changes what the next ones find: their folder or their variables.
fn changes_the_shell(command: &mut Command, words: &[Word], then: Option<Operator>) -> bool {
    if !matches!(then, Some(Operator::And | Operator::Then)) {
        return false;
    }
    match words {
        [cd, to] if cd.text == "cd" => command.dir = command.dir.join(&to.text),
        [export, rest @ ..] if export.text == "export" => {
            let outer = std::mem::replace(&mut command.words, rest.to_vec());
            take_assignments(command, 0);
            command.words = outer;
        }
        _ => return false,
    }
    true
}

/// Where words can be added to one command of a shell text.
fn end_of(parsed: &ShellText, index: usize, argv: Option<usize>, outer: &End, alone: bool) -> End {
    let simple = &parsed.commands[index];
    if let Some(why) = parsed.opaque {
        return End::Nowhere(why.to_owned());
    }
    if let Some(then) = simple.then {
        return match argv {
            // Before the operator, which ends the command's words and not the text.
            Some(argv) => End::Shell { argv, at: simple.end },
            None => End::Nowhere(format!("`{}` follows it", then.sign())),
        };
    }
    match argv {
        // Words behind the text (`nodemon --exec`) follow it at the end of the command.
        Some(argv) if alone => End::Shell { argv, at: simple.end },
        _ if parsed.comment => End::Nowhere("it ends in a comment".to_owned()),
        _ => outer.clone(),
    }
}

enum Wrapped {
    /// The command begins at this word.
    Inner(usize),
    /// The command is the shell text of this word.
    Shell(usize, Behind),
    /// It runs several commands.
    Several,
    /// It is no wrapper.
    No,
}

fn unwrap_wrapper(command: &mut Command, at: usize, name: &str) -> Wrapped {
    for wrapper in catalog::wrappers() {
        if !wrapper.programs.contains(&name) {
            continue;
        }
        if wrapper.several {
            return Wrapped::Several;
        }
        let before = command.layers.len();
        command.layers.push(Layer { start: at, kind: LayerKind::Program });
        let Some(wrapped) = unwrap_one(command, at, wrapper) else {
            command.layers.truncate(before);
            continue;
        };
        {
            if let Wrapped::Inner(start) = wrapped {
                let inner = &command.words[start].text;
                command.steps.push(Step::new(format!("`{name}`"), format!("starts `{inner}`")));
                if wrapper.versioned {
                    drop_version(&mut command.words[start]);
                }
            }
        }
        return wrapped;
    }
    Wrapped::No
}

fn unwrap_one(command: &mut Command, at: usize, wrapper: &Wrapper) -> Option<Wrapped> {
    let mut at = at + 1;
    if !wrapper.sub.is_empty() {
        let is_sub = |sub: &&&[&str]| {
            let words = command.words.get(at..at + sub.len());
            words.is_some_and(|words| words.iter().zip(**sub).all(|(word, sub)| word.text == *sub))
        };
        at += wrapper.sub.iter().filter(is_sub).map(|sub| sub.len()).max()?;
    }
    if wrapper.after_dashes {
        let dashes = command.words.iter().skip(at).position(|word| word.text == "--")?;
        let start = at + dashes + 1;
        return (start < command.words.len()).then_some(Wrapped::Inner(start));
    }
    let mut positionals = wrapper.positionals;
    while let Some(word) = command.words.get(at) {
        let text = word.text.as_str();
        let (flag, value) = text.split_once('=').unwrap_or((text, ""));
        let takes_next = value.is_empty() && !text.contains('=');
        if text == "--" {
            at += 1;
            break;
        } else if wrapper.module_flags.contains(&text) {
            return module(command, at + 1).map(Wrapped::Inner);
        } else if wrapper.shell_flags.contains(&flag) && takes_next {
            // npx has no use for them, and says so.
            let behind = match wrapper.versioned {
                true => Behind::Lost,
                false => Behind::Follow((at + 2..command.words.len()).collect()),
            };
            return (at + 1 < command.words.len()).then_some(Wrapped::Shell(at + 1, behind));
        } else if wrapper.dir_flags.contains(&flag) {
            let dir = if takes_next { command.words.get(at + 1)?.text.as_str() } else { value };
            command.dir = command.dir.join(dir);
            at += if takes_next { 2 } else { 1 };
        } else if wrapper.value_flags.contains(&flag) && takes_next {
            at += 2;
        } else if text.len() > 1 && text.starts_with('-') {
            at += 1;
        } else if wrapper.assignments && assignment(text).is_some() {
            at = take_assignments(command, at);
        } else if positionals > 0 {
            positionals -= 1;
            at += 1;
        } else {
            break;
        }
    }
    if wrapper.shell_words && at + 1 == command.words.len() {
        return Some(Wrapped::Shell(at, Behind::Follow(Vec::new())));
    }
    (at < command.words.len()).then_some(Wrapped::Inner(at))
}

/// Marks the word at an index as a Python module.
fn module(command: &mut Command, at: usize) -> Option<usize> {
    command.words.get(at)?;
    command.layers.push(Layer { start: at, kind: LayerKind::Module });
    Some(at)
}

/// `vite@latest` is `vite`.
pub(crate) fn drop_version(word: &mut Word) {
    if let Some(version) = word.text.rfind('@')
        && version > 0
        && !word.text[version..].contains('/')
    {
        word.text.truncate(version);
    }
    if let Some((_, program)) = PACKAGE_PROGRAMS.iter().find(|(package, _)| *package == word.text) {
        word.text = (*program).to_owned();
    }
}

/// Packages whose program is not called after the last part of their name.
const PACKAGE_PROGRAMS: &[(&str, &str)] = &[
    ("@angular/cli", "ng"),
    ("@nestjs/cli", "nest"),
    ("@react-router/dev", "react-router"),
    ("@docusaurus/core", "docusaurus"),
    ("netlify-cli", "netlify"),
    ("webpack-cli", "webpack"),
    ("ember-cli", "ember"),
    ("@vue/cli", "vue-cli-service"),
];

/// Programs whose words behind `--` are the flags of the server that they start.
const HANDS_DASHES_ON: &[&str] = &["cargo", "dotnet"];

/// A program takes what follows `--` for no flags of its own, so flags go before it.
fn end_before_dashes(command: &mut Command, name: &str) {
    let start = command.innermost().start + 1;
    let mut words = command.words.iter().skip(start);
    let Some(dashes) = words.position(|word| word.text == "--") else { return };
    if HANDS_DASHES_ON.contains(&name) {
        return;
    }
    let place = |index: usize| command.words.get(index).map(|word| &word.place);
    let end = match (place(start + dashes), place(start + dashes - 1), &command.tail.end) {
        (_, _, End::Nowhere(_)) => return,
        (Some(Place::Argv(index)), _, End::Argv(end)) => End::Argv(*index.min(end)),
        (Some(Place::Shell { .. }), Some(Place::Shell { argv, span }), End::Shell { .. }) => {
            End::Shell { argv: *argv, at: span.end }
        }
        _ => End::Nowhere("a `--` stands before its end".into()),
    };
    command.tail.end = end;
}

/// Finishes with the script of an interpreter, a script that runs by itself, or a program.
fn find_script(command: &mut Command, at: usize, name: &str) {
    let is_module =
        command.layers.last().is_some_and(|l| l.start == at && l.kind == LayerKind::Module);
    if is_module {
        return;
    }
    let own = script_lang(name).filter(|_| !command.words[at].text.contains("node_modules/"));
    command.layers.push(match own {
        Some(lang) => Layer { start: at, kind: LayerKind::Script(lang) },
        None => Layer { start: at, kind: LayerKind::Program },
    });
    for interpreter in catalog::interpreters() {
        if interpreter.programs.iter().any(|pattern| folder::matches(name, pattern)) {
            if let Some(layer) = script_of(command, at, interpreter) {
                let word = &command.words[layer.start].text;
                command.steps.push(Step::new(format!("`{name}`"), format!("runs `{word}`")));
                command.layers.push(layer);
            }
            return;
        }
    }
}

fn script_of(command: &Command, at: usize, interpreter: &Interpreter) -> Option<Layer> {
    let mut at = at + 1;
    let mut subs = interpreter.sub;
    loop {
        let text = command.words.get(at)?.text.as_str();
        if text == "--" {
            at += 1;
            subs = &[];
        } else if interpreter.module_flags.contains(&text) {
            command.words.get(at + 1)?;
            return Some(Layer { start: at + 1, kind: LayerKind::Module });
        } else if interpreter.code_flags.iter().any(|flag| text.starts_with(flag)) {
            return None;
        } else if interpreter.value_flags.contains(&text) {
            at += 2;
        } else if text.len() > 1 && text.starts_with('-') {
            at += 1;
        } else if subs.contains(&text) {
            at += 1;
            subs = &[];
        } else {
            let in_modules = text.contains("node_modules/") || text.contains("/bin/");
            let kind = match in_modules && script_lang(program_name(text)).is_none() {
                true => LayerKind::Program,
                false => LayerKind::Script(interpreter.lang),
            };
            return Some(Layer { start: at, kind });
        }
    }
}

/// The language of a script by its name.
fn script_lang(name: &str) -> Option<Lang> {
    match name.rsplit_once('.')?.1 {
        "py" => Some(Lang::Python),
        "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "tsx" | "jsx" => Some(Lang::Js),
        "rb" => Some(Lang::Ruby),
        "php" => Some(Lang::Php),
        _ => None,
    }
}
