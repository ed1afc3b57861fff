"""Runs a command in which the kernel refuses some system calls, as containers and old kernels do.

    refuse.py WHAT ERRNO [WHAT ERRNO]... -- COMMAND
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PLACE = {"x86_64": 0, "aarch64": 1}[platform.machine()]
PIDFD_GETFD = (438, 438)[PLACE]
READV, WRITEV = ((310, 311), (270, 271))[PLACE]
SECCOMP = (317, 277)[PLACE]
IOCTL = (16, 29)[PLACE]
GETXATTR = (191, 8)[PLACE]
SPLICE = (275, 76)[PLACE]

# A call; perhaps with an argument that is equal to something, or has a bit of it.
EQUALS, HAS_BIT = 0x15, 0x45
RULES = {
    "pidfd_getfd": [(PIDFD_GETFD, None)],
    "process_vm": [(READV, None), (WRITEV, None)],
    "getxattr": [(GETXATTR, None)],
    "splice": [(SPLICE, None)],
    "seccomp": [(SECCOMP, None)],
    # SECCOMP_IOCTL_NOTIF_RECV and _SEND
    "receive": [(IOCTL, (1, EQUALS, 0xC0502100))],
    "send": [(IOCTL, (1, EQUALS, 0xC0182101))],
    # SECCOMP_FILTER_FLAG_NEW_LISTENER and _WAIT_KILLABLE_RECV
    "new_listener": [(SECCOMP, (1, HAS_BIT, 1 << 3))],
    "wait_killable": [(SECCOMP, (1, HAS_BIT, 1 << 5))],
}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000


def step(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(words):
    steps = []
    for what, number in zip(words[::2], words[1::2]):
        for call, argument in RULES[what]:
            steps.append(step(LOAD, 0))
            steps.append(step(JUMP_IF_EQUAL, call, 0, 3 if argument else 1))
            if argument:
                which, test, value = argument
                steps.append(step(LOAD, 16 + 8 * which))
                steps.append(step(test, value, 0, 1))
            steps.append(step(RETURN, FAIL | getattr(errno, number)))
    return steps + [step(RETURN, ALLOW)]


end = sys.argv.index("--")
steps = program(sys.argv[1:end])
code = ctypes.create_string_buffer(b"".join(steps))
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVS, SET_SECCOMP, MODE_FILTER = 38, 22, 2
if os.geteuid():
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
if libc.prctl(SET_SECCOMP, MODE_FILTER, fprog):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])
