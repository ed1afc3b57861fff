//! Takes what a server puts out, as fast as it comes, and keeps it in a file.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wharf_os::readable;

use super::assemble::Assembler;
use super::file::LogFile;
use super::line::{self, Who, now_ms};
use super::matcher::Matcher;
use super::queue::{Loss, Queue};

/// How much is read at once, in bytes: as much as a pipe holds.
const READ_BYTES: usize = 64 * 1024;
/// How much is handed over at once, in bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// A line whose end does not come is kept once so much time has passed without a byte: it may be a
/// prompt.
const SILENCE: Duration = Duration::from_millis(250);
/// How long a disk that took nothing is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long nothing comes before the memory is given back that a flood has needed.
const QUIET_AFTER: Duration = Duration::from_secs(1);
/// What one who writes a few lines at a time needs of it, in bytes.
const KEPT_ROOM: usize = 64 * 1024;
/// The stacks of the two threads, which keep their buffers elsewhere, in bytes.
const STACK: usize = 128 * 1024;

/// How much is kept of an instance's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What may wait for the disk, in bytes. What comes beyond it is counted and not kept.
    pub waiting_bytes: usize,
    /// The size of a file, in bytes. One older file is kept.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { waiting_bytes: 1024 * 1024, file_bytes: 8 * 1024 * 1024 }
    }
}

/// Keeps the output of an instance, by two threads of its own. Dropped, it still keeps what is in the
/// pipe, in the background.
#[derive(Debug)]
pub struct LogKeeper {
    shared: Arc<Shared>,
    /// Closed when the reader is to end once the pipe is empty.
    stop: Option<PipeWriter>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    watch: Mutex<Option<Watch>>,
    trouble: Mutex<Option<String>>,
    /// The reader ends although more comes.
    is_abandoned: AtomicBool,
}

#[derive(Debug)]
struct Watch {
    matcher: Matcher,
    found: oneshot::Sender<String>,
}

impl LogKeeper {
    /// Keeps what comes out of `pipe` in `file`, whose folder is made if it is missing.
    ///
    /// # Errors
    /// The system gives no pipe or thread. A disk that takes nothing is no error: see
    /// [`LogKeeper::trouble`].
    pub fn start(pipe: OwnedFd, file: PathBuf, limits: Limits) -> io::Result<LogKeeper> {
        let (stopped, stop) = std::io::pipe()?;
        let shared = Arc::new(Shared {
            queue: Queue::new(limits.waiting_bytes),
            watch: Mutex::new(None),
            trouble: Mutex::new(None),
            is_abandoned: AtomicBool::new(false),
        });
        let file = LogFile::new(file, limits.file_bytes);
        let writer = Writer { shared: shared.clone(), file, unwritten: None };
        thread("wharf-log", move || writer.run())?;
        let reading = shared.clone();
        let reader = thread("wharf-output", move || {
            Reader::new(&reading).run(&mut File::from(pipe), &stopped);
            reading.queue.end();
        });
        if reader.is_err() {
            shared.queue.end();
        }
        reader.map(|()| LogKeeper { shared, stop: Some(stop) })
    }

    /// Adds a line of wharf's own, or several.
    pub fn say(&self, text: &str) {
        self.shared.queue.say(&line::said(now_ms(), text));
    }

    /// Looks for a pattern in the lines that come from now on. The first line that has it is told,
    /// without its colours; nothing is told of a watch that another one has replaced.
    pub fn watch(&self, matcher: Matcher) -> oneshot::Receiver<String> {
        let (found, told) = oneshot::channel();
        *self.shared.watching() = Some(Watch { matcher, found });
        told
    }

    /// Why the disk takes no lines at this moment.
    pub fn trouble(&self) -> Option<String> {
        self.shared.troubled().clone()
    }

    /// Keeps what is in the pipe and ends; whether everything is on the disk within this time. Whoever
    /// still writes to the pipe then finds it closed.
    pub fn finish(mut self, within: Duration) -> bool {
        let until = Instant::now().checked_add(within);
        self.stop = None;
        let is_written = until.is_some_and(|until| self.shared.queue.wait_finished(until));
        self.shared.is_abandoned.store(true, Ordering::Relaxed);
        is_written
    }
}

impl Shared {
    fn watching(&self) -> MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn troubled(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    thread.spawn(run).map(drop)
}

/// The thread that reads the pipe.
struct Reader<'a> {
    shared: &'a Shared,
    assembler: Assembler,
    /// Lines as they stand in the file, on their way to the queue.
    batch: Vec<u8>,
}

impl Reader<'_> {
    fn new(shared: &Shared) -> Reader<'_> {
        Reader { shared, assembler: Assembler::default(), batch: Vec::new() }
    }

    fn run(&mut self, pipe: &mut File, stopped: &PipeReader) {
        let mut buffer = vec![0; READ_BYTES];
        let mut is_stopped = false;
        while !self.shared.is_abandoned.load(Ordering::Relaxed) {
            let within = match is_stopped {
                true => Some(Duration::ZERO),
                false => self.assembler.is_partial().then_some(SILENCE),
            };
            let Ok(ready) = readable::either(pipe, stopped, within) else { break };
            if ready.first {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => self.take(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            } else if is_stopped {
                break;
            } else if !ready.second {
                self.flush();
            }
            is_stopped = ready.second;
        }
        self.flush();
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut assembler = std::mem::take(&mut self.assembler);
        self.each(|each| assembler.take(bytes, each));
        self.assembler = assembler;
    }

    fn flush(&mut self) {
        let mut assembler = std::mem::take(&mut self.assembler);
        self.each(|each| assembler.flush(each));
        self.assembler = assembler;
    }

    /// Hands over the lines that `lines` gives.
    fn each(&mut self, lines: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let prefix = line::prefix(now_ms(), Who::Server);
        let mut watch = self.shared.watching();
        lines(&mut |line| {
            if let Some(found) = watch.take_if(|watch| watch.matcher.is_match(line)) {
                let line = super::ansi::stripped(line);
                // Whoever waited for it may have ended.
                let _ = found.found.send(String::from_utf8_lossy(&line).into_owned());
            }
            self.batch.extend_from_slice(&prefix);
            self.batch.extend_from_slice(line);
            self.batch.push(b'\n');
            if self.batch.len() >= BATCH_BYTES {
                self.shared.queue.put(&self.batch);
                self.batch.clear();
            }
        });
        if !self.batch.is_empty() {
            self.shared.queue.put(&self.batch);
            self.batch.clear();
        }
    }
}

/// The thread that writes the file.
struct Writer {
    shared: Arc<Shared>,
    file: LogFile,
    /// What the disk did not take and the log does not say yet.
    unwritten: Option<(Loss, io::Error)>,
}

impl Writer {
    fn run(mut self) {
        let (mut lines, mut has_grown) = (Vec::new(), false);
        loop {
            has_grown |= lines.capacity() > KEPT_ROOM;
            let within = match self.unwritten {
                Some(_) => Some(RETRY_AFTER),
                None => has_grown.then_some(QUIET_AFTER),
            };
            let taken = self.shared.queue.take(&mut lines, within);
            if has_grown && lines.is_empty() && !taken.lost.is_any() {
                (lines, has_grown) = (Vec::new(), false);
                self.shared.queue.give_back();
                wharf_os::own_memory::give_back_freed();
            }
            self.admit();
            self.write(&lines);
            if taken.lost.is_any() {
                let Loss { lines, bytes } = taken.lost;
                let what = format!(
                    "{lines} lines ({bytes} bytes) are not kept: they came faster than the disk takes them"
                );
                self.write(&line::said(now_ms(), &what));
            }
            if taken.ended {
                break;
            }
        }
        self.admit();
        self.shared.queue.finish();
    }

    /// Says what the disk did not take, if it takes that.
    fn admit(&mut self) {
        let Some((loss, why)) = self.unwritten.take() else { return };
        let Loss { lines, bytes } = loss;
        let what = format!("{lines} lines ({bytes} bytes) are not kept: {why}");
        match self.file.append(&line::said(now_ms(), &what)) {
            Ok(()) => *self.shared.troubled() = None,
            Err(refused) => self.unwritten = Some((loss, refused.why)),
        }
    }

    fn write(&mut self, lines: &[u8]) {
        if let Some((loss, _)) = &mut self.unwritten {
            loss.add(Loss::of(lines));
            return;
        }
        if let Err(refused) = self.file.append(lines) {
            *self.shared.troubled() = Some(refused.why.to_string());
            self.unwritten = Some((Loss::of(&lines[refused.written..]), refused.why));
        }
    }
}
