//! Who we are: the user, the user's name and home.

use std::ffi::{CStr, OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The largest record of the user database that is read.
const LARGEST_RECORD: usize = 1024 * 1024;

/// The effective user: the one that files and sockets which we make belong to.
pub fn current_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user's name, if the user database (files, LDAP, whatever is configured) knows one.
pub fn name(uid: u32) -> Option<String> {
    Some(record(uid)?.name.to_string_lossy().into_owned())
}

/// What this machine calls itself.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The home folder: `HOME` if it is an absolute path, else what the user database says.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .or_else(|| Some(PathBuf::from(record(current_uid())?.home)))
        .filter(|home| home.is_absolute())
}

struct Record {
    name: OsString,
    home: OsString,
}

fn record(uid: u32) -> Option<Record> {
    let mut buffer = vec![0u8; 1024];
    loop {
        let mut entry = MaybeUninit::<libc::passwd>::zeroed();
        let mut found = std::ptr::null_mut();
        // SAFETY: entry, buffer and result outlive the call, and the buffer's true length is given.
        let status = unsafe {
            libc::getpwuid_r(
                uid,
                entry.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &mut found,
            )
        };
        match status {
            0 if found.is_null() => return None,
            0 => {
                // SAFETY: found is not null, so the call has filled the entry, whose strings lie in
                // the buffer, which is borrowed until they are copied.
                return Some(unsafe {
                    let entry = entry.assume_init();
                    Record { name: text(entry.pw_name), home: text(entry.pw_dir) }
                });
            }
            libc::ERANGE if buffer.len() < LARGEST_RECORD => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            _ => return None,
        }
    }
}

/// # Safety
/// The pointer is null or that of a string which ends with NUL.
unsafe fn text(pointer: *const libc::c_char) -> OsString {
    if pointer.is_null() {
        return OsString::new();
    }
    // SAFETY: as the caller promises.
    OsStr::from_bytes(unsafe { CStr::from_ptr(pointer) }.to_bytes()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_name_and_nobody_else_has_a_made_up_one() {
        assert_eq!(name(0).as_deref(), Some("root"));
        assert_eq!(name(u32::MAX - 7), None);
    }

    #[test]
    fn the_database_knows_a_home() {
        let home = record(0).unwrap().home;
        assert!(PathBuf::from(home).is_absolute());
    }
}
