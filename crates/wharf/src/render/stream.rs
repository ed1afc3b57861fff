//! The output of several instances in one stream: each line behind its name, and on a terminal a line of
//! status below the last.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use wharf_supervisor::log::{Line, Who, ansi};

use super::printable;
use super::table::{columns, terminal_width};
use super::takes_colours;
use crate::report::Report;

/// Between a name and its line.
const BAR: &str = " | ";
/// The mark of wharf's own lines.
const MARK: &str = "wharf:";
/// To the beginning of the line, and away with what stands there.
const CLEAR: &str = "\r\x1b[K";
/// The end of all colours of a line, so that they do not run into the next.
const RESET: &str = "\x1b[0m";
/// Colours of names, which none of wharf's warnings has.
const PALETTE: [AnsiColor; 10] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightYellow,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

/// How lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Names and wharf's marks have colours.
    pub(crate) paints: bool,
    /// What servers put out keeps its colours.
    pub(crate) keeps_colours: bool,
    /// Bytes are text, and a line of status may stand below them.
    pub(crate) is_terminal: bool,
    /// Lines are written as they came, with whatever they do to a terminal.
    pub(crate) is_raw: bool,
}

impl Look {
    /// What fits standard output.
    pub(crate) fn of_stdout() -> Look {
        let stdout = std::io::stdout();
        let paints = takes_colours(&stdout);
        let is_terminal = stdout.is_terminal();
        Look { paints, keeps_colours: paints, is_terminal, is_raw: false }
    }
}

/// Lines of named instances, as bytes for standard output. Nothing is written here but by
/// [`Stream::show`].
#[derive(Debug)]
pub(crate) struct Stream {
    look: Look,
    /// Each with the place of its colour.
    names: Vec<(String, usize)>,
    /// The columns of the longest name; none where no line is named.
    room: usize,
    is_named: bool,
    status: Option<String>,
    is_status_drawn: bool,
    /// Written and not yet shown.
    bytes: Vec<u8>,
    width: fn() -> usize,
}

impl Stream {
    /// A stream of instances of these names; more may come. Lines are behind their names if `is_named`.
    pub(crate) fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        is_named: bool,
        look: Look,
    ) -> Stream {
        let mut stream = Stream {
            look,
            names: Vec::new(),
            room: 0,
            is_named,
            status: None,
            is_status_drawn: false,
            bytes: Vec::new(),
            width: terminal_width,
        };
        for name in names {
            stream.known(name);
        }
        stream
    }

    /// Adds a line of an instance.
    pub(crate) fn line(&mut self, name: &str, line: &Line) {
        self.clear_status();
        if self.is_named {
            let lead = self.lead(name);
            self.bytes.extend_from_slice(lead.as_bytes());
        }
        if line.who == Who::Wharf {
            let style = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
            let mark = self.painted(style, MARK);
            self.bytes.extend_from_slice(mark.as_bytes());
            self.bytes.push(b' ');
        }
        let look = self.look;
        let shown = match (look.is_raw, look.keeps_colours) {
            (true, _) => line.bytes.as_slice().into(),
            (false, true) => ansi::coloured(&line.bytes),
            (false, false) => ansi::stripped(&line.bytes),
        };
        match look.is_terminal && !look.is_raw {
            true => self.bytes.extend_from_slice(String::from_utf8_lossy(&shown).as_bytes()),
            false => self.bytes.extend_from_slice(&shown),
        }
        if ansi::has_colour(&shown) && !shown.ends_with(RESET.as_bytes()) && !look.is_raw {
            self.bytes.extend_from_slice(RESET.as_bytes());
        }
        self.bytes.push(b'\n');
    }

    /// Sets the line below all others, or takes it away. Nothing happens where there is no terminal.
    #[cfg_attr(not(test), allow(dead_code, reason = "logs have no status, what runs has"))]
    pub(crate) fn set_status(&mut self, text: Option<&str>) {
        if self.look.is_terminal {
            self.clear_status();
            self.status = text.map(printable);
        }
    }

    /// Everything that is to be written now, the line of status at its end.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        if let Some(status) = &self.status
            && !self.is_status_drawn
        {
            // A full line would go over to the next on some terminals.
            let cut = cut(status, (self.width)().saturating_sub(1));
            let text = self.painted(Style::new().dimmed(), cut);
            self.bytes.extend_from_slice(text.as_bytes());
            self.is_status_drawn = true;
        }
        std::mem::take(&mut self.bytes)
    }

    /// Writes everything to standard output; false once its reader has gone.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn show(&mut self) -> Result<bool, Report> {
        let bytes = self.take();
        super::still_read_bytes(&bytes)
    }

    /// How many bytes wait to be shown.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    fn clear_status(&mut self) {
        if std::mem::take(&mut self.is_status_drawn) {
            self.bytes.extend_from_slice(CLEAR.as_bytes());
        }
    }

    fn lead(&mut self, name: &str) -> String {
        let colour = PALETTE[self.known(name)];
        let name = printable(name);
        let gap = " ".repeat(self.room.saturating_sub(columns(&name)));
        self.painted(Style::new().fg_color(Some(colour.into())), &format!("{name}{gap}{BAR}"))
    }

    /// The colour of a name: its own by its letters, unless another name has that one.
    fn known(&mut self, name: &str) -> usize {
        if let Some((_, colour)) = self.names.iter().find(|(known, _)| known == name) {
            return *colour;
        }
        let first = name.bytes().fold(0, |sum: usize, byte| sum * 31 % 9973 + usize::from(byte));
        let is_free = |colour: &usize| self.names.iter().all(|(_, taken)| taken != colour);
        let all = (0..PALETTE.len()).map(|step| (first + step) % PALETTE.len());
        let colour = all.clone().find(is_free).unwrap_or(first % PALETTE.len());
        self.names.push((name.to_owned(), colour));
        self.room = self.room.max(columns(&printable(name)));
        colour
    }

    fn painted(&self, style: Style, text: &str) -> String {
        match self.look.paints {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// As much of the beginning as fits.
fn cut(text: &str, room: usize) -> &str {
    let mut end = text.len();
    while columns(&text[..end]) > room {
        end = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Look =
        Look { paints: true, keeps_colours: true, is_terminal: true, is_raw: false };
    const PIPE: Look =
        Look { paints: false, keeps_colours: false, is_terminal: false, is_raw: false };

    fn server(bytes: &[u8]) -> Line {
        Line { time_ms: 0, who: Who::Server, bytes: bytes.to_vec() }
    }

    fn wharf(text: &str) -> Line {
        Line { time_ms: 0, who: Who::Wharf, bytes: text.into() }
    }

    fn taken(stream: &mut Stream) -> String {
        String::from_utf8(stream.take()).unwrap()
    }

    #[test]
    fn on_a_pipe_lines_are_plain_and_names_stand_below_each_other() {
        let mut stream = Stream::new(["web.1", "worker.1"], true, PIPE);
        stream.line("web.1", &server(b"\x1b[32mready\x1b[0m in 5 ms"));
        stream.line("worker.1", &wharf("launched"));
        stream.line("a-later-one.1", &server(b""));
        stream.set_status(Some("not shown"));
        assert_eq!(
            taken(&mut stream),
            "web.1    | ready in 5 ms\nworker.1 | wharf: launched\na-later-one.1 | \n"
        );
        stream.line("web.1", &server(b"\xff"));
        assert_eq!(stream.take(), b"web.1         | \xff\n");
    }

    #[test]
    fn on_a_terminal_colours_stay_and_the_screen_is_not_cleared() {
        let mut stream = Stream::new(["a"], false, TERMINAL);
        stream.line("a", &server(b"\x1bc\x1b[2J\x1b[3J\x1b[H\x1b[31mred\xff\x1b[K"));
        assert_eq!(taken(&mut stream), "\x1b[31mred\u{fffd}\x1b[0m\n");
        stream.line("a", &wharf("ready"));
        assert_eq!(taken(&mut stream), "\x1b[36mwharf:\x1b[0m ready\n");
    }

    #[test]
    fn raw_lines_are_what_came() {
        let look = Look { is_raw: true, ..PIPE };
        let mut stream = Stream::new(["a"], false, look);
        stream.line("a", &server(b"\x1b[2J\xff"));
        assert_eq!(stream.take(), b"\x1b[2J\xff\n");
    }

    #[test]
    fn the_status_is_below_the_last_line_and_fits_the_terminal() {
        let mut stream = Stream::new(["a"], false, Look { paints: false, ..TERMINAL });
        stream.width = || 10;
        stream.set_status(Some("3 of 4 are ready"));
        assert_eq!(taken(&mut stream), "3 of 4 ar");
        assert_eq!(taken(&mut stream), "", "it stands there already");
        stream.line("a", &server(b"a line that is not cut"));
        stream.line("a", &server(b"two"));
        assert_eq!(taken(&mut stream), "\r\x1b[Ka line that is not cut\ntwo\n3 of 4 ar");
        stream.width = || 0;
        stream.set_status(Some("x"));
        assert_eq!(taken(&mut stream), "\r\x1b[K");
        stream.width = || 80;
        stream.set_status(Some("4 of 4\n"));
        assert_eq!(taken(&mut stream), "\r\x1b[K4 of 4\\n");
        stream.set_status(None);
        assert_eq!(taken(&mut stream), "\r\x1b[K");
    }

    #[test]
    fn each_name_has_a_colour_of_its_own_that_stays() {
        let names: Vec<String> = (1..=PALETTE.len()).map(|n| format!("service-{n}")).collect();
        let mut stream = Stream::new(names.iter().map(String::as_str), true, TERMINAL);
        let mut colours: Vec<usize> = names.iter().map(|name| stream.known(name)).collect();
        let alone = Stream::new([], true, TERMINAL).known("service-1");
        assert_eq!(colours[0], alone, "the first one's does not depend on others");
        colours.sort_unstable();
        assert_eq!(colours, (0..PALETTE.len()).collect::<Vec<_>>());
        stream.known("one too many");
        let mut web = Stream::new(["web.1"], true, TERMINAL);
        web.line("web.1", &server(b"x"));
        let colour = anstyle::Style::new().fg_color(Some(PALETTE[web.known("web.1")].into()));
        assert_eq!(taken(&mut web), format!("{colour}web.1 | \x1b[0mx\n"));
    }
}
