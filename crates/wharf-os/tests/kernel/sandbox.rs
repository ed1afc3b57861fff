//! A thread that the kernel refuses things to, as a container or an odd system may.

/// From now on this thread (and those that it starts) gets `errno` for a system call, or only for
/// the one with this first argument. For threads that end with their test.
pub(crate) fn refuse(call: libc::c_long, first_argument: Option<i32>, errno: i32) {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let ret = libc::BPF_RET;
    // `struct seccomp_data`: the call's number first, its arguments of 64 bits from 16 on.
    let low_half = 16 + if cfg!(target_endian = "big") { 4 } else { 0 };
    // Where another argument leads: over the refusal, unless all are refused.
    let skip = u32::from(first_argument.is_some());
    let mut filter = [
        op(load, 0, 0, 0),
        op(equal, 0, 4, u32::try_from(call).unwrap()),
        op(load, 0, 0, low_half),
        op(equal, 1, 0, first_argument.unwrap_or(0).cast_unsigned()),
        op(libc::BPF_JMP | libc::BPF_JA, 0, 0, skip),
        op(ret, 0, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
        op(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let len = u16::try_from(filter.len()).unwrap();
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    rustix::thread::set_no_new_privs(true).unwrap();
    // SAFETY: the program outlives the call, which copies it; it binds this thread only.
    let status = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
}

fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k }
}
