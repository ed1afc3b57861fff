//! Another process's memory, as far as the kernel lets a parent look.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;

/// Reads `buffer.len()` bytes of the process's memory.
///
/// # Errors
/// `EPERM` for a process that may not be looked into, `EFAULT` for an address that is not its.
pub(super) fn read(pid: u32, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    match whole(read_directly(pid, at, buffer), buffer.len()) {
        Ok(()) => Ok(()),
        // A container may forbid the call and allow the file.
        Err(_) => open(pid, false)?.read_exact_at(buffer, at),
    }
}

/// Overwrites bytes of the process's memory, read-only pages included.
///
/// # Errors
/// As [`read`].
pub(super) fn write(pid: u32, at: u64, bytes: &[u8]) -> io::Result<()> {
    match whole(write_directly(pid, at, bytes), bytes.len()) {
        Ok(()) => Ok(()),
        // Constants lie in pages that only the file reaches.
        Err(_) => open(pid, true)?.write_all_at(bytes, at),
    }
}

fn whole(moved: isize, wanted: usize) -> io::Result<()> {
    match usize::try_from(moved) {
        Ok(moved) if moved == wanted => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn read_directly(pid: u32, at: u64, buffer: &mut [u8]) -> isize {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = remote(at, buffer.len());
    // SAFETY: writes into `buffer` alone, which is as long as told and lives through the call.
    unsafe {
        libc::process_vm_readv(pid.cast_signed(), &raw const local, 1, &raw const remote, 1, 0)
    }
}

fn write_directly(pid: u32, at: u64, bytes: &[u8]) -> isize {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = remote(at, bytes.len());
    // SAFETY: reads `bytes` alone of our memory; what is written is another process's.
    unsafe {
        libc::process_vm_writev(pid.cast_signed(), &raw const local, 1, &raw const remote, 1, 0)
    }
}

/// An address in the other process: nothing of ours is at it.
fn remote(at: u64, length: usize) -> libc::iovec {
    let at = usize::try_from(at).unwrap_or_default();
    libc::iovec { iov_base: std::ptr::without_provenance_mut(at), iov_len: length }
}

fn open(pid: u32, write: bool) -> io::Result<std::fs::File> {
    OpenOptions::new().read(true).write(write).open(format!("/proc/{pid}/mem"))
}
