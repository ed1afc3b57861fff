//! This process's own memory.

use std::os::unix::ffi::OsStrExt;

/// Gives the pages of code and of the program's own constants back that are not in use now; what is needed
/// later comes from the page cache again, at a few tenths of a microsecond a page.
///
/// A process that plans once and then waits for hours keeps thousands of pages resident that it never
/// reads again. Only mappings that nobody writes to are touched, so nothing is lost. Where something does not
/// work out, the pages stay.
pub fn give_back_code() {
    let Ok(program) = std::fs::read_link("/proc/self/exe") else { return };
    let Ok(maps) = std::fs::read("/proc/self/maps") else { return };
    for line in maps.split(|byte| *byte == b'\n') {
        let own = line.ends_with(program.as_os_str().as_bytes());
        if let Some((start, length)) = unwritten(line, own) {
            // SAFETY: a private mapping of a file, readable and not writable, that the dynamic linker has
            // not written to either: its pages are those of the file, before and after.
            unsafe {
                let start = std::ptr::without_provenance_mut(start);
                libc::madvise(start, length, libc::MADV_DONTNEED);
            }
        }
    }
}

/// Gives memory back to the system that was needed for a while and is free: C libraries keep it for the next
/// who asks.
pub fn give_back_freed() {
    // SAFETY: it moves and frees nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Where a line of `/proc/self/maps` says that something lies which nobody has written to: code of a file
/// (`START-END r-xp …`), and the beginning of the program's own, its constants. Its other readable parts hold
/// addresses that the dynamic linker has written, and were made read-only after that.
fn unwritten(line: &[u8], own: bool) -> Option<(usize, usize)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (rights, offset) = (words.next()?, words.next()?);
    let file = words.nth(2)?.starts_with('/');
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (start, end, offset) = (number(start)?, number(end)?, number(offset)?);
    let constants = own && rights == "r--p" && offset == 0;
    ((rights == "r-xp" && file) || constants).then_some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_has_written_to_is_given_back() {
        let line = |rights: &str, offset: &str, name: &str| {
            format!("1000-3000 {rights} {offset} fe:00 17 {name}").into_bytes()
        };
        let all = Some((0x1000, 0x2000));
        assert_eq!(unwritten(&line("r-xp", "00002000", "/usr/bin/wharf"), true), all);
        assert_eq!(unwritten(&line("r-xp", "00002000", "/lib/libc.so.6"), false), all);
        assert_eq!(unwritten(&line("r--p", "00000000", "/usr/bin/wharf"), true), all);
        assert_eq!(unwritten(&line("r--p", "00000000", "/lib/libc.so.6"), false), None);
        assert_eq!(unwritten(&line("r--p", "00ac8000", "/usr/bin/wharf"), true), None, "relocated");
        assert_eq!(unwritten(&line("r-xp", "00000000", "[vdso]"), false), None);
        for rights in ["rw-p", "rwxp", "r-xs", "---p"] {
            assert_eq!(
                unwritten(&line(rights, "00000000", "/usr/bin/wharf"), true),
                None,
                "{rights}"
            );
        }
        assert_eq!(unwritten(b"", true), None);
        assert_eq!(unwritten(b"3000-1000 r-xp 0 fe:00 17 /x", true), None);
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_needed() {
        let before: u64 = (0..1000u64).map(|n| n.rotate_left(7) ^ 0x55).sum();
        give_back_code();
        let after: u64 = (0..1000u64).map(|n| n.rotate_left(7) ^ 0x55).sum();
        assert_eq!(before, after);
    }
}
