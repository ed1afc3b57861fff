//! This process's own memory.

use std::os::unix::ffi::OsStrExt;

/// Gives the pages of the program's own code back that are not in use now; what is needed later comes
/// from the page cache again, at a few tenths of a microsecond a page.
///
/// A process that plans once and then waits for hours keeps thousands of pages resident that it never
/// reads again. Only executable mappings are touched: nobody has written to them, so nothing is lost.
/// Where something does not work out, the pages stay.
pub fn give_back_code() {
    let Ok(program) = std::fs::read_link("/proc/self/exe") else { return };
    let Ok(maps) = std::fs::read("/proc/self/maps") else { return };
    for line in maps.split(|byte| *byte == b'\n') {
        let is_code = line.ends_with(program.as_os_str().as_bytes());
        if let Some((start, length)) = is_code.then(|| executable(line)).flatten() {
            // SAFETY: a private mapping of a file that is readable and executable and not writable:
            // its pages are those of the file, before and after.
            unsafe {
                let start = std::ptr::without_provenance_mut(start);
                libc::madvise(start, length, libc::MADV_DONTNEED);
            }
        }
    }
}

/// Where a line of `/proc/self/maps` says that code lies: `START-END r-xp …`.
fn executable(line: &[u8]) -> Option<(usize, usize)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    (words.next()? == "r-xp").then_some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_cannot_be_written_is_given_back() {
        let line = |rights: &str| format!("1000-3000 {rights} 00000000 fe:00 17 /usr/bin/wharf");
        assert_eq!(executable(line("r-xp").as_bytes()), Some((0x1000, 0x2000)));
        for rights in ["r--p", "rw-p", "rwxp", "r-xs", "---p"] {
            assert_eq!(executable(line(rights).as_bytes()), None, "{rights}");
        }
        assert_eq!(executable(b""), None);
        assert_eq!(executable(b"3000-1000 r-xp"), None);
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_needed() {
        let before: u64 = (0..1000u64).map(|n| n.rotate_left(7) ^ 0x55).sum();
        give_back_code();
        let after: u64 = (0..1000u64).map(|n| n.rotate_left(7) ^ 0x55).sum();
        assert_eq!(before, after);
    }
}
