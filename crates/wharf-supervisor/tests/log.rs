//! The keeper of an instance's output with real pipes, disks and readers.

use std::collections::BTreeSet;
use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wharf_model::path_text::PathText;
use wharf_supervisor::log::{Follow, Limits, Line, LogKeeper, Matcher, Start, Tail, Who, place};

/// How long anything may take before the test fails: far more than it needs on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the test that fills a disk finds it, in the process that has it mounted.
const DISK: &str = "WHARF_TEST_DISK";

struct Kept {
    dir: tempfile::TempDir,
    keeper: LogKeeper,
    pipe: PipeWriter,
}

impl Kept {
    fn new(limits: Limits) -> Kept {
        let dir = tempfile::tempdir().unwrap();
        let (keeper, pipe) = keep(dir.path().join("logs/web.1.log"), limits);
        Kept { dir, keeper, pipe }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("logs/web.1.log")
    }

    fn write(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).unwrap();
    }

    /// The server ends; everything that is kept.
    fn end(self) -> Vec<Line> {
        let path = self.path();
        drop(self.pipe);
        assert!(self.keeper.finish(LIMIT));
        lines(&path)
    }
}

fn keep(path: PathBuf, limits: Limits) -> (LogKeeper, PipeWriter) {
    let (out, pipe) = std::io::pipe().unwrap();
    (LogKeeper::start(out.into(), path, limits).unwrap(), pipe)
}

fn lines(path: &Path) -> Vec<Line> {
    let mut tail = Tail::new(path.to_owned(), Start::Beginning).unwrap();
    std::iter::from_fn(|| tail.next_line().unwrap()).collect()
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
}

/// Follows until a line has this text; all lines so far.
fn followed(follow: &mut Follow<&'static str>, text: &str) -> Vec<String> {
    let all = async {
        let mut all = Vec::new();
        loop {
            let (tag, line) = follow.next().await.unwrap();
            let line = String::from_utf8_lossy(&line.bytes).into_owned();
            all.push(format!("{tag} {line}"));
            if line.contains(text) {
                return all;
            }
        }
    };
    block_on(async { tokio::time::timeout(LIMIT, all).await })
        .unwrap_or_else(|_| panic!("never said `{text}`"))
}

thread_local! {
    // A follower belongs to the runtime in which it was first asked.
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

#[test]
fn lines_are_kept_as_they_came_with_time_and_speaker() {
    let mut kept = Kept::new(Limits::default());
    let before = wharf_supervisor::log::now_ms();
    kept.keeper.say("launched");
    let mut follow = Follow::new(vec![("web", kept.path())], Start::Beginning).unwrap();
    followed(&mut follow, "launched");
    kept.write(b"\x1b[32mready\x1b[0m\n\xff\xfe\r\nwharf: not wharf's\n10%\r99%\n");
    kept.write(&[b'x'; 40_000]);
    kept.write(b"\nlast without an end");
    let lines = kept.end();
    assert_eq!((lines[0].who, lines[0].bytes.as_slice()), (Who::Wharf, b"launched".as_slice()));
    assert!(lines[1..].iter().all(|line| line.who == Who::Server));
    assert!(lines.iter().all(|line| line.time_ms >= before));
    let bytes: Vec<&[u8]> = lines.iter().map(|line| line.bytes.as_slice()).collect();
    assert_eq!(
        bytes[1..5],
        [b"\x1b[32mready\x1b[0m".as_slice(), b"\xff\xfe", b"wharf: not wharf's", b"99%"]
    );
    assert_eq!(
        bytes[5..8].iter().map(|line| line.len()).collect::<Vec<_>>(),
        [16_384, 16_384, 7_232]
    );
    assert_eq!(bytes[8..], [b"last without an end"]);
}

#[test]
fn a_prompt_is_shown_although_its_line_has_not_ended() {
    let mut kept = Kept::new(Limits::default());
    let mut follow = Follow::new(vec![("web", kept.path())], Start::Beginning).unwrap();
    kept.write(b"Proceed? [y/N] ");
    assert_eq!(followed(&mut follow, "Proceed"), ["web Proceed? [y/N] "]);
    kept.write(b"\nyes\n");
    assert_eq!(texts(&kept.end()), ["Proceed? [y/N] ", "yes"]);
}

#[test]
fn a_line_that_is_watched_for_is_told_once() {
    let mut kept = Kept::new(Limits::default());
    let told = kept.keeper.watch(Matcher::new(r"ready in \d+ ms").unwrap());
    kept.write(b"starting\n\x1b[1mready in \x1b[32m12\x1b[0m ms\nready in 13 ms\n");
    let found = block_on(async { tokio::time::timeout(LIMIT, told).await }).unwrap().unwrap();
    assert_eq!(found, "ready in 12 ms");
    let never = kept.keeper.watch(Matcher::new("never").unwrap());
    let next = kept.keeper.watch(Matcher::new("again").unwrap());
    assert!(block_on(never).is_err(), "another has taken its place");
    kept.write(b"again");
    drop(kept.pipe);
    assert_eq!(block_on(next).unwrap(), "again");
}

#[test]
fn the_next_launch_goes_on_in_the_same_file() {
    let kept = Kept::new(Limits::default());
    let Kept { dir, keeper, mut pipe } = kept;
    let path = dir.path().join("logs/web.1.log");
    pipe.write_all(b"first\n").unwrap();
    // The writing end stays open, as in a child that has got away.
    assert!(keeper.finish(LIMIT));
    assert!(pipe.write_all(b"into the void\n").is_err(), "nobody reads it any more");
    let (keeper, mut pipe) = keep(path.clone(), Limits::default());
    keeper.say("launched again");
    pipe.write_all(b"second\n").unwrap();
    drop(pipe);
    assert!(keeper.finish(LIMIT));
    let mut all = texts(&lines(&path));
    all.sort();
    assert_eq!(all, ["first", "launched again", "second"]);
}

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_flood_fills_neither_memory_nor_disk_and_stops_nobody() {
    const FLOOD: usize = 200 * 1024 * 1024;
    let mut kept = Kept::new(Limits::default());
    let whole = b"0123456789 a line of a server that says far too much, and says it again";
    let chunk = [whole.as_slice(), b"\n"].concat().repeat(900);
    let before = resident();
    let begun = Instant::now();
    let mut sent = 0;
    while sent < FLOOD {
        kept.write(&chunk);
        sent += chunk.len();
    }
    let Kept { dir, keeper, pipe } = kept;
    drop(pipe);
    assert!(keeper.finish(LIMIT));
    let took = begun.elapsed();
    let more = resident().saturating_sub(before);
    println!("{} MB in {took:?}, {} kB more in memory", sent / 1_000_000, more / 1000);
    assert!(more < 64 * 1024 * 1024, "{more}");
    let folder = dir.path().join("logs");
    let on_disk = |file: std::fs::DirEntry| file.metadata().unwrap().len();
    let on_disk: u64 = std::fs::read_dir(&folder).unwrap().flatten().map(on_disk).sum();
    assert!((1..=2 * Limits::default().file_bytes).contains(&on_disk), "{on_disk}");
    let is_whole = |line: &Line| line.who == Who::Wharf || line.bytes == whole;
    assert!(lines(&folder.join("web.1.log")).iter().all(is_whole));
}

#[test]
fn the_disk_holds_two_files_of_a_bounded_size_and_followers_miss_nothing() {
    let limits = Limits { waiting_bytes: 1 << 20, file_bytes: 4096 };
    let mut kept = Kept::new(limits);
    let mut follow = Follow::new(vec![("web", kept.path())], Start::Beginning).unwrap();
    for round in 0..100 {
        // The follower is never more than one file behind.
        let text: String = (0..20).map(|n| format!("round {round} line {n:02}\n")).collect();
        kept.write(text.as_bytes());
        let seen = followed(&mut follow, "line 19");
        assert_eq!(seen.len(), 20, "{seen:?}");
        assert_eq!(seen[0], format!("web round {round} line 00"));
    }
    let files: Vec<_> =
        std::fs::read_dir(kept.path().parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 4096), "{files:?}");
    let left = texts(&kept.end());
    assert_eq!(left.last().unwrap(), "round 99 line 19");
    assert!(left.len() < 400);
}

#[test]
fn many_logs_are_followed_at_once_before_they_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("state/logs");
    let root = PathText::new(dir.path());
    let path = |n: u32| place::path(&logs, &root, "web", n);
    let files = (1..=100).map(|n| ("web", path(n))).collect();
    let mut follow = Follow::new(files, Start::End).unwrap();
    follow.admit(place::folder(&logs, &root), |entry| (entry.service == "late").then_some("late"));
    // Nothing is there: this waits for the folder above all others.
    let none = async { tokio::time::timeout(Duration::ZERO, follow.next()).await.is_err() };
    assert!(block_on(none));
    place::prepare(&logs, &root).unwrap();
    let mut keepers: Vec<_> = (1..=100).map(|n| keep(path(n), Limits::default())).collect();
    for (n, (_, pipe)) in keepers.iter_mut().enumerate() {
        writeln!(pipe, "from {}", n + 1).unwrap();
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 100 {
        seen.extend(followed(&mut follow, "from"));
    }
    let (keeper, mut pipe) = keep(place::path(&logs, &root, "late", 1), Limits::default());
    pipe.write_all(b"here too\n").unwrap();
    assert_eq!(followed(&mut follow, "here too"), ["late here too"]);
    let (other, mut unwanted) = keep(place::path(&logs, &root, "other", 1), Limits::default());
    unwanted.write_all(b"unwanted\n").unwrap();
    drop(unwanted);
    assert!(other.finish(LIMIT));
    pipe.write_all(b"last\n").unwrap();
    assert_eq!(followed(&mut follow, "last"), ["late last"]);
    drop(keeper);
}

#[test]
fn what_is_kept_is_merged_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let a = file("a.log", "10 o a1\n30 o a3\n60 o late\n");
    file("b.log.1", "5 o b0\n20 o b2\n");
    let b = file("b.log", "40 o b4\n");
    let mut follow = Follow::new(vec![("a", a), ("b", b)], Start::Beginning).unwrap();
    let past = std::iter::from_fn(|| follow.past(50).unwrap());
    let past: Vec<_> = past.map(|(tag, line)| format!("{tag}:{}", line.time_ms)).collect();
    assert_eq!(past, ["b:5", "a:10", "b:20", "a:30", "b:40"]);
    assert_eq!(followed(&mut follow, "late"), ["a late"], "what was looked at is not lost");
}

#[test]
fn a_full_disk_stops_nobody_and_is_told_once_there_is_room() {
    if let Some(disk) = std::env::var_os(DISK) {
        return on_a_small_disk(Path::new(&disk));
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=3m,mode=700 tmpfs \"$0\"; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", script]).arg(dir.path());
    command.arg(std::env::current_exe().unwrap()).env(DISK, dir.path());
    command.args([
        "--exact",
        "a_full_disk_stops_nobody_and_is_told_once_there_is_room",
        "--nocapture",
    ]);
    let may_mount =
        Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if !may_mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this test mounts a file system, run it as root");
        return;
    }
    assert!(command.status().unwrap().success());
}

fn on_a_small_disk(disk: &Path) {
    let path = disk.join("logs/web.1.log");
    let (keeper, mut pipe) = keep(path.clone(), Limits::default());
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![0; 2560 * 1024]).unwrap();
    let line = [b"x".repeat(99), b"\n".to_vec()].concat();
    for _ in 0..10_000 {
        pipe.write_all(&line).unwrap();
    }
    let deadline = Instant::now() + LIMIT;
    while keeper.trouble().is_none() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert!(keeper.trouble().unwrap().contains("No space left"));
    std::fs::remove_file(&filler).unwrap();
    let mut follow = Follow::new(vec![("web", path.clone())], Start::Beginning).unwrap();
    followed(&mut follow, "not kept: No space left");
    pipe.write_all(b"after\n").unwrap();
    drop(pipe);
    assert!(keeper.finish(LIMIT));
    let lines = lines(&path);
    let (notes, others): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.who == Who::Wharf);
    assert!(others.iter().all(|l| l.bytes.len() == 99 || l.bytes == b"after"), "no line is torn");
    assert_eq!(others.last().unwrap().bytes, b"after");
    let lost: usize = texts(&notes)
        .iter()
        .map(|note| note.split(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(lost + others.len() - 1, 10_000, "every line is kept or counted: {notes:?}");
}
