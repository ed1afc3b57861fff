//! The servers of a proof and the browser before them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::copies::Problems;
use super::super::copy::Copy;
use super::super::environment::{self, Variables};
use super::super::events::Event;
use super::super::place::Place;
use super::super::spec::{Book, Run};
use super::super::started::{Started, Surroundings};
use super::super::{daemon, processes};
use super::browser::Browser;

/// Where Chromium keeps the certificates that its user trusts.
const CERTIFICATES: &str = "home/.pki/nssdb";

/// How long a server may take to be gone that was asked to end.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// All that a proof has.
pub struct World<'a> {
    /// The entry of the table.
    pub run: &'a Run,
    /// Where everything is.
    pub place: &'a Place,
    book: &'a Book,
    /// The servers, in the order in which they were started.
    pub sites: Vec<Site<'a>>,
    browser: Option<Browser>,
    closed: bool,
}

/// A server that was started under wharf.
pub struct Site<'a> {
    /// The entry that it is of.
    pub run: &'a Run,
    /// Its process.
    pub started: Started,
    /// Its host name, once it is ready.
    pub host: String,
    /// The port that it really has.
    pub port: u16,
    /// What was edited, so that it is not what it was.
    edited: BTreeSet<PathBuf>,
}

impl Site<'_> {
    /// Its address in a scheme, with a path.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.host)
    }

    /// The text that only this copy has.
    pub fn identity(&self) -> &str {
        &self.started.copy.identity
    }

    /// Edits a file, as an editor does: every `from` becomes `to`. The new file takes the place of the old
    /// one, since half a file is an error to whoever watches it.
    pub fn edit(&mut self, file: &str, from: &str, to: &str) -> Result<(), String> {
        let path = self.started.copy.folder.join(file);
        let wrong = |error| format!("cannot edit {}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(wrong)?;
        if !text.contains(from) {
            return Err(format!("there is no `{from}` in {}", path.display()));
        }
        // Outside of the project, where nobody watches.
        let new = self.started.copy.stdout.with_file_name("edited");
        fs::write(&new, text.replace(from, to)).map_err(wrong)?;
        fs::rename(&new, &path).map_err(wrong)?;
        self.edited.insert(path);
        Ok(())
    }
}

impl<'a> World<'a> {
    /// Makes the local CA and has the browser of this home trust it.
    pub fn open(book: &'a Book, run: &'a Run, place: &'a Place) -> Result<World<'a>, String> {
        // As a browser makes it when it is first started.
        let database = place.root.join(CERTIFICATES);
        fs::create_dir_all(&database).map_err(|error| format!("no folder: {error}"))?;
        let database = format!("sql:{}", database.display());
        let made = Command::new("certutil")
            .args(["-N", "--empty-password", "-d", &database])
            .status()
            .map_err(|error| format!("cannot run certutil: {error}"))?;
        if !made.success() {
            return Err("certutil makes no database".to_owned());
        }
        wharf(place, &["trust", "--store", "nss"])?;
        Ok(World { run, place, book, sites: Vec::new(), browser: None, closed: false })
    }

    /// The run, and those that it names.
    pub fn runs(&self) -> Result<Vec<&'a Run>, String> {
        let further = self.run.with.iter().map(|name| self.book.find(name));
        std::iter::once(Ok(self.run)).chain(further).collect()
    }

    /// Makes a copy in a folder of its own and starts it with these options besides those of the table;
    /// the name of the folder is the name of the project.
    pub fn start(
        &mut self,
        run: &'a Run,
        folder: &str,
        options: &[&str],
    ) -> Result<&mut Site<'a>, String> {
        let letter = self.letter();
        let copy = Copy::make_at(run, self.place, letter, folder)?;
        let env = environment::of_copy(self.book, run, self.place, &copy);
        for command in &run.prepare {
            prepare(command, &copy, &env)?;
        }
        self.start_in(run, copy, options)
    }

    /// Starts the command of a run in a copy that is there.
    pub fn start_in(
        &mut self,
        run: &'a Run,
        copy: Copy,
        options: &[&str],
    ) -> Result<&mut Site<'a>, String> {
        let env = environment::of_copy(self.book, run, self.place, &copy);
        let mut argv = self.place.wharf_command();
        argv.extend(["run", "--events"].map(str::to_owned));
        argv.push(copy.events.to_string_lossy().into_owned());
        argv.extend(run.options.iter().cloned().chain(options.iter().map(|&one| one.to_owned())));
        argv.push("--".to_owned());
        argv.extend(run.command.iter().cloned());
        let started = Started::start(copy, &argv, &env, Surroundings::Nothing)?;
        let (host, edited) = (String::new(), BTreeSet::new());
        self.sites.push(Site { run, started, host, port: 0, edited });
        self.sites.last_mut().ok_or_else(|| "nothing was started".to_owned())
    }

    fn letter(&self) -> char {
        ('a'..='z').nth(self.sites.len()).unwrap_or('z')
    }

    /// Waits until every server is ready, and keeps what it is called.
    pub fn ready(&mut self) -> Result<(), String> {
        for site in &mut self.sites {
            let event = site.started.event("ready", Instant::now() + site.run.ready_within())?;
            site.named(&event)?;
        }
        Ok(())
    }

    /// The browser, started when it is first wanted.
    pub fn browser(&mut self) -> Result<&mut Browser, String> {
        if self.browser.is_none() {
            self.browser = Some(Browser::open(self.place)?);
        }
        self.browser.as_mut().ok_or_else(|| "there is no browser".to_owned())
    }

    /// Ends everything; nothing of it may be left, and the files are as they were.
    pub fn close(&mut self, problems: &mut Problems) {
        self.closed = true;
        problems.extend(self.browser.take().and_then(|browser| browser.close().err()));
        for site in &mut self.sites {
            // One that has ended by itself was meant to, or was told of.
            if site.started.ended().is_none() {
                let told = site.started.ask_to_end();
                problems.extend(told.and_then(|()| site.started.exit_code(GONE_WITHIN)).err());
            }
            let changed = site.started.copy.changed(site.run, self.place);
            let meant = |file: &&String| !site.edited.iter().any(|path| path == file.as_str());
            problems.extend(
                changed.iter().filter(meant).map(|file| format!("{file} is not what it was")),
            );
        }
        problems.extend(daemon::stop(self.place).err());
    }

    /// Everything that helps to see why it went wrong.
    pub fn evidence(&mut self) -> String {
        if self.closed {
            let left = processes::others();
            return left.iter().map(|one| format!("  running at the end: {one}\n")).collect();
        }
        let mut text = String::new();
        for arguments in [&["proxy", "status"][..], &["ls"]] {
            let said = wharf(self.place, arguments).unwrap_or_else(|why| why);
            text.extend(said.lines().map(|line| format!("    {}| {line}\n", arguments[0])));
        }
        for site in &mut self.sites {
            text.push_str(&site.started.evidence());
        }
        text
    }
}

impl Site<'_> {
    /// Keeps the names out of an event; both schemes have their usual ports here.
    fn named(&mut self, ready: &Event) -> Result<(), String> {
        let url = ready.url.as_deref().unwrap_or_default();
        let host = url.strip_prefix("https://").filter(|host| host.ends_with(".localhost"));
        self.host = host.ok_or_else(|| format!("ready at `{url}`, and not at a name"))?.to_owned();
        self.port = ready.port.ok_or("ready without a port")?;
        Ok(())
    }
}

/// What a command of wharf's says.
pub fn wharf(place: &Place, arguments: &[&str]) -> Result<String, String> {
    let done = daemon::wharf(place, arguments)?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(said);
    }
    let wrong = String::from_utf8_lossy(&done.stderr);
    Err(format!("`wharf {}` ({}): {said}{}", arguments.join(" "), done.status, wrong.trim()))
}

/// Calls a command in the copy; the shell finds it on the copy's own path.
pub fn prepare(command: &[String], copy: &Copy, env: &Variables) -> Result<(), String> {
    let done = Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\""])
        .args(command)
        .current_dir(&copy.folder)
        .env_clear()
        .envs(env)
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)))
}
