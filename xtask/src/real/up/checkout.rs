//! A checkout in which `wharf up` and `wharf down` are typed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::super::copies::is_free;
use super::super::copy::Copy;
use super::super::environment::{self, Variables};
use super::super::http::{self, Answer};
use super::super::names::world::prepare;
use super::super::place::Place;
use super::super::processes;
use super::super::spec::{Book, Run};
use super::super::started::{Started, Surroundings};
use super::document::{Document, Instance};

/// How long any command but `up` and `down` may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A checkout of the project.
pub struct Checkout<'a> {
    /// Its files.
    pub copy: Copy,
    place: &'a Place,
    env: Variables,
}

/// A `wharf up` under way.
pub struct ComingUp(Started);

impl<'a> Checkout<'a> {
    /// The checkout of a copy.
    pub fn of(book: &Book, run: &Run, place: &'a Place, copy: Copy) -> Checkout<'a> {
        Checkout { env: environment::of_copy(book, run, place, &copy), copy, place }
    }

    /// Calls the commands that come first, without wharf.
    pub fn prepare(&self, run: &Run) -> Result<(), String> {
        run.prepare.iter().try_for_each(|command| prepare(command, &self.copy, &self.env))
    }

    /// Types `wharf up`, with the options of the table.
    pub fn up(&self, run: &Run) -> Result<ComingUp, String> {
        let timeout = run.timeout.to_string();
        let mut words = vec!["up", "--detach", "--json", "--timeout", &timeout];
        words.extend(run.options.iter().map(String::as_str));
        self.start("up", &words).map(ComingUp)
    }

    /// Types `wharf down`; nothing of the checkout may be left by the time that it returns.
    pub fn down(&self, run: &Run) -> Result<String, String> {
        let before = self.list()?;
        let said = finish(self.start("down", &["down"])?, run.gone_within())?;
        self.nothing_left()?;
        for port in before.instances.iter().map(|instance| instance.port) {
            is_free(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
        }
        Ok(said)
    }

    /// What lives in this checkout, by `wharf ls`.
    pub fn list(&self) -> Result<Document, String> {
        let mut all = Document::parse(&self.wharf(&["ls", "--json"])?)?;
        let own = self.copy.folder_text();
        all.instances.retain(|instance| instance.root == own);
        Ok(all)
    }

    /// What a command of wharf's says.
    pub fn wharf(&self, words: &[&str]) -> Result<String, String> {
        finish(self.start(words[0], words)?, ANSWER_WITHIN)
    }

    fn start(&self, name: &str, words: &[&str]) -> Result<Started, String> {
        let mut argv = self.place.wharf_command();
        argv.extend(words.iter().map(|&word| word.to_owned()));
        let copy = self.copy.output_of(name);
        Started::start(copy, &argv, &self.env, Surroundings::Nothing)
    }

    /// Asks an instance at its own address, for the text that only this copy has.
    pub fn ask(&self, run: &Run, instance: &Instance) -> Result<Answer, String> {
        let address = instance.address()?;
        self.own(http::get(address, &run.path, ANSWER_WITHIN)?, &address.to_string())
    }

    /// Asks an instance by its name.
    pub fn ask_by_name(&self, run: &Run, instance: &Instance) -> Result<Answer, String> {
        let host = instance.host()?;
        let port = host.rsplit_once(':').map_or(Ok(80), |(_, port)| port.parse::<u16>());
        let port = port.map_err(|error| format!("{host}: {error}"))?;
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.own(http::get_of(proxy, host, &run.path, ANSWER_WITHIN)?, host)
    }

    fn own(&self, answer: Answer, asked: &str) -> Result<Answer, String> {
        match answer.status == 200 && answer.body.contains(&self.copy.identity) {
            true => Ok(answer),
            false => Err(format!(
                "{asked} answered {} and not the text of {}, but: {:.300}",
                answer.status, self.copy.letter, answer.body
            )),
        }
    }

    /// Checks that no process of the checkout is alive.
    pub fn nothing_left(&self) -> Result<(), String> {
        let left = self.processes();
        if left.is_empty() { Ok(()) } else { Err(format!("left over: {}", left.join(", "))) }
    }

    /// What lives of the checkout.
    pub fn processes(&self) -> Vec<String> {
        let (mark, folder) = (&self.copy.mark, &self.copy.folder);
        let all = processes::others().into_iter();
        // The daemon carries the mark of whoever was first.
        let own = all.filter(|one| one.belongs_to(mark, folder) && !one.is_called("daemon run"));
        own.map(|one| one.to_string()).collect()
    }
}

impl ComingUp {
    /// Waits until everything is ready.
    pub fn ready(self, run: &Run) -> Result<Document, String> {
        Document::parse(&finish(self.0, run.ready_within() + ANSWER_WITHIN)?)
    }
}

/// Waits for the end of a command, and gives what it said on its standard output.
fn finish(mut started: Started, within: Duration) -> Result<String, String> {
    let code = started.exit_code(within).map_err(|why| why + "\n" + &started.evidence())?;
    if code != 0 {
        return Err(format!("exit code {code}\n{}", started.evidence()));
    }
    fs::read_to_string(&started.copy.stdout).map_err(|error| format!("no output: {error}"))
}
