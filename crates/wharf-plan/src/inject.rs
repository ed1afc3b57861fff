//! The port into the program: what is written into the command, the environment and files.

use std::ffi::OsString;

use wharf_model::plan::{Arg, DerivedFile, Hint};
use wharf_model::request::PortArgument;
use wharf_model::{Port, PortRequest, Step};

use crate::catalog::{By, Derive, Framework, Lang, Positional};
use crate::choice::{self, Convention};
use crate::code::Code;
use crate::command::{Command, LayerKind, Place, program_name};
use crate::detect::Match;
use crate::edit::Editor;
use crate::error::PlanError;
use crate::flag_variable::FlagVariable;
use crate::nginx::At;
use crate::typed::{Form, Said, Typed, TypedPort};
use crate::variables::Variables;
use crate::{guess, nginx, page, preload, tomcat, typed};

/// Everything that an injection is decided by.
pub(crate) struct Situation<'a> {
    /// The command, unwrapped.
    pub(crate) command: Command,
    /// The framework, if it was recognised.
    pub(crate) found: Option<Match>,
    /// What the user wants of the port.
    pub(crate) argument: Option<PortArgument>,
    /// The port that the program takes when nobody says otherwise.
    pub(crate) convention: Convention,
    /// What the project's code says.
    pub(crate) code: Code,
    /// The language, as far as it is known.
    pub(crate) lang: Lang,
    /// Whether wharf itself chose the command.
    pub(crate) bare: bool,
    /// The environment of `wharf run`.
    pub(crate) env: &'a dyn Fn(&str) -> Option<OsString>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Injection {
    pub(crate) request: PortRequest,
    pub(crate) hint: Hint,
    pub(crate) argv: Vec<Arg>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) files: Vec<DerivedFile>,
    pub(crate) steps: Vec<Step>,
}

/// Decides and writes.
pub(crate) fn inject(argv: &[OsString], situation: Situation<'_>) -> Result<Injection, PlanError> {
    let mut injector = Injector {
        editor: Editor::new(argv),
        variables: Variables::default(),
        files: Vec::new(),
        steps: Vec::new(),
        typed: Typed::default(),
        s: situation,
    };
    injector.begin_with_env(argv);
    injector.read_typed();
    let (request, hint) = injector.decide()?;
    let Injector { s, typed, editor, mut variables, files, mut steps } = injector;
    let framework = s.found.as_ref().map(|found| found.framework);
    let word = s.command.words.get(s.command.innermost().start);
    let program = word.map_or("", |word| program_name(&word.text));
    variables.set_all(framework, &typed, s.lang, program, s.env, &mut steps);
    Ok(Injection { request, hint, argv: editor.finish(), env: variables.into_vec(), files, steps })
}

struct Injector<'a> {
    s: Situation<'a>,
    typed: Typed,
    editor: Editor<'a>,
    variables: Variables,
    files: Vec<DerivedFile>,
    steps: Vec<Step>,
}

impl Injector<'_> {
    fn step(&mut self, looked_at: impl Into<String>, found: impl Into<String>) {
        self.steps.push(Step::new(looked_at, found));
    }

    fn framework(&self) -> Option<&'static Framework> {
        self.s.found.as_ref().map(|found| found.framework)
    }

    /// `wharf run PORT=9000 next dev`: the system starts programs, not assignments, so `env` does.
    fn begin_with_env(&mut self, argv: &[OsString]) {
        let first = argv.first().map(|word| word.to_string_lossy());
        if first.is_some_and(|word| crate::command::assignment(&word).is_some()) {
            self.editor.insert(0, vec!["env".to_owned()]);
        }
    }

    /// Reads what was typed. A flag that npm would keep for itself counts only if it is the port's,
    /// for then it was meant for the program.
    fn read_typed(&mut self) {
        self.typed = self.read();
        let Some(kept) = self.s.command.kept else {
            return;
        };
        let is_kept = |place: &Place| matches!(place, Place::Argv(index) if *index >= kept);
        let meant = |port: &TypedPort| is_kept(&port.place) && port.form != Form::Guess;
        if self.typed.port.as_ref().is_some_and(meant) {
            self.editor.insert(kept, vec!["--".to_owned()]);
            if let Some(dash) = self.s.command.tail.dashes.first_mut() {
                *dash = None;
            }
            self.step("npm", "keeps flags for itself unless `--` stands before them: added");
        } else {
            self.s.command.words.retain(|word| !is_kept(&word.place));
            self.typed = self.read();
        }
    }

    fn read(&self) -> Typed {
        match &self.s.found {
            Some(found) => typed::read(&self.s.command, found),
            None => guess::read(&self.s.command),
        }
    }

    fn decide(&mut self) -> Result<(PortRequest, Hint), PlanError> {
        match self.typed.port.clone() {
            Some(port) if port.was_typed() => {
                let decided = self.typed_in_command(&port)?;
                self.hand_host(&port);
                Ok(decided)
            }
            Some(port) => self.typed_in_script(&port),
            None => self.untyped(),
        }
    }

    /// The port stands in what was typed: it is the request, or it is replaced where it stands.
    fn typed_in_command(&mut self, port: &TypedPort) -> Result<(PortRequest, Hint), PlanError> {
        let place = choice::place(port);
        match port.said {
            Said::Port(number) if self.s.argument.is_none() => {
                self.step(place, format!("port {number} was typed: it is asked for"));
                Ok((PortRequest::Exactly(number), Hint::Typed))
            }
            Said::Port(number) => {
                if self.replace(port) {
                    self.step(place, "replaced, as `--port` says");
                    Ok((self.asked(), self.hint_of(port.form)))
                } else {
                    let request = choice::fixed(self.s.argument, number, port)?;
                    self.step(place, format!("port {number} stays, whatever `--port` says"));
                    Ok((request, Hint::Typed))
                }
            }
            Said::Zero | Said::Absent => {
                let hint = if self.replace(port) { self.hint_of(port.form) } else { Hint::None };
                self.step(place, "names no port: wharf's is put there");
                Ok((self.asked(), hint))
            }
            Said::Variable(_) => Ok(self.by_variable(port)),
            Said::Other => {
                self.step(place, "is no port that wharf understands: left as it is");
                Ok((self.asked(), Hint::None))
            }
        }
    }

    fn replace(&mut self, port: &TypedPort) -> bool {
        let template = self.framework().and_then(|framework| framework.inject.template);
        // What wharf itself wrote down without a port holds no wish of the user.
        let whole = template.filter(|_| self.s.bare && port.said == Said::Absent);
        let word = whole.map(str::to_owned).or_else(|| port.replaced());
        word.is_some_and(|word| self.editor.replace(&port.place, word))
    }

    /// The port stands in a script of the project: a flag behind it wins, where there is one.
    fn typed_in_script(&mut self, port: &TypedPort) -> Result<(PortRequest, Hint), PlanError> {
        let place = choice::place(port);
        if let Said::Variable(_) = port.said {
            self.hand_host(port);
            return Ok(self.by_variable(port));
        }
        if let Said::Port(number) = port.said {
            self.s.convention.port = number;
        }
        if self.can_override(port) {
            self.step(place, "is the project's convention: a flag behind it wins over it");
            self.append_flags();
            return Ok((self.asked(), Hint::Flag));
        }
        self.hand_host(port);
        let inject = self.framework().map(|framework| &framework.inject);
        if port.form == Form::Flag && inject.is_some_and(|i| i.env_beats_flag && i.args.is_empty())
        {
            self.step(place, "is the project's convention: the variable wins over it");
            return Ok((self.asked(), Hint::Env));
        }
        match port.said {
            Said::Port(number) => {
                let request = choice::fixed(self.s.argument, number, port)?;
                self.step(place, format!("port {number} stands where nothing can replace it"));
                let hint = match request {
                    PortRequest::Exactly(_) => Hint::Typed,
                    _ => Hint::None,
                };
                Ok((request, hint))
            }
            _ => {
                self.step(place, "is no port that wharf understands: left as it is");
                Ok((self.asked(), Hint::None))
            }
        }
    }

    /// Adds the flags for the host where a port was said and no host: what binds every address by
    /// itself would go on doing so.
    fn hand_host(&mut self, port: &TypedPort) {
        let Some(found) = self.s.found.as_ref().filter(|f| f.takes_args && !f.by_code) else {
            return;
        };
        let flags = found.framework.inject.args_host;
        let unclear = matches!(port.said, Said::Absent | Said::Other);
        if !self.typed.host && !unclear && !flags.is_empty() {
            self.append(flags);
        }
    }

    /// Whether a flag at the end wins over a port in the script.
    fn can_override(&self, port: &TypedPort) -> bool {
        let Some(found) = &self.s.found else {
            return false;
        };
        let inject = &found.framework.inject;
        let wins = match port.form {
            Form::Flag => !inject.flag_adds_listener,
            Form::Variable => !inject.env_beats_flag,
            Form::Positional | Form::Guess => false,
        };
        wins && !inject.args.is_empty()
            && inject.positional.is_none()
            && found.takes_args
            && !found.by_code
            && self.editor.can_append(&self.s.command.tail).is_ok()
    }

    /// The command hands `$PORT` on.
    fn by_variable(&mut self, port: &TypedPort) -> (PortRequest, Hint) {
        self.step(choice::place(port), "hands on the variable PORT, which wharf sets");
        self.s.convention = choice::default_of(port, self.s.convention.clone());
        (self.asked(), Hint::Env)
    }

    fn hint_of(&self, form: Form) -> Hint {
        let positional = self.framework().is_some_and(|f| f.inject.positional.is_some());
        match form {
            Form::Flag if positional => Hint::Positional,
            Form::Flag | Form::Guess => Hint::Flag,
            Form::Positional => Hint::Positional,
            Form::Variable => Hint::Env,
        }
    }

    fn asked(&self) -> PortRequest {
        choice::request(self.s.argument, &self.s.convention)
    }

    fn untyped(&mut self) -> Result<(PortRequest, Hint), PlanError> {
        let variable = self
            .framework()
            .and_then(|framework| FlagVariable::of(framework, &self.s.command, self.s.env));
        match variable {
            // What the environment says besides the port is kept where the variables are set.
            Some(variable) if variable.port.is_some() || variable.place.is_some() => {
                self.by_flag_variable(&variable)
            }
            _ => Ok(self.unsaid()),
        }
    }

    /// The user has set the variable that would hold wharf's flags.
    fn by_flag_variable(
        &mut self,
        variable: &FlagVariable,
    ) -> Result<(PortRequest, Hint), PlanError> {
        // One that wharf itself has set in an outer run holds a lease, not a wish.
        let outer = variable.place.is_none() && (self.s.env)("WHARF_ROOT").is_some();
        // In a shell text the quotes that a value needs would have to go inside the word.
        let fixed = !matches!(variable.place, None | Some(Place::Argv(_)));
        let said = variable.port.as_ref().map(|port| (port, &port.said));
        if let Some((port, Said::Port(number))) = said
            && !outer
            && (fixed || self.s.argument.is_none())
        {
            let port = TypedPort { place: Place::Fixed, ..port.clone() };
            let request = choice::fixed(self.s.argument, *number, &port)?;
            self.step(variable.shown(), format!("names port {number}: it is asked for"));
            self.keep(variable);
            return Ok((request, Hint::Typed));
        }
        let usable = !matches!(said, Some((_, Said::Other)));
        let leased = variable.leased().filter(|_| usable);
        let written = leased.is_some_and(|value| self.write(variable, value));
        let found = match (written, said) {
            (true, Some(_)) => "names a port: wharf's is put in its place",
            (true, None) => "gets wharf's port behind its own flags",
            (false, _) => "cannot be given wharf's port: left as it is",
        };
        self.step(variable.shown(), found);
        if !written {
            self.keep(variable);
        }
        Ok((self.asked(), if written { Hint::Env } else { Hint::None }))
    }

    fn write(&mut self, variable: &FlagVariable, value: String) -> bool {
        match &variable.place {
            Some(place @ Place::Argv(_)) => {
                self.editor.replace(place, format!("{}={value}", variable.name))
            }
            Some(_) => false,
            None => {
                self.variables.set(variable.name, &value);
                true
            }
        }
    }

    /// Sees to it that nothing is added to a variable later.
    fn keep(&mut self, variable: &FlagVariable) {
        if variable.place.is_none() && !variable.value.contains('{') {
            self.variables.set(variable.name, &variable.value);
        }
    }

    /// Nothing that the user wrote names a port.
    fn unsaid(&mut self) -> (PortRequest, Hint) {
        let by_config = match self.s.found.as_ref().map(Match::by) {
            Some(By::Config) => self.by_config(),
            _ => Hint::None,
        };
        let mut request = self.asked();
        let (inherited, step) = choice::inherited(self.framework(), self.s.env);
        self.steps.extend(step);
        if let Some((port, _)) = inherited
            && self.s.argument.is_none()
        {
            request = PortRequest::Exactly(port);
        } else {
            self.steps.push(self.s.convention.step.clone());
        }
        let hint = match self.s.found.as_ref().map(Match::by) {
            Some(By::Env) => self.by_env(),
            Some(By::Flag) => self.by_flag(),
            Some(By::Positional) => self.by_position(),
            Some(By::Config) => by_config,
            Some(By::Preload) => self.by_preload(),
            Some(By::None) => {
                self.step("catalog", "no way to hand over a port is known");
                Hint::None
            }
            Some(By::Code) | None => self.by_code(),
        };
        (request, hint)
    }

    fn by_env(&mut self) -> Hint {
        // A number in the code wins over the variable.
        if self.s.found.as_ref().is_some_and(|found| found.by_code) && self.names_port() {
            return match self.s.lang {
                Lang::Python => self.by_preload(),
                _ => self.by_code(),
            };
        }
        self.carried_by_variables();
        let Some(found) = self.s.found.as_ref().filter(|f| f.takes_args && !f.by_code) else {
            return Hint::Env;
        };
        let inject = &found.framework.inject;
        let mut flags: Vec<&str> = Vec::new();
        if inject.env_beats_flag {
            flags.extend(inject.args);
        }
        if !self.typed.host {
            flags.extend(inject.args_host);
        }
        if !flags.is_empty() {
            flags.extend(inject.args_extra);
            self.append(&flags);
        }
        Hint::Env
    }

    fn by_flag(&mut self) -> Hint {
        let Some(found) = self.s.found.clone() else {
            return Hint::None;
        };
        let inject = &found.framework.inject;
        if let Some(template) = inject.replace
            && let Some(word) = self.s.command.words.get(found.end - 1)
            && self.editor.replace(&word.place, template.to_owned())
        {
            return Hint::Flag;
        }
        if !inject.args.is_empty() && self.append_flags() {
            return Hint::Flag;
        }
        self.carried_by_variables()
    }

    /// Adds the flags for port and host. Says so if they can go nowhere.
    fn append_flags(&mut self) -> bool {
        let Some(framework) = self.framework() else {
            return false;
        };
        let inject = &framework.inject;
        let mut flags = inject.args.to_vec();
        if !self.typed.host {
            flags.extend(inject.args_host);
        }
        flags.extend(inject.args_extra);
        if let Some(page) = &inject.page {
            flags.extend(page::flags(page, &self.s.command));
        }
        self.append(&flags)
    }

    fn append(&mut self, flags: &[&str]) -> bool {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        if let Err(why) = self.editor.can_append(&self.s.command.tail) {
            self.step(format!("`{}`", flags.join(" ")), format!("cannot be added: {why}"));
            return false;
        }
        self.step(format!("`{}`", flags.join(" ")), "is added to the command");
        self.editor.append(&self.s.command.tail, &flags)
    }

    /// The variables of the framework that carry the port.
    fn carried_by_variables(&mut self) -> Hint {
        let inject = self.framework().map(|framework| &framework.inject);
        let all = inject.iter().flat_map(|inject| inject.env.iter().chain(inject.env_append));
        let names: Vec<&str> =
            all.filter(|(_, value)| value.contains("{port}")).map(|(name, _)| *name).collect();
        if names.is_empty() {
            return Hint::None;
        }
        self.step(format!("variable {}", names.join(", ")), "carries the port");
        Hint::Env
    }

    fn by_position(&mut self) -> Hint {
        let Some(framework) = self.framework() else {
            return Hint::None;
        };
        let inject = &framework.inject;
        let mut words: Vec<&str> = Vec::new();
        if !self.typed.host {
            words.extend(inject.args_host);
        }
        words.extend(inject.template);
        let flag_waits = || {
            self.s
                .command
                .words
                .last()
                .is_some_and(|word| framework.typed.address.contains(&word.text.as_str()))
        };
        if inject.positional == Some(Positional::FlagAddress) && !flag_waits() {
            return Hint::None;
        }
        if self.append(&words) { Hint::Positional } else { Hint::None }
    }

    fn by_config(&mut self) -> Hint {
        let derived = match self.framework().and_then(|framework| framework.inject.derive) {
            Some(Derive::Nginx) => nginx::derive(&self.s.command),
            Some(Derive::Tomcat) => tomcat::derive(&self.s.command, self.s.env),
            None => return Hint::None,
        };
        match derived {
            Ok(derived) => {
                if let Some(port) = Port::new(derived.port) {
                    self.s.convention = Convention { port, strict: false, step: derived.step };
                }
                let placed = match derived.at {
                    At::Instead(place) => self.editor.replace(&place, derived.template),
                    At::Before(index) => {
                        self.editor.insert(index, vec![derived.flag.to_owned(), derived.template]);
                        true
                    }
                    At::End => self.append(&[derived.flag, &derived.template]),
                };
                self.files.push(derived.file);
                if placed { Hint::Config } else { Hint::None }
            }
            Err(step) => {
                self.steps.push(step);
                Hint::None
            }
        }
    }

    fn names_port(&self) -> bool {
        self.s.code.names.is_some() && self.s.code.reads.is_none()
    }

    fn by_preload(&mut self) -> Hint {
        if self.s.code.reads.is_some() {
            return self.by_code();
        }
        match preload::python(self.s.convention.port, self.s.env) {
            Ok((file, variable)) => {
                self.step("PYTHONPATH", preload::EXPLAINED);
                self.files.push(file);
                self.variables.set(&variable.0, &variable.1);
                Hint::Config
            }
            Err(step) => {
                self.steps.push(step);
                Hint::None
            }
        }
    }

    /// The project's code decides.
    fn by_code(&mut self) -> Hint {
        if let Some(several) = &self.s.command.several {
            let found = "may run several servers: no flag is added, and all get the same PORT; \
                         `wharf run` for each of them gives each a port of its own";
            self.steps.push(Step::new(format!("`{several}`"), found));
        }
        match (&self.s.code.reads, self.names_port()) {
            (Some((file, line)), _) => {
                let place = format!("{}:{line}", crate::folder::shown(file, &self.s.command.dir));
                self.steps.push(Step::new(place, "the code reads PORT"));
                Hint::Convention
            }
            (None, true) => {
                self.step("PORT", "the code names its port and does not read the variable");
                Hint::None
            }
            (None, false) => {
                self.step("variable PORT", "is set; whether the program reads it is not known");
                Hint::Convention
            }
        }
    }
}

/// The language of a program that the catalog does not know.
pub(crate) fn lang_of(command: &Command) -> Lang {
    let by_kind = command.layers.iter().rev().find_map(|layer| match layer.kind {
        LayerKind::Script(lang) => Some(lang),
        LayerKind::Module => Some(Lang::Python),
        LayerKind::Program => None,
    });
    let word = command.words.get(command.innermost().start);
    let program = word.map_or("", |word| program_name(&word.text));
    by_kind.unwrap_or(match program {
        "go" => Lang::Go,
        "cargo" => Lang::Rust,
        "java" | "mvn" | "mvnw" | "gradle" | "gradlew" => Lang::Java,
        "sbt" => Lang::Scala,
        "mix" | "iex" => Lang::Elixir,
        "dotnet" => Lang::Dotnet,
        "php" => Lang::Php,
        "ruby" | "rackup" | "rake" => Lang::Ruby,
        _ if command.script.is_some() => Lang::Js,
        _ => Lang::Any,
    })
}
