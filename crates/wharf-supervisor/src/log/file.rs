//! The file of a log: whole lines only, in two files of a bounded size.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file of a log, opened when there is something to write.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    max: u64,
    file: Option<File>,
}

/// What the disk did not take.
#[derive(Debug)]
pub(super) struct Refused {
    /// So many bytes are written: whole lines.
    pub(super) written: usize,
    pub(super) why: io::Error,
}

impl LogFile {
    /// A file that is put aside when it would grow beyond `max` bytes.
    pub(super) fn new(path: PathBuf, max: u64) -> LogFile {
        LogFile { path, max, file: None }
    }

    /// Adds lines, each with its end.
    ///
    /// # Errors
    /// The disk does not take all of them. The file has whole lines all the same, and may be tried again.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Refused> {
        let mut written = 0;
        while written < lines.len() {
            match self.append_some(&lines[written..]) {
                Ok(more) => written += more,
                Err(refused) => {
                    // Whatever is wrong with it, the next try begins anew.
                    self.file = None;
                    return Err(Refused { written: written + refused.written, ..refused });
                }
            }
        }
        Ok(())
    }

    /// Adds as many lines as the file has room for: at least one.
    fn append_some(&mut self, lines: &[u8]) -> Result<usize, Refused> {
        let nothing = |why| Refused { written: 0, why };
        let mut size = self.ready().map_err(nothing)?;
        let mut fitting = whole_lines(lines, self.max.saturating_sub(size));
        if fitting == 0 && size > 0 {
            self.rotate().map_err(nothing)?;
            size = self.ready().map_err(nothing)?;
            fitting = whole_lines(lines, self.max.saturating_sub(size));
        }
        // A line that is longer than a file has one for itself.
        let length = if fitting == 0 { first_line(lines) } else { fitting };
        let Some(file) = &mut self.file else { return Ok(0) };
        write_lines(file, &lines[..length], size).map(|()| length)
    }

    /// Opens the file if it is not open, or no longer where it was; its size.
    fn ready(&mut self) -> io::Result<u64> {
        if let Some(file) = &self.file {
            let facts = file.metadata()?;
            if facts.nlink() > 0 {
                return Ok(facts.len());
            }
        }
        let (file, size) = open(&self.path)?;
        self.file = Some(file);
        Ok(size)
    }

    fn rotate(&mut self) -> io::Result<()> {
        std::fs::rename(&self.path, older(&self.path))?;
        self.file = None;
        Ok(())
    }
}

/// Where a full file is put: `X.log.1`.
pub(super) fn older(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    if let Some(folder) = path.parent() {
        wharf_os::private_dir::ensure(folder).map_err(io::Error::other)?;
    }
    let mut options = File::options();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut size = file.metadata()?.len();
    // Whoever wrote last may have been killed within a line.
    if size > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            size += 1;
        }
    }
    Ok((file, size))
}

/// How many bytes of whole lines fit.
fn whole_lines(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

/// Writes all of the lines, or takes back what was written of the one that did not fit.
fn write_lines(file: &mut File, lines: &[u8], size: u64) -> Result<(), Refused> {
    let mut done = 0;
    while done < lines.len() {
        let why = match file.write(&lines[done..]) {
            Ok(more @ 1..) => {
                done += more;
                continue;
            }
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let whole = whole_lines(&lines[..done], u64::MAX);
        // Where even that fails, the next one to open it ends the line.
        let _ = file.set_len(size + whole as u64);
        return Err(Refused { written: whole, why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_file_is_put_aside_before_it_is_too_large() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/a.log");
        let mut file = LogFile::new(path.clone(), 10);
        file.append(b"12345\n123\n").unwrap();
        assert_eq!((read(&path), read(&older(&path))), ("12345\n123\n".into(), String::new()));
        file.append(b"ab\ncd\nefghi\nlonger than ten\nz\n").unwrap();
        assert_eq!(
            (read(&path).as_str(), read(&older(&path)).as_str()),
            ("z\n", "longer than ten\n")
        );
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_torn_line_is_ended_and_a_removed_folder_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/a.log");
        let mut file = LogFile::new(path.clone(), 100);
        file.append(b"one\n").unwrap();
        std::fs::write(&path, "one\ntor").unwrap();
        let mut next = LogFile::new(path.clone(), 100);
        next.append(b"two\n").unwrap();
        assert_eq!(read(&path), "one\ntor\ntwo\n");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        next.append(b"three\n").unwrap();
        assert_eq!(read(&path), "three\n");
    }
}
